"""Which ports must be made, mended or taken off the integration bridge?

Pre-wired ports live beside those that libvirt, os-vif or an operator plug; the device that is there wins.
"""

from collections.abc import Collection

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.desired import SETTINGS, Desired
from controller.southbound.ovsdb.draft import Draft, Row, missing
from controller.southbound.ovsdb.handover import give_away, take_in
from controller.southbound.ovsdb.model import PrewiredPort, TunnelPort
from controller.southbound.ovsdb.records import MARK, MARK_PREWIRED, BridgeRecord, InterfaceRecord, PortRecord
from controller.southbound.ovsdb.replica import Pair, Replica

TUNNEL_MARK = {MARK: "tunnel"}
DEAD_VLAN = 4095
"""os-vif (isolate_vif) puts a new port into this VLAN, reserved by IEEE 802.1Q, until an agent takes it out: us."""


class _Bridge:
    """The ports of one bridge, and the names in use anywhere else on the host; found by index, never by looking."""

    def __init__(self, replica: Replica, bridge: BridgeRecord | None, name: str) -> None:
        self.name = name
        self._replica = replica
        self._bridge = bridge

    def named(self, name: str) -> Pair | None:
        """Return the interface of that name."""
        return next(iter(self._pairs(self._replica.interfaces_by_name[name])), None)

    def plugged_as(self, iface_id: str) -> list[Pair]:
        """Return the interfaces that say they are a port's."""
        return self._pairs(self._replica.interfaces_by_iface_id[iface_id])

    def marked(self, mark: str) -> list[Pair]:
        """Return the interfaces that bear a mark."""
        return self._pairs(self._replica.interfaces_by_mark[mark])

    def may_make(self, draft: Draft, place: str, name: str, ofport: int) -> bool:
        """Return whether a port may be inserted; note the problem when not."""
        # The schema keeps Port and Interface names unique on the whole host, not on one bridge.
        if name in self._replica.interfaces_by_name or name in self._replica.ports_by_name:
            draft.problem(
                place, f"port {name} exists outside bridge {self.name}: remove it there (ovs-vsctl del-port {name})"
            )
            return False
        holders = self._pairs(self._replica.interfaces_by_number[ofport])
        if holder := next((interface.name for _, interface in holders if not interface.is_marked), None):
            # Seen on OVS 3.1: a request for a number in use moves the running port to another.
            draft.problem(
                place,
                f"port {name} needs OpenFlow port {ofport}, which {holder} has: unplug {holder} and plug it again",
            )
            return False
        return True

    def _pairs(self, interfaces: Collection[str]) -> list[Pair]:
        return self._replica.pairs(self._bridge, interfaces) if self._bridge else []


def plan_ports(
    draft: Draft, replica: Replica, bridge: BridgeRecord | None, desired: Desired, places: Collection[str]
) -> None:
    """Add to the draft what tunnels and pre-wired ports need. ``bridge`` is None while it is still to be created."""
    there = _Bridge(replica, bridge, desired.bridge.name)
    if SETTINGS in places:
        _plan_tunnels(draft, there, desired.bridge.tunnels)
    for name in sorted(places):
        if name != SETTINGS:
            _plan_place(draft, replica, there, name, desired.claimants(name))


def remove_marked_ports(draft: Draft, replica: Replica, bridge: BridgeRecord) -> None:
    """Take every port that Weft made off the bridge."""
    uuids = {*replica.interfaces_by_mark[MARK], *replica.interfaces_by_mark[MARK_PREWIRED]}
    for port, interface in replica.pairs(bridge, uuids):
        _remove(draft, port, interface, "removed")


def _remove(
    draft: Draft,
    port: PortRecord,
    interface: InterfaceRecord,
    why: str,
    *,
    is_life: bool = False,
    may_wait: bool = False,
) -> None:
    draft.remove_port(port.uuid)
    draft.change(interface.name, f"{port.name} {why}", is_life=is_life, may_wait=may_wait)


def _plan_tunnels(draft: Draft, there: _Bridge, tunnels: tuple[TunnelPort, ...]) -> None:
    wanted = {tunnel.name for tunnel in tunnels}
    for port, interface in there.marked(MARK):
        if interface.name not in wanted:
            draft.remove_port(port.uuid)
            draft.change(SETTINGS, f"tunnel {interface.name} removed")
    for tunnel in sorted(tunnels, key=lambda tunnel: tunnel.name):
        row: Row = {
            "type": tunnel.type,
            "ofport_request": tunnel.ofport_request,
            "options": values.to_map(dict(tunnel.options)),
        }
        present = there.named(tunnel.name)
        if present:
            _mend_tunnel(draft, tunnel, present[1], row)
        elif there.may_make(draft, SETTINGS, tunnel.name, tunnel.ofport_request):
            draft.insert_port(tunnel.name, {**row, "external_ids": values.to_map(TUNNEL_MARK)})
            draft.change(SETTINGS, f"tunnel {tunnel.name} created")


