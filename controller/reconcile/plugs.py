"""Where is each port plugged? What the Interface rows of one host say.

``read_plugs`` is the definition, over all rows at once; the table ``Plugs`` says the same and costs what changed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controller.reconcile.ways import Ways
from controller.records import OfPort, PortId
from controller.southbound.ovsdb.model import InterfaceRow, RowChanges

INACTIVE = "inactive"
"""external_ids:iface-status of an interface that its owner has put aside."""

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """The devices of one host that carry a port's id."""

    ofport: OfPort | None = None
    """Number of the one live device; None when there is none or more than one."""
    live: tuple[str, ...] = ()
    """Names of the devices OVS has opened, sorted."""
    absent: tuple[str, ...] = ()
    """Names of rows without a device yet, sorted."""
    error: str | None = None
    """What OVS says about a device that somebody plugged and that it could not open."""
    link_state: str | None = None


UNPLUGGED = Plug()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the rows of one host say."""

    by_port: Mapping[PortId, Plug]
    ofports: Mapping[OfPort, PortId | None]
    """Who has each OpenFlow number: a port id, or None for a device that is no plug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What the table says otherwise than before."""

    ports: frozenset[PortId] = frozenset()
    ofports: frozenset[OfPort] = frozenset()
    ways: bool = False
    """Tunnels or patches that may be used."""
    is_first: bool = False
    """Nothing was known before."""


def read_plugs(rows: Iterable[InterfaceRow]) -> Reading:
    """Return what all rows of one bridge say; where two claim the same number, the last by name has it."""
    found: dict[PortId, list[InterfaceRow]] = {}
    ofports: dict[OfPort, PortId | None] = {}
    for row in sorted(rows, key=_order):
        owner = _owner(row)
        if owner is not None:
            found.setdefault(owner, []).append(row)
        number = _number(row)
        if number is not None:
            ofports[number] = owner
    by_port = {port_id: _plug(of_port) for port_id, of_port in found.items()}
    return Reading(by_port=by_port, ofports=ofports)


class Plugs:
    """What one host's bridge has plugged; owned by the reconciler's thread."""

    def __init__(self) -> None:
        self.synced = False
        """Whether the rows were ever read whole; until then nothing may be concluded from an absent one."""
        self.ways = Ways()
        """The tunnels and patches among the rows."""
        self._rows: dict[str, InterfaceRow] = {}
        self._rows_of_port: dict[PortId, dict[str, InterfaceRow]] = {}
        self._rows_of_number: dict[OfPort, dict[str, InterfaceRow]] = {}
        self._by_port: dict[PortId, Plug] = {}
        self._ofports: dict[OfPort, PortId | None] = {}

    @property
    def by_port(self) -> Mapping[PortId, Plug]:
        """Every port that some row names."""
        return self._by_port

    @property
    def ofports(self) -> Mapping[OfPort, PortId | None]:
        """Who has each OpenFlow number: a port id, or None for a device that is no plug."""
        return self._ofports

    def plug(self, port_id: PortId) -> Plug:
        """Return where a port is plugged on this host."""
        return self._by_port.get(port_id, UNPLUGGED)

    def update(self, changes: RowChanges) -> Turned:
        """Take in what changed; return what that turned. Changes before the first whole reading say nothing."""
        if not (self.synced or changes.whole):
            return Turned()
        is_first, self.synced = not self.synced, True
        rows: dict[str, InterfaceRow | None] = dict(changes.rows)
        if changes.whole:
            rows = dict.fromkeys(self._rows) | rows
        ports: set[PortId] = set()
        numbers: set[OfPort] = set()
        for uuid, new in rows.items():
            old = self._rows.pop(uuid, None)
            if new is not None:
                self._rows[uuid] = new
            if old == new:
                continue
            ports |= _move(self._rows_of_port, _owner, uuid, old, new)
            numbers |= _move(self._rows_of_number, _number, uuid, old, new)
        return Turned(
            ports=frozenset(p for p in ports if self._reread_port(p)),
            ofports=frozenset(n for n in numbers if self._reread_number(n)),
            ways=self.ways.update(changes),
            is_first=is_first,
        )

    def _reread_port(self, port_id: PortId) -> bool:
        rows = self._rows_of_port.get(port_id)
        return _put(self._by_port, port_id, _plug(_sorted(rows)) if rows else None)

    def _reread_number(self, number: OfPort) -> bool:
        rows = self._rows_of_number.get(number)
        had, before = number in self._ofports, self._ofports.pop(number, None)
        if rows:
            self._ofports[number] = _owner(_sorted(rows)[-1])
        return (had, before) != (bool(rows), self._ofports.get(number))


def _owner(row: InterfaceRow) -> PortId | None:
    return PortId(row.iface_id) if row.iface_id and row.iface_status != INACTIVE else None


def _number(row: InterfaceRow) -> OfPort | None:
    return OfPort(row.ofport) if row.live and row.ofport is not None else None


def _order(row: InterfaceRow) -> tuple[str, str]:
    return row.name, row.uuid


def _sorted(rows: Mapping[str, InterfaceRow]) -> list[InterfaceRow]:
    return sorted(rows.values(), key=_order)


def _move(
    index: dict[_K, dict[str, InterfaceRow]],
    key_of: Callable[[InterfaceRow], _K | None],
    uuid: str,
    old: InterfaceRow | None,
    new: InterfaceRow | None,
) -> set[_K]:
    """Take the old row out of an index and put the new one in; return the keys concerned."""
    before = None if old is None else key_of(old)
    after = None if new is None else key_of(new)
    if before is not None:
        del index[before][uuid]
        if not index[before]:
            del index[before]
    if after is not None and new is not None:
        index.setdefault(after, {})[uuid] = new
    return {key for key in (before, after) if key is not None}


def _put(table: dict[_K, _V], key: _K, value: _V | None) -> bool:
    """Store a value, or forget it when None; return whether that changed anything."""
    before = table.pop(key, None)
    if value is not None:
        table[key] = value
    return before != value


def _plug(rows: list[InterfaceRow]) -> Plug:
    live = [row for row in rows if row.live]
    errors = [row.error for row in rows if not row.live and row.error and not row.prewired]
    return Plug(
        ofport=OfPort(live[0].ofport or 0) if len(live) == 1 else None,
        live=tuple(row.name for row in live),
        absent=tuple(row.name for row in rows if not row.live),
        error=errors[0] if errors and not live else None,
        link_state=live[0].link_state if len(live) == 1 else None,
    )
