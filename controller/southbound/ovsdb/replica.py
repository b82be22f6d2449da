"""What does this host's database hold right now? A copy kept by the monitor, indexed so that a change costs itself.

The copy belongs to one connection: it begins with the reply to the monitor request and is thrown away with the
connection, so that a row that vanished meanwhile is simply not in the next one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.index import Index
from controller.southbound.ovsdb.records import (
    MARKS,
    BridgeRecord,
    ControllerRecord,
    InterfaceRecord,
    PortRecord,
    SwitchRecord,
    Values,
    apply_difference,
    opened_ifindex,
    read_difference,
    read_row,
)

Pair = tuple[PortRecord, InterfaceRecord]


@dataclass(slots=True)
class Touched:
    """What changed since it was last taken: whoever concluded something from one of these must look again."""

    interfaces: set[str] = field(default_factory=set)
    """Uuids of interfaces that changed, went, or changed their port or bridge."""
    names: set[str] = field(default_factory=set)
    """Names of interfaces and ports, old and new."""
    iface_ids: set[str] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    """OpenFlow numbers had or asked for."""
    settings: bool = False
    """A bridge itself, a controller or the root row changed."""

    def __bool__(self) -> bool:
        return bool(self.settings or self.interfaces or self.names)


class Replica:
    """The monitored rows of one database. Read its tables, never change them but by the two ways to apply updates."""

    def __init__(self) -> None:
        self.switches: dict[str, SwitchRecord] = {}
        self.bridges: dict[str, BridgeRecord] = {}
        self.ports: dict[str, PortRecord] = {}
        self.interfaces: dict[str, InterfaceRecord] = {}
        self.controllers: dict[str, ControllerRecord] = {}
        self.interfaces_by_name: Index[str, str] = Index()
        self.interfaces_by_iface_id: Index[str, str] = Index()
        self.interfaces_by_number: Index[int, str] = Index()
        self.interfaces_by_mark: Index[str, str] = Index()
        self.ports_by_name: Index[str, str] = Index()
        self._touched = Touched()
        self._ports_of_bridge: dict[str, set[str]] = {}
        self._bridges_of_port: Index[str, str] = Index()
        self._ports_of_interface: Index[str, str] = Index()

    # reading ----------------------------------------------------------------------------------------------------------

    @property
    def switch(self) -> SwitchRecord | None:
        """The root row; None in a database nobody has initialised."""
        return next(iter(self.switches.values()), None)

    def bridge(self, name: str) -> BridgeRecord | None:
        """Return the bridge of that name (the schema keeps names unique)."""
        return next((bridge for bridge in self.bridges.values() if bridge.name == name), None)

    def pair(self, bridge: BridgeRecord, interface_uuid: str) -> Pair | None:
        """Return an interface and its port if it is on the bridge."""
        interface = self.interfaces.get(interface_uuid)
        for port_uuid in sorted(self._ports_of_interface[interface_uuid]):
            port = self.ports.get(port_uuid)
            if interface and port and bridge.uuid in self._bridges_of_port[port_uuid]:
                return port, interface
        return None

    def pairs(self, bridge: BridgeRecord, interface_uuids: Iterable[str]) -> list[Pair]:
        """Return those of some interfaces that are on the bridge, sorted by name."""
        found = [pair for uuid in interface_uuids if (pair := self.pair(bridge, uuid))]
        return sorted(found, key=lambda pair: pair[1].name)

    def located(self, interface_uuid: str) -> tuple[BridgeRecord, PortRecord, InterfaceRecord] | None:
        """Return an interface with its port and its bridge, whichever that is."""
        for port_uuid in sorted(self._ports_of_interface[interface_uuid]):
            for bridge_uuid in sorted(self._bridges_of_port[port_uuid]):
                bridge = self.bridges.get(bridge_uuid)
                pair = self.pair(bridge, interface_uuid) if bridge else None
                if bridge and pair:
                    return bridge, *pair
        return None

    def take_touched(self) -> Touched:
        """Return what changed since this was last asked."""
        touched, self._touched = self._touched, Touched()
        return touched

    # updating ---------------------------------------------------------------------------------------------------------

    def apply(self, table_updates: Mapping[str, Any]) -> None:
        """Take in the ``<table-updates>`` of ``monitor``: every changed row is there whole (RFC 7047 section 4.1.6).

        Raises:
            PeerError: they are not what the RFC and the schema say.
        """
        try:
            for table, updates in table_updates.items():
                for uuid, update in updates.items():
                    new = update.get("new")
                    self._put(table, uuid, None if new is None else read_row(table, new, may_omit=False))
        except (KeyError, AttributeError, TypeError) as error:
            raise PeerError(why=f"sent an update that does not fit the schema ({error!r})") from error

    def apply_differences(self, table_updates: Mapping[str, Any]) -> None:
        """Take in the ``<table-updates2>`` of ``monitor_cond`` (ovsdb-server(7) section 4.1.14).

        Raises:
            PeerError: they are not what the manual and the schema say.
        """
        try:
            for table, updates in table_updates.items():
                for uuid, update in updates.items():
                    ((what, row),) = update.items()
                    if what == "modify":
                        self._modify(table, uuid, read_difference(table, row))
                    elif what in {"initial", "insert"}:
                        self._put(table, uuid, read_row(table, row, may_omit=True))
                    elif what == "delete":
                        self._put(table, uuid, None)
                    else:
                        raise PeerError(why=f"sent the unknown kind of update {what!r}")
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise PeerError(why=f"sent an update that does not fit the schema ({error!r})") from error

    def _put(self, table: str, uuid: str, new: Values | None) -> None:
        if table == "Interface":
            before = self.interfaces.get(uuid)
            self._set_interface(uuid, None if new is None else _interface(uuid, new, before))
        elif table == "Port":
            self._set_port(uuid, None if new is None else PortRecord(uuid=uuid, **new))
        elif table == "Bridge":
            ports = frozenset() if new is None else new.pop("ports")
            self._set_bridge(uuid, None if new is None else BridgeRecord(uuid=uuid, **new))
            self._toggle_ports(uuid, self._ports_of_bridge.get(uuid, set()) ^ ports)
        elif table == "Controller":
            _store(self.controllers, uuid, None if new is None else ControllerRecord(uuid=uuid, **new))
            self._touched.settings = True
        elif table == "Open_vSwitch":
            _store(self.switches, uuid, None if new is None else SwitchRecord(uuid=uuid, **new))
            self._touched.settings = True
        else:
            raise PeerError(why=f"sent an update of table {table!r}, which is not monitored")

    def _modify(self, table: str, uuid: str, difference: Values) -> None:
        if table == "Bridge":
            self._toggle_ports(uuid, difference.pop("ports", frozenset()))
            if not difference:
                return
        tables: Mapping[str, dict[str, Any]] = {
            "Interface": self.interfaces,
            "Port": self.ports,
            "Bridge": self.bridges,
            "Controller": self.controllers,
            "Open_vSwitch": self.switches,
        }
        old = tables[table][uuid]
        new = replace(
            old, **{name: apply_difference(table, name, getattr(old, name), part) for name, part in difference.items()}
        )
        if table == "Interface":
            opened = opened_ifindex(new.ofport, new.ifindex, old.opened_ifindex)
            self._set_interface(uuid, replace(new, opened_ifindex=opened))
        elif table == "Port":
            self._set_port(uuid, new)
        elif table == "Bridge":
            self._set_bridge(uuid, new)
        else:
            tables[table][uuid] = new
            self._touched.settings = True

    def _set_interface(self, uuid: str, new: InterfaceRecord | None) -> None:
        old = self.interfaces.pop(uuid, None)
        if old:
            for index, key in self._interface_keys(old):
                index.discard(key, uuid)
            self._touch_keys(old)
        if new:
            self.interfaces[uuid] = new
            for index, key in self._interface_keys(new):
                index.add(key, uuid)
            self._touch_keys(new)
        self._touched.interfaces.add(uuid)

    def _interface_keys(self, interface: InterfaceRecord) -> Iterable[tuple[Index[Any, str], Any]]:
        yield self.interfaces_by_name, interface.name
        iface_id = interface.external_ids.get("iface-id")
        if iface_id is not None:
            yield self.interfaces_by_iface_id, iface_id
        for number in interface.numbers:
            yield self.interfaces_by_number, number
        for mark in MARKS:
            if mark in interface.external_ids:
                yield self.interfaces_by_mark, mark

    def _set_port(self, uuid: str, new: PortRecord | None) -> None:
        old = self.ports.pop(uuid, None)
        interfaces: set[str] = set()
        if old:
            self.ports_by_name.discard(old.name, uuid)
            self._touched.names.add(old.name)
            interfaces |= old.interfaces
            for interface in old.interfaces:
                self._ports_of_interface.discard(interface, uuid)
        if new:
            self.ports[uuid] = new
            self.ports_by_name.add(new.name, uuid)
            self._touched.names.add(new.name)
            interfaces |= new.interfaces
            for interface in new.interfaces:
                self._ports_of_interface.add(interface, uuid)
        self._touch(interfaces)

    def _set_bridge(self, uuid: str, new: BridgeRecord | None) -> None:
        old = self.bridges.get(uuid)
        if old == new:
            return
        _store(self.bridges, uuid, new)
        self._touched.settings = True
        if old and new and old.name != new.name:
            self._touch_interfaces_of(self._ports_of_bridge.get(uuid, ()))

    def _toggle_ports(self, bridge_uuid: str, ports: Iterable[str]) -> None:
        """Add the ports the bridge did not have, and take away those it had."""
        there = self._ports_of_bridge.setdefault(bridge_uuid, set())
        for port in ports:
            if port in there:
                there.discard(port)
                self._bridges_of_port.discard(port, bridge_uuid)
            else:
                there.add(port)
                self._bridges_of_port.add(port, bridge_uuid)
        self._touch_interfaces_of(ports)
        if not there:
            del self._ports_of_bridge[bridge_uuid]

    def _touch_interfaces_of(self, ports: Iterable[str]) -> None:
        for port_uuid in ports:
            port = self.ports.get(port_uuid)
            if port:
                self._touch(port.interfaces)

    def _touch(self, interfaces: Iterable[str]) -> None:
        for uuid in interfaces:
            self._touched.interfaces.add(uuid)
            interface = self.interfaces.get(uuid)
            if interface:
                self._touch_keys(interface)

    def _touch_keys(self, interface: InterfaceRecord) -> None:
        touched = self._touched
        touched.names.add(interface.name)
        touched.numbers.update(interface.numbers)
        iface_id = interface.external_ids.get("iface-id")
        if iface_id is not None:
            touched.iface_ids.add(iface_id)


def _interface(uuid: str, new: Values, before: InterfaceRecord | None) -> InterfaceRecord:
    opened = opened_ifindex(new["ofport"], new["ifindex"], before.opened_ifindex if before else None)
    return InterfaceRecord(uuid=uuid, opened_ifindex=opened, **new)


def _store(table: dict[str, Any], uuid: str, new: object | None) -> None:
    if new is None:
        table.pop(uuid, None)
    else:
        table[uuid] = new