def _mend_tunnel(draft: Draft, tunnel: TunnelPort, interface: InterfaceRecord, wanted: Row) -> None:
    same = {
        "type": interface.type == tunnel.type,
        "ofport_request": interface.ofport_request == tunnel.ofport_request,
        "options": dict(interface.options) == dict(tunnel.options),
    }
    changed = {column: value for column, value in wanted.items() if not same[column]}
    if MARK not in interface.external_ids:
        if changed:
            draft.problem(
                SETTINGS,
                f"port {tunnel.name} is not Weft's and differs from the tunnel wanted ({', '.join(sorted(changed))}): "
                f"remove it (ovs-vsctl del-port {tunnel.name})",
            )
    elif changed:
        draft.update("Interface", interface.uuid, changed)
        draft.change(SETTINGS, f"tunnel {tunnel.name} {' '.join(sorted(changed))}")


def _plan_place(draft: Draft, replica: Replica, there: _Bridge, name: str, claimants: list[PrewiredPort]) -> None:
    present = there.named(name)
    if not claimants:
        if present and MARK_PREWIRED in present[1].external_ids:
            _remove(draft, *present, "no longer wanted")
        return
    for other in claimants[1:]:
        draft.problem(
            name,
            f"ports {claimants[0].iface_id} and {other.iface_id} both need the device name {name}: delete one of them",
        )
    if claimants[0].given_to is not None:
        give_away(draft, replica, there.plugged_as(claimants[0].iface_id), claimants[0])
        return
    if claimants[0].taken_from is not None and take_in(draft, replica, claimants[0]):
        return
    _plan_prewired(draft, there, claimants[0], present)
    for port in claimants:
        _release_isolated(draft, there, port)


def _plan_prewired(draft: Draft, there: _Bridge, port: PrewiredPort, present: Pair | None) -> None:
    has_rival = any(other.is_live and other.name != port.name for _, other in there.plugged_as(port.iface_id))
    if present is None:
        if not has_rival and there.may_make(draft, port.name, port.name, port.ofport):
            ids = values.to_map(_external_ids(port))
            draft.insert_port(port.name, {"type": "", "ofport_request": port.ofport, "external_ids": ids})
            draft.change(port.name, f"{port.name} made")
        return
    row, interface = present
    if MARK_PREWIRED not in interface.external_ids:
        found = interface.external_ids.get("iface-id")
        if found != port.iface_id:
            draft.problem(
                port.name,
                f"device {port.name} is plugged as {found or 'nothing'}, not as port {port.iface_id}: unplug it",
            )
    elif interface.is_stale:
        # Made again when the row is seen to be gone: the next device of that name must be opened afresh.
        draft.must_settle = True
        _remove(draft, row, interface, "removed because its device went", is_life=True)
    elif has_rival and not interface.is_live:
        _remove(draft, row, interface, "gives way to the live device", is_life=True, may_wait=True)
    else:
        _mend_prewired(draft, port, interface)


def _external_ids(port: PrewiredPort) -> dict[str, str]:
    """The keys os-vif and libvirt write, and our mark (ovs-vswitchd.conf.db(5) Interface:external_ids)."""
    return {"iface-id": port.iface_id, "attached-mac": port.mac, "iface-status": "active", MARK_PREWIRED: "true"}


def _mend_prewired(draft: Draft, port: PrewiredPort, interface: InterfaceRecord) -> None:
    changed: Row = {}
    if not interface.is_device:
        changed["type"] = ""
    if interface.ofport_request != port.ofport:
        changed["ofport_request"] = port.ofport
    keys = missing(_external_ids(port), interface.external_ids)
    if changed:
        draft.update("Interface", interface.uuid, changed)
    if keys:
        draft.set_keys("Interface", interface.uuid, "external_ids", keys)
    if changed or keys:
        draft.change(port.name, f"{port.name} {' '.join(sorted([*changed, *keys]))}")
    else:
        draft.in_place.add(port.name)


def _release_isolated(draft: Draft, there: _Bridge, port: PrewiredPort) -> None:
    """Undo os-vif's isolation of a port that is ours to wire: drift like any other, so that whoever looks is told."""
    for row, _ in there.plugged_as(port.iface_id):
        if row.tag == DEAD_VLAN or row.trunks == {DEAD_VLAN}:
            none: list[object] = values.to_set([])
            draft.update("Port", row.uuid, {"tag": none, "vlan_mode": none, "trunks": none})
            draft.change(port.name, f"{row.name} taken out of VLAN {DEAD_VLAN}")
