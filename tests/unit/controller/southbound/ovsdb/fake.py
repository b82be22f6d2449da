"""What would an OVSDB server make of a transaction? RFC 7047 section 5.2, as far as Weft's operations need it.

The laboratory (tests/lab_ovsdb) runs the same plans against a real server.
"""

import copy
import itertools
import json
from typing import Any

from controller.southbound.ovsdb.records import COLUMNS, Kind
from controller.southbound.ovsdb.replica import Replica

_EMPTY_SET: list[Any] = ["set", []]
_EMPTY_MAP: list[Any] = ["map", []]
_SCALARS: dict[str, Any] = {"name": "", "type": "", "target": "", "datapath_type": "", "next_cfg": 0, "cur_cfg": 0}
_MAPS = {"external_ids", "other_config", "options"}
_OWNERS = {"Port": ("Bridge", "ports"), "Interface": ("Port", "interfaces"), "Controller": ("Bridge", "controller")}


class FakeDatabase:
    """Rows in wire form."""

    def __init__(self, *, initialised: bool = True) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in COLUMNS}
        self._numbers = itertools.count(1)
        self.root = self.add("Open_vSwitch", datapath_types=["set", ["netdev", "system"]]) if initialised else ""

    def add(self, table: str, **row: Any) -> str:
        """Put a row in, as somebody else would; returns its uuid."""
        uuid = f"{table.lower()}-{next(self._numbers)}"
        self.tables[table][uuid] = {column: copy.deepcopy(_default(column)) for column in COLUMNS[table]} | row
        return uuid

    def add_bridge(self, name: str = "br-int", **row: Any) -> str:
        bridge = self.add("Bridge", name=name, **row)
        self.add_port(bridge, name, type="internal")
        return bridge

    def add_port(self, bridge: str, name: str, *, port: dict[str, Any] | None = None, **interface: Any) -> str:
        """Plug an interface; returns the uuid of its Interface row."""
        uuid = self.add("Interface", name=name, **interface)
        reference = ["uuid", self.add("Port", name=name, interfaces=["uuid", uuid], **(port or {}))]
        row = self.tables["Bridge"][bridge]
        row["ports"] = ["set", [*_atoms(row["ports"]), reference]]
        return uuid

    def replica(self) -> Replica:
        """What a client sees that begins to monitor now."""
        replica = Replica()
        replica.apply_differences(self.initial())
        return replica

    def initial(self) -> dict[str, Any]:
        """Every row, as ``<table-updates2>`` without the columns that have their default."""
        return self.differences({table: {} for table in COLUMNS}, begin="initial")

    def differences(self, before: dict[str, dict[str, dict[str, Any]]], begin: str = "insert") -> dict[str, Any]:
        """What became of the rows of an earlier copy of ``tables``, as ``<table-updates2>``."""
        updates: dict[str, Any] = {}
        for table, rows in self.tables.items():
            for uuid in before[table].keys() | rows.keys():
                old, new = before[table].get(uuid), rows.get(uuid)
                if new is None:
                    updates.setdefault(table, {})[uuid] = {"delete": None}
                elif old is None:
                    row = {column: new[column] for column in COLUMNS[table] if new[column] != _default(column)}
                    updates.setdefault(table, {})[uuid] = {begin: row}
                elif modified := _modified(table, old, new):
                    updates.setdefault(table, {})[uuid] = {"modify": modified}
        return dict(json.loads(json.dumps(updates)))

    def wholes(self) -> dict[str, Any]:
        """Every row, as ``<table-updates>`` of RFC 7047."""
        rows = {table: {uuid: {"new": row} for uuid, row in found.items()} for table, found in self.tables.items()}
        return dict(json.loads(json.dumps(rows)))

    def row(self, table: str, name: str) -> dict[str, Any] | None:
        return next((row for row in self.tables[table].values() if row["name"] == name), None)

    def transact(self, operations: tuple[dict[str, Any], ...]) -> None:
        """Do a transaction; raises AssertionError where a server would refuse it."""
        before = copy.deepcopy(self.tables)
        names: dict[str, str] = {}
        pending = json.loads(json.dumps(list(operations)))
        for operation in pending:
            if operation["op"] == "insert":
                names[operation["uuid-name"]] = f"{operation['table'].lower()}-{next(self._numbers)}"
        for operation in pending:
            self._do(_resolve(operation, names), names)
        self._collect_garbage()
        for table in ("Bridge", "Port", "Interface"):
            found = [row["name"] for row in self.tables[table].values()]
            if len(found) != len(set(found)):
                self.tables = before
                raise AssertionError(f"constraint violation: {table} names {found}")

    def _do(self, operation: dict[str, Any], names: dict[str, str]) -> None:
        rows = self.tables[operation["table"]]
        if operation["op"] == "insert":
            defaults = {column: copy.deepcopy(_default(column)) for column in COLUMNS[operation["table"]]}
            rows[names[operation["uuid-name"]]] = defaults | operation["row"]
            return
        ((_, _, (_, uuid)),) = operation["where"]
        row = rows[uuid]
        if operation["op"] == "update":
            assert operation["row"].keys() <= row.keys()
            row.update(operation["row"])
        elif operation["op"] == "mutate":
            for column, mutator, argument in operation["mutations"]:
                row[column] = _mutated(row.get(column, _EMPTY_SET), mutator, argument)
        elif operation["op"] == "wait":
            for column in operation["columns"]:
                assert _key(_atoms(row[column])) == _key(_atoms(operation["rows"][0][column])), "timed out"
        else:
            raise AssertionError(f"unknown operation {operation}")

    def _collect_garbage(self) -> None:
        """Drop rows nobody refers to, owners first."""
        for table in ("Controller", "Port", "Interface"):
            owner, column = _OWNERS[table]
            used = {atom[1] for row in self.tables[owner].values() for atom in _atoms(row[column])}
            self.tables[table] = {uuid: row for uuid, row in self.tables[table].items() if uuid in used}


