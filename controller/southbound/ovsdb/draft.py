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

    def insert_port(self, name: str, interface: Row) -> None:
        """Insert a port with its one interface, to be referred to by the bridge."""
        reference = self.insert("Interface", {"name": name, **interface})
        self.new_ports.append(self.insert("Port", {"name": name, "interfaces": reference}))

    def remove_port(self, uuid: str) -> None:
        """Take a port off the bridge; the server removes rows nobody refers to (RFC 7047 section 3.2, isRoot)."""
        self._gone_ports.append(values.to_uuid(uuid))

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
        mutations: list[object] = []
        if self._gone_ports:
            mutations.append(["ports", "delete", values.to_set(self._gone_ports)])
        if self.new_ports:
            mutations.append(["ports", "insert", values.to_set(self.new_ports)])
        return mutations

    def finish(self, *, guard: BridgeRecord | None, switch_uuid: str | None = None) -> Plan:
        """Return the plan.

        ``guard``: the bridge whose controllers must still be those the plan was made from, else the transaction fails.
        """
        operations = self._inserts + self._edits
        if operations and guard:
            operations.insert(0, _unchanged_controllers(guard))
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
