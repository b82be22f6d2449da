"""What of a host's replica do callers see, and what of it have they not been told yet?

A row is told once: updates that change nothing a caller can see wake nobody.
"""

from collections.abc import Iterable

from controller.southbound.ovsdb.model import BridgeRow, HostView, InterfaceRow
from controller.southbound.ovsdb.records import CONTROLLER_MARK, MARK, MARK_PREWIRED, BridgeRecord
from controller.southbound.ovsdb.replica import Pair, Replica


class Shown:
    """The interface rows as last shown, and those still to be told."""

    def __init__(self) -> None:
        self._rows: dict[str, InterfaceRow] = {}
        self._news: dict[str, InterfaceRow | None] = {}
        self._is_whole = False

    def __len__(self) -> int:
        return len(self._rows)

    def restart(self) -> None:
        """Begin anew: what is noted until the next ``take`` is all there is."""
        self._rows.clear()
        self._news.clear()
        self._is_whole = True

    def note(self, replica: Replica, bridge_name: str, interfaces: Iterable[str]) -> None:
        """Look at interfaces that may have changed."""
        bridge = replica.bridge(bridge_name)
        for uuid in interfaces:
            pair = replica.pair(bridge, uuid) if bridge else None
            row = interface_row(bridge_name, pair) if pair else None
            if row == self._rows.get(uuid):
                continue
            if row is None:
                del self._rows[uuid]
            else:
                self._rows[uuid] = row
            if row is None and self._is_whole:
                del self._news[uuid]
            else:
                self._news[uuid] = row

    def take(self) -> tuple[bool, dict[str, InterfaceRow | None]]:
        """Return what was not told yet, and whether it takes the place of everything told before."""
        taken = self._is_whole, self._news
        self._is_whole, self._news = False, {}
        return taken


def host_view(
    replica: Replica,
    bridge_name: str,
    *,
    local_address: str | None,
    drift_count: int = 0,
    last_drift: str | None = None,
) -> HostView:
    """Return the host as a synced replica shows it."""
    switch, bridge = replica.switch, replica.bridge(bridge_name)
    return HostView(
        connected=True,
        synced=True,
        bridge=_bridge_row(replica, bridge) if bridge else None,
        ovs_version=switch.ovs_version if switch else None,
        datapath_types=tuple(sorted(switch.datapath_types)) if switch else (),
        local_address=local_address,
        drift_count=drift_count,
        last_drift=last_drift,
    )


def interface_row(bridge_name: str, pair: Pair) -> InterfaceRow:
    """Return what is shown of one interface of the bridge."""
    port, interface = pair
    external_ids = interface.external_ids
    return InterfaceRow(
        uuid=interface.uuid,
        name=interface.name,
        bridge=bridge_name,
        port_name=port.name,
        type=interface.type,
        ofport=interface.ofport,
        ofport_request=interface.ofport_request,
        iface_id=external_ids.get("iface-id"),
        iface_status=external_ids.get("iface-status"),
        attached_mac=external_ids.get("attached-mac"),
        link_state=interface.link_state,
        error=interface.error,
        mtu=interface.mtu,
        options=tuple(sorted(interface.options.items())),
        prewired=MARK_PREWIRED in external_ids,
        tag=port.tag,
        device_gone=interface.is_gone,
        is_down=None if interface.admin_state is None else interface.admin_state == "down",
        mac=interface.mac_in_use,
    )


def _bridge_row(replica: Replica, bridge: BridgeRecord) -> BridgeRow:
    controllers = [replica.controllers[uuid] for uuid in bridge.controller if uuid in replica.controllers]
    return BridgeRow(
        name=bridge.name,
        datapath_id=bridge.datapath_id,
        datapath_type=bridge.datapath_type,
        fail_mode=bridge.fail_mode,
        protocols=tuple(sorted(bridge.protocols)),
        controllers=tuple(sorted(controller.target for controller in controllers)),
        others=tuple(sorted(controller.target for controller in controllers if MARK not in controller.external_ids)),
        marked=MARK in bridge.external_ids
        or any(controller.external_ids.items() >= CONTROLLER_MARK.items() for controller in controllers),
    )
