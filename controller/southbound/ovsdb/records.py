"""What do the rows of the monitored tables look like, and how are they read from the wire?

Column names and types: vswitch.ovsschema, ovs-vswitchd.conf.db(5). No statistics or status columns: counters must not
wake us.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.errors import PeerError

MARK = "weft"
"""Key in ``external_ids`` of every row Weft made or configures; the value says as what."""
CONTROLLER_MARK = {MARK: "controller"}
"""What the row of Weft as a bridge's controller bears."""
MARK_PREWIRED = "weft-prewired"
"""Key in ``external_ids`` of an Interface written before its device exists."""
MARK_PATCH = "weft-patch"
"""Key in ``external_ids`` of both ends of a patch pair; the value is the place, the name of the end on our bridge."""

MARKS = (MARK, MARK_PREWIRED, MARK_PATCH)


class Kind(Enum):
    """How an update2 notification tells a changed column (ovsdb-server(7) section 4.1.14)."""

    VALUE = auto()
    """At most one value: the new one."""
    SET = auto()
    """The elements that only the old or only the new set has."""
    MAP = auto()
    """The pairs that only the old map has, as they were, and those that are new or have another value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column is read."""

    read: Callable[[Any], Any]
    default: Any
    """On the wire; a row that is new leaves columns out that have it (ovsdb-server(7) section 4.1.14)."""
    kind: Kind = Kind.VALUE


_NONE: Any = ["set", []]
_TEXT = Column(read=values.text, default="")
_INTEGER = Column(read=values.integer, default=0)
_OPTIONAL_TEXT = Column(read=values.optional_text, default=_NONE)
_OPTIONAL_INT = Column(read=values.optional_int, default=_NONE)
_TEXTS = Column(read=values.texts, default=_NONE, kind=Kind.SET)
_INTS = Column(read=values.ints, default=_NONE, kind=Kind.SET)
_UUIDS = Column(read=values.uuids, default=_NONE, kind=Kind.SET)
_TEXT_MAP = Column(read=values.text_map, default=["map", []], kind=Kind.MAP)


def _datapath_id(value: Any) -> int | None:
    hexadecimal = values.optional_text(value)
    if not hexadecimal:
        return None
    try:
        return int(hexadecimal, 16)
    except ValueError as error:
        raise PeerError(why=f"sent the datapath id {hexadecimal!r}, which is not hexadecimal") from error


COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "Open_vSwitch": {
        "ovs_version": _OPTIONAL_TEXT,
        "datapath_types": _TEXTS,
        "next_cfg": _INTEGER,
        "cur_cfg": _INTEGER,
    },
    "Bridge": {
        "name": _TEXT,
        "datapath_id": Column(read=_datapath_id, default=_NONE),
        "datapath_type": _TEXT,
        "fail_mode": _OPTIONAL_TEXT,
        "protocols": _TEXTS,
        "controller": _UUIDS,
        "ports": _UUIDS,
        "other_config": _TEXT_MAP,
        "external_ids": _TEXT_MAP,
    },
    "Port": {
        "name": _TEXT,
        "interfaces": _UUIDS,
        "tag": _OPTIONAL_INT,
        "vlan_mode": _OPTIONAL_TEXT,
        "trunks": _INTS,
    },
    "Interface": {
        "name": _TEXT,
        "type": _TEXT,
        "ofport": _OPTIONAL_INT,
        "ofport_request": _OPTIONAL_INT,
        "external_ids": _TEXT_MAP,
        "ifindex": _OPTIONAL_INT,
        "link_state": _OPTIONAL_TEXT,
        "admin_state": _OPTIONAL_TEXT,
        "mac_in_use": _OPTIONAL_TEXT,
        "error": _OPTIONAL_TEXT,
        "mtu": _OPTIONAL_INT,
        "options": _TEXT_MAP,
    },
    "Controller": {
        "target": _TEXT,
        "connection_mode": _OPTIONAL_TEXT,
        "max_backoff": _OPTIONAL_INT,
        "inactivity_probe": _OPTIONAL_INT,
        "external_ids": _TEXT_MAP,
    },
}

