"""A northbound database in memory: as much of RFC 7047 section 5.2 as the plug-in uses, and OVN's own rules of rows."""

import copy
from collections.abc import Sequence
from typing import Any

from controller.plugins.ovn.delta import Operation
from controller.plugins.ovn.replica import Replica
from controller.plugins.ovn.rows import GARBAGE_COLLECTED, UNIQUE_NAMES
from controller.southbound.ovn.outcome import Outcome, Result
from controller.southbound.ovn.tables import NORTHBOUND

STRONG = (
    ("Logical_Switch", "ports", "Logical_Switch_Port"),
    ("Port_Group", "acls", "ACL"),
)
WEAK = (
    ("Port_Group", "ports", "Logical_Switch_Port"),
    ("Logical_Switch_Port", "dhcpv4_options", "DHCP_Options"),
    ("Logical_Switch_Port", "dhcpv6_options", "DHCP_Options"),
)
"""References by which a row is held, and those that just go (ovn-nb.ovsschema, ``refType``)."""
Tables = dict[str, dict[str, dict[str, Any]]]


class RefusedError(Exception):
    """The transaction breaks a rule; nothing of it happens."""


class Database:
    """Executes transactions at once and tells a replica."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.tables: Tables = {table: {} for table in NORTHBOUND["tables"]}
        self.transactions = 0
        self.loses_next = False
        """The next transaction is lost with the connection."""
        self.refuses: str | None = None
        """Rows with this text in a column are refused."""
        self._number = 0
        self._result: Result | None = None

    # ---- what the writer asks of it

    def send(self, operations: Sequence[Operation], comment: str) -> None:
        assert comment
        if self.loses_next:
            self.loses_next, self._result = False, Result(Outcome.AGAIN)
            return
        try:
            self.execute(operations)
        except RefusedError as error:
            self._result = Result(Outcome.REFUSED, str(error))
        else:
            self._result = Result(Outcome.DONE)

    def outcome(self) -> Result | None:
        result, self._result = self._result, None
        return result

    # ---- anybody

    def execute(self, operations: Sequence[Operation]) -> None:
        """Do all of it or nothing."""
        before = self.tables
        self.tables = copy.deepcopy(before)
        try:
            names = {
                one["uuid-name"]: self._fresh() for one in operations if one["op"] == "insert" and "uuid-name" in one
            }
            for operation in operations:
                self._execute(operation, names)
            self._collect_garbage()
            self._check()
        except RefusedError:
            self.tables = before
            raise
        self.transactions += 1
        for table, rows in self.tables.items():
            old = before[table]
            for uuid in old.keys() - rows.keys():
                self.replica.put(table, uuid, None)
            for uuid, row in rows.items():
                if old.get(uuid) != row:
                    self.replica.put(table, uuid, row)

    def _fresh(self) -> str:
        self._number += 1
        return f"uuid-{self._number:04}"

    def _execute(self, operation: Operation, names: dict[str, str]) -> None:
        table = self.tables[operation["table"]]
        if operation["op"] == "insert":
            columns = NORTHBOUND["tables"][operation["table"]]["columns"]
            row = {name: _default(column["type"]) for name, column in columns.items()}
            given = {name: self._value(value, columns[name]["type"], names) for name, value in operation["row"].items()}
            uuid = names.get(operation.get("uuid-name", "")) or self._fresh()
            table[uuid] = row | given
            return
        [[column, function, [form, name]]] = operation["where"]
        assert (column, function) == ("_uuid", "==")
        uuid = names[name] if form == "named-uuid" else name
        if uuid not in table:
            return
        match operation["op"]:
            case "delete":
                del table[uuid]
            case "update":
                columns = NORTHBOUND["tables"][operation["table"]]["columns"]
                for name, value in operation["row"].items():
                    table[uuid][name] = self._value(value, columns[name]["type"], names)
            case "mutate":
                for column, mutator, value in operation["mutations"]:
                    members = set(table[uuid][column])
                    given_members = set(self._value(value, {"max": "unlimited"}, names))
                    members = members | given_members if mutator == "insert" else members - given_members
                    table[uuid][column] = sorted(members)
            case other:
                raise AssertionError(other)

    def _value(self, value: Any, type_: Any, names: dict[str, str]) -> Any:
        if isinstance(value, list) and value[0] == "map":
            return dict(value[1])
        if isinstance(value, list) and value[0] == "set":
            return sorted((self._value(one, "atom", names) for one in value[1]), key=str)
        atom = value
        if isinstance(value, list):
            atom = names[value[1]] if value[0] == "named-uuid" else value[1]
        return [atom] if isinstance(type_, dict) else atom

    def _collect_garbage(self) -> None:
        """Refuse strong references that lead nowhere, let go of what nobody holds, and empty weak references."""
        held: dict[str, set[str]] = {table: set() for table in GARBAGE_COLLECTED}
        for table, column, child in STRONG:
            for row in self.tables[table].values():
                if set(row[column]) - self.tables[child].keys():
                    raise RefusedError("referential integrity violation")
                held[child].update(row[column])
        for table, kept in held.items():
            self.tables[table] = {uuid: row for uuid, row in self.tables[table].items() if uuid in kept}
        for table, column, child in WEAK:
            for row in self.tables[table].values():
                row[column] = [one for one in row[column] if one in self.tables[child]]

    def _check(self) -> None:
        for table in UNIQUE_NAMES:
            names = [row["name"] for row in self.tables[table].values()]
            if len(names) != len(set(names)):
                raise RefusedError("constraint violation")
        for rows in self.tables.values():
            for row in rows.values():
                if self.refuses is not None and self.refuses in str(row):
                    raise RefusedError("it is not liked")


def _default(type_: Any) -> Any:
    if type_ == "string":
        return ""
    if type_ == "integer":
        return 0
    return {} if "value" in type_ else []
