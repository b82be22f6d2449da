"""What does this host's database hold right now? A copy kept by the monitor, and the view made from it.

The copy belongs to one connection: it begins with the reply to ``monitor`` (RFC 7047 section 4.1.5) and is thrown away
with the connection, so that a row that vanished meanwhile is simply not in the next one.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.model import BridgeRow, HostView, InterfaceRow
from controller.southbound.ovsdb.records import (
    COLUMNS,
    MARK,
    MARK_PREWIRED,
    BridgeRecord,
    ControllerRecord,
    InterfaceRecord,
    PortRecord,
    SwitchRecord,
)

_R = TypeVar("_R")


class Replica:
    """The monitored rows of one database. Read its tables, never change them but by ``apply``."""

    def __init__(self) -> None:
        self.switches: dict[str, SwitchRecord] = {}
        self.bridges: dict[str, BridgeRecord] = {}
        self.ports: dict[str, PortRecord] = {}
        self.interfaces: dict[str, InterfaceRecord] = {}
        self.controllers: dict[str, ControllerRecord] = {}
        self.revision = 0
        """Raised by every change."""
        self._rows: dict[str, tuple[InterfaceRecord, PortRecord, InterfaceRow]] = {}

    @property
    def switch(self) -> SwitchRecord | None:
        """The root row; None in a database nobody has initialised."""
        return next(iter(self.switches.values()), None)

    def bridge(self, name: str) -> BridgeRecord | None:
        """Return the bridge of that name (the schema keeps names unique)."""
        return next((bridge for bridge in self.bridges.values() if bridge.name == name), None)

    def apply(self, table_updates: Mapping[str, Any]) -> None:
        """Take in the ``<table-updates>`` of a monitor reply or an update notification.

        Raises:
            PeerError: they are not what RFC 7047 section 4.1.6 and the schema say.
        """
        try:
            for table, updates in table_updates.items():
                for uuid, update in updates.items():
                    self._apply_row(table, uuid, update.get("new"))
        except (KeyError, AttributeError, TypeError) as error:
            raise PeerError(why=f"sent an update that does not fit the schema ({error!r})") from error
        self.revision += 1

    def _apply_row(self, table: str, uuid: str, new: Mapping[str, Any] | None) -> None:
        if table == "Interface":
            if new is None:
                self._rows.pop(uuid, None)
            _put(self.interfaces, uuid, new, lambda u, row: InterfaceRecord.from_wire(u, row, self.interfaces.get(u)))
        elif table == "Port":
            _put(self.ports, uuid, new, PortRecord.from_wire)
        elif table == "Bridge":
            _put(self.bridges, uuid, new, BridgeRecord.from_wire)
        elif table == "Controller":
            _put(self.controllers, uuid, new, ControllerRecord.from_wire)
        elif table == "Open_vSwitch":
            _put(self.switches, uuid, new, SwitchRecord.from_wire)
        elif table not in COLUMNS:
            raise PeerError(why=f"sent an update of table {table!r}, which is not monitored")

    def view(self, bridge_name: str, *, local_address: str | None) -> HostView:
        """Return the host as this copy shows it."""
        switch, bridge = self.switch, self.bridge(bridge_name)
        return HostView(
            connected=True,
            synced=True,
            interfaces=self._interfaces_of(bridge) if bridge else (),
            bridge=self._bridge_row(bridge) if bridge else None,
            ovs_version=switch.ovs_version if switch else None,
            datapath_types=tuple(sorted(switch.datapath_types)) if switch else (),
            local_address=local_address,
        )

    def ports_of(self, bridge: BridgeRecord) -> list[tuple[PortRecord, InterfaceRecord]]:
        """Return every interface of a bridge with its port, in no order."""
        pairs = []
        for port_uuid in bridge.ports:
            port = self.ports.get(port_uuid)
            for uuid in port.interfaces if port else ():
                interface = self.interfaces.get(uuid)
                if port and interface:
                    pairs.append((port, interface))
        return pairs

    def _bridge_row(self, bridge: BridgeRecord) -> BridgeRow:
        targets = (self.controllers[uuid].target for uuid in bridge.controller if uuid in self.controllers)
        return BridgeRow(
            name=bridge.name,
            datapath_id=bridge.datapath_id,
            datapath_type=bridge.datapath_type,
            fail_mode=bridge.fail_mode,
            protocols=tuple(sorted(bridge.protocols)),
            controllers=tuple(sorted(targets)),
            marked=MARK in bridge.external_ids,
        )

    def _interfaces_of(self, bridge: BridgeRecord) -> tuple[InterfaceRow, ...]:
        rows = [self._interface_row(bridge.name, port, interface) for port, interface in self.ports_of(bridge)]
        rows.sort(key=lambda row: row.name)
        return tuple(rows)

    def _interface_row(self, bridge_name: str, port: PortRecord, interface: InterfaceRecord) -> InterfaceRow:
        """Make the row, or return the one made before from the same records: one plug must not cost 500 rows."""
        known = self._rows.get(interface.uuid)
        if known and known[0] is interface and known[1] is port and known[2].bridge == bridge_name:
            return known[2]
        external_ids = interface.external_ids
        row = InterfaceRow(
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
        )
        self._rows[interface.uuid] = (interface, port, row)
        return row


def _put(
    table: dict[str, _R], uuid: str, new: Mapping[str, Any] | None, read: Callable[[str, Mapping[str, Any]], _R]
) -> None:
    if new is None:
        table.pop(uuid, None)
    else:
        table[uuid] = read(uuid, new)