def to_map(**pairs: str) -> list[Any]:
    return ["map", [[key.replace("_", "-"), value] for key, value in pairs.items()]]


def _default(column: str) -> Any:
    if column in _MAPS:
        return _EMPTY_MAP
    return _SCALARS.get(column, _EMPTY_SET)


def _modified(table: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """ovsdb-server(7) section 4.1.14, the modify update."""
    modified = {}
    for column in COLUMNS[table]:
        kind, value = COLUMNS[table][column].kind, new[column]
        if kind is Kind.MAP:
            before, after = dict(map(tuple, old[column][1])), dict(map(tuple, value[1]))
            pairs = [[k, after.get(k, v)] for k, v in (before | after).items() if before.get(k) != after.get(k)]
            difference: Any = ["map", pairs]
        elif kind is Kind.SET:
            atoms, others = _atoms(value), _atoms(old[column])
            only = [a for a in atoms if a not in others] + [a for a in others if a not in atoms]
            pairs, difference = only, ["set", only]
        else:
            pairs, difference = [0] if value != old[column] else [], value
        if pairs:
            modified[column] = difference
    return modified


def _resolve(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        if len(value) == 2 and value[0] == "named-uuid":
            return ["uuid", names[value[1]]]
        return [_resolve(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _resolve(item, names) for key, item in value.items()}
    return value


def _atoms(value: Any) -> list[Any]:
    if isinstance(value, list) and value and value[0] == "set":
        return list(value[1])
    return [value]


def _key(atoms: list[Any]) -> list[str]:
    return sorted(map(json.dumps, atoms))


def _mutated(value: Any, mutator: str, argument: Any) -> Any:
    if mutator == "+=":
        return value + argument
    if isinstance(value, list) and value and value[0] == "map":
        pairs = dict(map(tuple, value[1]))
        if mutator == "delete":
            pairs = {key: item for key, item in pairs.items() if key not in _atoms(argument)}
        else:
            pairs = dict(map(tuple, argument[1])) | pairs
        return ["map", [[key, item] for key, item in pairs.items()]]
    atoms = _atoms(value)
    if mutator == "delete":
        return ["set", [atom for atom in atoms if atom not in _atoms(argument)]]
    return ["set", atoms + [atom for atom in _atoms(argument) if atom not in atoms]]