Wire = Mapping[str, Any]
Values = dict[str, Any]
"""Column names and what was read of them."""


def read_row(table: str, row: Wire, *, may_omit: bool) -> Values:
    """Read a whole row; raises KeyError or PeerError when it is not as the schema says.

    ``may_omit``: columns that have their default value need not be there.
    """
    if may_omit:
        return {name: column.read(row.get(name, column.default)) for name, column in COLUMNS[table].items()}
    return {name: column.read(row[name]) for name, column in COLUMNS[table].items()}


def read_difference(table: str, row: Wire) -> Values:
    """Read the columns of a row that changed, as differences; raises KeyError or PeerError."""
    return {name: COLUMNS[table][name].read(value) for name, value in row.items()}


def apply_difference(table: str, column: str, old: Any, difference: Any) -> Any:
    """Return the new value of a column."""
    match COLUMNS[table][column].kind:
        case Kind.VALUE:
            return difference
        case Kind.SET:
            return old ^ difference
        case Kind.MAP:
            new = dict(old)
            for key, value in difference.items():
                if new.get(key) == value:
                    del new[key]
                else:
                    new[key] = value
            return new


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """The one row of Open_vSwitch."""

    uuid: str
    ovs_version: str | None
    datapath_types: frozenset[str]
    next_cfg: int
    """Raised by who wants to know when ovs-vswitchd has taken a change in."""
    cur_cfg: int
    """The ``next_cfg`` ovs-vswitchd has taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRecord:
    """A row of Bridge without its ports, of which there may be thousands: the replica keeps those by reference."""

    uuid: str
    name: str
    datapath_id: int | None
    datapath_type: str
    fail_mode: str | None
    protocols: frozenset[str]
    controller: frozenset[str]
    other_config: Mapping[str, str]
    external_ids: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRecord:
    """A row of Port."""

    uuid: str
    name: str
    interfaces: frozenset[str]
    tag: int | None
    vlan_mode: str | None
    trunks: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceRecord:
    """A row of Interface."""

    uuid: str
    name: str
    type: str
    ofport: int | None
    ofport_request: int | None
    external_ids: Mapping[str, str]
    ifindex: int | None
    """The kernel's number of the device; 0 when the device has gone, None when it never was there."""
    link_state: str | None
    admin_state: str | None
    mac_in_use: str | None
    error: str | None
    mtu: int | None
    options: Mapping[str, str]
    opened_ifindex: int | None = None
    """The device OVS opened, as far as we saw: OVS goes on with a dead socket when another takes its name."""

    @property
    def is_device(self) -> bool:
        """An ordinary network device, made by somebody else ("system" is written as the empty type)."""
        return self.type in {"", "system"}

    @property
    def is_live(self) -> bool:
        """OVS has given a number, and the device has not gone since."""
        return self.ofport is not None and self.ofport >= 1 and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """The device OVS opened is not there any more, though OVS keeps the port's number (seen on OVS 3.1)."""
        return self.is_device and self.ifindex == 0

    @property
    def is_stale(self) -> bool:
        """OVS holds on to a device that has gone or was replaced: seen on netdev, the port receives nothing then."""
        if not self.is_device or self.ofport is None or self.ofport < 1:
            return False
        return self.is_gone or self.opened_ifindex not in {None, self.ifindex}

    @property
    def is_marked(self) -> bool:
        """Weft made this row."""
        return any(mark in self.external_ids for mark in MARKS)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The OpenFlow numbers it has or asks for."""
        return tuple(n for n in (self.ofport_request, self.ofport) if n is not None and n >= 1)


def opened_ifindex(ofport: int | None, ifindex: int | None, before: int | None) -> int | None:
    """Return which device OVS has opened, given which one it had opened ``before``."""
    if ofport is None or ofport < 1:
        return None
    return before if before is not None else ifindex or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerRecord:
    """A row of Controller."""

    uuid: str
    target: str
    connection_mode: str | None
    max_backoff: int | None
    inactivity_probe: int | None
    external_ids: Mapping[str, str]
