"""Which ports must be made, mended or taken off the integration bridge?

Pre-wired ports live beside those that libvirt, os-vif or an operator plug; the device that is there wins.
"""

from collections import defaultdict
from collections.abc import Iterable

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.draft import Draft, Row, missing
from controller.southbound.ovsdb.model import HostDesired, PrewiredPort, TunnelPort
from controller.southbound.ovsdb.records import MARK, MARK_PREWIRED, BridgeRecord, InterfaceRecord, PortRecord
from controller.southbound.ovsdb.replica import Replica

TUNNEL_MARK = {MARK: "tunnel"}
DEAD_VLAN = 4095
"""os-vif (isolate_vif) puts a new port into this VLAN, reserved by IEEE 802.1Q, until an agent takes it out: us."""

Pair = tuple[PortRecord, InterfaceRecord]


class _Bridge:
    """The ports of one bridge, found by name, and the names in use anywhere else on the host."""

    def __init__(self, replica: Replica, bridge: BridgeRecord | None, name: str) -> None:
        self.name = name
        self.pairs: list[Pair] = replica.ports_of(bridge) if bridge else []
        self.pairs.sort(key=lambda pair: pair[1].name)
        self.by_name = {interface.name: (port, interface) for port, interface in self.pairs}
        # The schema keeps Port and Interface names unique on the whole host, not on one bridge.
        self._taken_names = {interface.name for interface in replica.interfaces.values()}
        self._taken_names.update(port.name for port in replica.ports.values())
        self.foreign_numbers = dict(_numbers(interface for _, interface in self.pairs if not is_marked(interface)))

    def may_make(self, draft: Draft, name: str, ofport: int) -> bool:
        """Return whether a port may be inserted; note the problem when not."""
        if name in self._taken_names:
            draft.problems.append(
                f"port {name} exists outside bridge {self.name}: remove it there (ovs-vsctl del-port {name})"
            )
            return False
        if holder := self.foreign_numbers.get(ofport):
            # Seen on OVS 3.1: a request for a number in use moves the running port to another.
            draft.problems.append(
                f"port {name} needs OpenFlow port {ofport}, which {holder} has: unplug {holder} and plug it again"
            )
            return False
        return True


def is_marked(interface: InterfaceRecord) -> bool:
    """Return whether Weft made this row."""
    return MARK_PREWIRED in interface.external_ids or MARK in interface.external_ids


def plan_ports(draft: Draft, replica: Replica, bridge: BridgeRecord | None, desired: HostDesired) -> None:
    """Add to the draft what tunnels and pre-wired ports need. ``bridge`` is None while it is still to be created."""
    there = _Bridge(replica, bridge, desired.bridge.name)
    _plan_tunnels(draft, there, desired.bridge.tunnels)
    _plan_prewired(draft, there, sorted(desired.prewired, key=lambda port: (port.name, port.iface_id)))
    _release_isolated(draft, there, {port.iface_id for port in desired.prewired})


def remove_marked_ports(draft: Draft, replica: Replica, bridge: BridgeRecord) -> None:
    """Take every port that Weft made off the bridge."""
    for port, interface in sorted(replica.ports_of(bridge), key=lambda pair: pair[1].name):
        if is_marked(interface):
            _remove(draft, port, "removed")


def _numbers(interfaces: Iterable[InterfaceRecord]) -> Iterable[tuple[int, str]]:
    for interface in interfaces:
        for number in (interface.ofport_request, interface.ofport):
            if number is not None and number >= 1:
                yield number, interface.name


def _remove(draft: Draft, port: PortRecord, why: str) -> None:
    draft.remove_port(port.uuid)
    draft.port_changes.append(f"{port.name} {why}")


