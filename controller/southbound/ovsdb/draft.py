"""Which operations make one transaction? RFC 7047 section 5.2 operations, collected while a plan is being made.

Sets and maps are mutated, not overwritten, so that what others write into them at the same moment survives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.records import BridgeRecord

Operation = dict[str, object]
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One sentence about one place (``desired.SETTINGS`` or a device name)."""

    place: str
    text: str
    is_life: bool = False
    """It follows from a device that came or went: nobody changed a row of Weft's."""
    may_wait: bool = False
    """Nothing depends on it soon: every change of ports makes ovs-vswitchd look at all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send so that the planned places become as desired; nothing to send when ``operations`` is empty."""

    places: frozenset[str] = frozenset()
    """What was looked at."""
    operations: tuple[Operation, ...] = ()
    changes: tuple[Note, ...] = ()
    problems: tuple[Note, ...] = ()
    """What is desired but not planned."""
    in_place: frozenset[str] = frozenset()
    """Those of the places that are as desired by a row of Weft's own."""
    is_refused: bool = False
    """Nothing at all may be written; the problem says why."""
    must_settle: bool = False
    """ovs-vswitchd must have taken the transaction in before the next one is sent."""


@dataclass(slots=True)
class _OtherBridge:
    """What the transaction does to the ports of a bridge that is not ours."""

    record: BridgeRecord
    new_ports: list[object] = field(default_factory=list)
    gone_ports: list[object] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """A plan in the making."""

    places: frozenset[str] = frozenset()
    changes: list[Note] = field(default_factory=list)
    problems: list[Note] = field(default_factory=list)
    in_place: set[str] = field(default_factory=set)
    must_settle: bool = False
    new_ports: list[object] = field(default_factory=list)
    """References to the Port rows this transaction inserts."""
    _inserts: list[Operation] = field(default_factory=list)
    _edits: list[Operation] = field(default_factory=list)
    _gone_ports: list[object] = field(default_factory=list)
    _elsewhere: dict[str, "_OtherBridge"] = field(default_factory=dict)
    """By the uuid of a bridge that is not ours."""

    def change(self, place: str, text: str, *, is_life: bool = False, may_wait: bool = False) -> None:
        """Note what changes of a place."""
        self.changes.append(Note(place=place, text=text, is_life=is_life, may_wait=may_wait))

    def problem(self, place: str, text: str) -> None:
        """Note what keeps a place from being as desired."""
        self.problems.append(Note(place=place, text=text))

    def insert(self, table: str, row: Row) -> list[object]:
        """Insert a row and return the reference to it."""
        name = f"row{len(self._inserts)}"
        self._inserts.append({"op": "insert", "table": table, "uuid-name": name, "row": row})
        return values.to_named_uuid(name)

    def insert_port(self, name: str, interface: Row, *, other: BridgeRecord | None = None) -> None:
        """Insert a port with its one interface, to be referred to by our bridge or by another one."""
        reference = self.insert("Interface", {"name": name, **interface})
        ports = self._other(other).new_ports if other else self.new_ports
        ports.append(self.insert("Port", {"name": name, "interfaces": reference}))

    def remove_port(self, uuid: str, *, other: BridgeRecord | None = None) -> None:
        """Take a port off its bridge; the server removes rows nobody refers to (RFC 7047 section 3.2, isRoot)."""
        ports = self._other(other).gone_ports if other else self._gone_ports
        ports.append(values.to_uuid(uuid))

    def take_port(self, uuid: str, *, other: BridgeRecord) -> None:
        """Move a port with its interfaces from another bridge to ours: off the one and on the other at once."""
        self._other(other).gone_ports.append(values.to_uuid(uuid))
        self.new_ports.append(values.to_uuid(uuid))

    def give_port(self, uuid: str, *, other: BridgeRecord) -> None:
        """Move a port with its interfaces from our bridge to another."""
        self._gone_ports.append(values.to_uuid(uuid))
        self._other(other).new_ports.append(values.to_uuid(uuid))

    def _other(self, bridge: BridgeRecord) -> _OtherBridge:
        return self._elsewhere.setdefault(bridge.uuid, _OtherBridge(bridge))

    def update(self, table: str, uuid: str, row: Row) -> None:
        """Set columns of a row."""
        self._edits.append({"op": "update", "table": table, "where": where(uuid), "row": row})

    def mutate(self, table: str, uuid: str, mutations: list[object]) -> None:
        """Change columns of a row by what is in them."""
        self._edits.append({"op": "mutate", "table": table, "where": where(uuid), "mutations": mutations})

    def set_keys(self, table: str, uuid: str, column: str, pairs: Mapping[str, str]) -> None:
        """Set some keys of a map; insert alone would leave a key that is there as it is (RFC 7047 section 5.1)."""
        insert = [column, "insert", values.to_map(pairs)]
        self.mutate(table, uuid, [[column, "delete", values.to_set(sorted(pairs))], insert])

    def port_mutations(self) -> list[object]:
        """Return what brings the bridge's set of ports up to date."""
        return _port_mutations(self._gone_ports, self.new_ports)

    def finish(self, *, guard: BridgeRecord | None, switch_uuid: str | None = None) -> Plan:
        """Return the plan.

        ``guard``: the bridge whose controllers must still be those the plan was made from, else the transaction fails.
        """
        for uuid, other in self._elsewhere.items():
            self.mutate("Bridge", uuid, _port_mutations(other.gone_ports, other.new_ports))
        operations = self._inserts + self._edits
        unchanged = [_unchanged_type(other.record) for other in self._elsewhere.values() if other.new_ports]
        if operations and guard:
            unchanged.append(_unchanged_controllers(guard))
        operations = unchanged + operations
        if operations and self.must_settle and switch_uuid:
            raise_cfg: Operation = {"op": "mutate", "table": "Open_vSwitch", "where": where(switch_uuid)}
            operations.append({**raise_cfg, "mutations": [["next_cfg", "+=", 1]]})
        return Plan(
            operations=tuple(operations),
            places=self.places,
            changes=tuple(self.changes),
            problems=tuple(self.problems),
            in_place=frozenset(self.in_place),
            must_settle=self.must_settle,
        )


def where(uuid: str) -> list[object]:
    """Return the condition that selects one row."""
    return [["_uuid", "==", values.to_uuid(uuid)]]


def missing(wanted: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    """Return the pairs of ``wanted`` that ``present`` does not have."""
    return {key: value for key, value in wanted.items() if present.get(key) != value}


def _port_mutations(gone: list[object], new: list[object]) -> list[object]:
    mutations: list[object] = []
    if gone:
        mutations.append(["ports", "delete", values.to_set(gone)])
    if new:
        mutations.append(["ports", "insert", values.to_set(new)])
    return mutations


def _unchanged_type(bridge: BridgeRecord) -> Operation:
    """Let the transaction fail when a bridge has gone meanwhile, or has become one our ports do not fit."""
    return {
        "op": "wait",
        "timeout": 0,
        "table": "Bridge",
        "where": where(bridge.uuid),
        "columns": ["datapath_type"],
        "until": "==",
        "rows": [{"datapath_type": bridge.datapath_type}],
    }


def _unchanged_controllers(bridge: BridgeRecord) -> Operation:
    controllers = values.to_set(values.to_uuid(uuid) for uuid in sorted(bridge.controller))
    return {
        "op": "wait",
        "timeout": 0,
        "table": "Bridge",
        "where": where(bridge.uuid),
        "columns": ["controller"],
        "until": "==",
        "rows": [{"controller": controllers}],
    }