def _plan_tunnels(draft: Draft, there: _Bridge, tunnels: tuple[TunnelPort, ...]) -> None:
    wanted = {tunnel.name for tunnel in tunnels}
    for port, interface in there.pairs:
        if MARK in interface.external_ids and interface.name not in wanted:
            draft.remove_port(port.uuid)
            draft.bridge_changes.append(f"tunnel {interface.name} removed")
    for tunnel in sorted(tunnels, key=lambda tunnel: tunnel.name):
        row: Row = {
            "type": tunnel.type,
            "ofport_request": tunnel.ofport_request,
            "options": values.to_map(dict(tunnel.options)),
        }
        present = there.by_name.get(tunnel.name)
        if present:
            _mend_tunnel(draft, tunnel, present[1], row)
        elif there.may_make(draft, tunnel.name, tunnel.ofport_request):
            draft.insert_port(tunnel.name, {**row, "external_ids": values.to_map(TUNNEL_MARK)})
            draft.bridge_changes.append(f"tunnel {tunnel.name} created")


def _mend_tunnel(draft: Draft, tunnel: TunnelPort, interface: InterfaceRecord, wanted: Row) -> None:
    same = {
        "type": interface.type == tunnel.type,
        "ofport_request": interface.ofport_request == tunnel.ofport_request,
        "options": dict(interface.options) == dict(tunnel.options),
    }
    changed = {column: value for column, value in wanted.items() if not same[column]}
    if MARK not in interface.external_ids:
        if changed:
            draft.problems.append(
                f"port {tunnel.name} is not Weft's and differs from the tunnel wanted ({', '.join(sorted(changed))}): "
                f"remove it (ovs-vsctl del-port {tunnel.name})"
            )
    elif changed:
        draft.update("Interface", interface.uuid, changed)
        draft.bridge_changes.append(f"tunnel {tunnel.name} {' '.join(sorted(changed))}")


def _plan_prewired(draft: Draft, there: _Bridge, prewired: list[PrewiredPort]) -> None:
    wanted: dict[str, PrewiredPort] = {}
    for port in prewired:
        if port.name in wanted:
            other = wanted[port.name].iface_id
            draft.problems.append(
                f"ports {other} and {port.iface_id} both need the device name {port.name}: delete one of them"
            )
        wanted.setdefault(port.name, port)
    for row, interface in there.pairs:
        if MARK_PREWIRED in interface.external_ids and interface.name not in wanted:
            _remove(draft, row, "no longer wanted")
    live: defaultdict[str, set[str]] = defaultdict(set)
    for _, interface in there.pairs:
        if interface.is_live:
            live[interface.external_ids.get("iface-id", "")].add(interface.name)
    for port in wanted.values():
        _plan_prewired_port(draft, there, port, has_rival=bool(live[port.iface_id] - {port.name}))


def _plan_prewired_port(draft: Draft, there: _Bridge, port: PrewiredPort, *, has_rival: bool) -> None:
    present = there.by_name.get(port.name)
    if present is None:
        if not has_rival and there.may_make(draft, port.name, port.ofport):
            ids = values.to_map(_external_ids(port))
            draft.insert_port(port.name, {"type": "", "ofport_request": port.ofport, "external_ids": ids})
            draft.port_changes.append(f"{port.name} made")
        return
    row, interface = present
    if MARK_PREWIRED not in interface.external_ids:
        found = interface.external_ids.get("iface-id")
        if found != port.iface_id:
            draft.problems.append(
                f"device {port.name} is plugged as {found or 'nothing'}, not as port {port.iface_id}: unplug it"
            )
    elif interface.is_stale:
        # Made again when the row is seen to be gone: the next device of that name must be opened afresh.
        draft.must_settle = True
        _remove(draft, row, "removed because its device went")
    elif has_rival and not interface.is_live:
        _remove(draft, row, "gives way to the live device")
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
        draft.port_changes.append(f"{port.name} {' '.join(sorted([*changed, *keys]))}")


def _release_isolated(draft: Draft, there: _Bridge, iface_ids: set[str]) -> None:
    """Undo os-vif's isolation of ports that are ours to wire."""
    for port, interface in there.pairs:
        isolated = port.tag == DEAD_VLAN or port.trunks == {DEAD_VLAN}
        if isolated and interface.external_ids.get("iface-id") in iface_ids:
            none: list[object] = values.to_set([])
            draft.update("Port", port.uuid, {"tag": none, "vlan_mode": none, "trunks": none})
            draft.port_changes.append(f"{port.name} taken out of VLAN {DEAD_VLAN}")
