"""What is a row of the northbound database, as Weft wants it or found it?

A row is known by Weft's own key, never by its uuid: the key stands in ``external_ids`` beside the mark of the
deployment, so that rows of others are told apart from ours. Values are canonical: a set of atoms is a frozenset, a map
is a mapping, an optional column is a set of at most one. Being in a set column of another row (a port in its switch) is
said by the member, because that is what changes: a switch with ten thousand ports is not compared for each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType

RowKey = NewType("RowKey", str)
"""Names a row of ours in the whole database, for example ``port/ID``."""
Atom = str | int | bool

OWNER, KEY = "weft:owner", "weft:key"
"""Keys in ``external_ids`` (ovn-nb(5), Common Columns)."""
MARK = "weft:"


class Form(Enum):
    """What a column holds."""

    SCALAR = "scalar"
    SET = "set"
    MAP = "map"
    REFERENCE = "reference"
    """At most one row of ours, by its key."""


@dataclass(frozen=True, slots=True)
class Member:
    """A place in a set column of another row of ours."""

    table: str
    """Of the parent."""
    parent: RowKey
    column: str


Value = Atom | frozenset[Atom] | Mapping[str, str] | RowKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as it should be."""

    table: str
    key: RowKey
    columns: Mapping[str, Value]
    """Columns left out have their default."""
    members: frozenset[Member] = frozenset()
    external_ids: Mapping[str, str] = field(default_factory=dict)
    """For readers (``ovn-nbctl``), beside owner and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """One row of ours as it is."""

    uuid: str
    table: str
    key: RowKey
    columns: Mapping[str, Value]
    """A reference to a row that is not ours is ``FOREIGN``."""
    members: frozenset[Member]
    external_ids: Mapping[str, str]


FOREIGN = RowKey("?")

COLUMNS: Mapping[str, Mapping[str, Form]] = {
    "Logical_Switch": {"name": Form.SCALAR, "other_config": Form.MAP},
    "Logical_Switch_Port": {
        "name": Form.SCALAR,
        "type": Form.SCALAR,
        "options": Form.MAP,
        "addresses": Form.SET,
        "port_security": Form.SET,
        "enabled": Form.SET,
        "tag": Form.SET,
        "dhcpv4_options": Form.REFERENCE,
        "dhcpv6_options": Form.REFERENCE,
    },
    "DHCP_Options": {"cidr": Form.SCALAR, "options": Form.MAP},
    "Port_Group": {"name": Form.SCALAR},
    "ACL": {
        "direction": Form.SCALAR,
        "priority": Form.SCALAR,
        "match": Form.SCALAR,
        "action": Form.SCALAR,
    },
    "Address_Set": {"name": Form.SCALAR, "addresses": Form.SET},
}
"""What Weft writes; other columns of these tables are left alone."""
DEFAULTS: Mapping[Form, Value] = {Form.SCALAR: "", Form.SET: frozenset(), Form.MAP: {}, Form.REFERENCE: None}
CHILDREN: Mapping[str, Mapping[str, str]] = {
    "Logical_Switch": {"ports": "Logical_Switch_Port"},
    "Port_Group": {"ports": "Logical_Switch_Port", "acls": "ACL"},
}
"""Set columns of rows, and the table of their members."""
GARBAGE_COLLECTED = frozenset({"Logical_Switch_Port", "ACL"})
"""Tables whose rows go when nobody refers to them (RFC 7047 section 3.2, ``isRoot``; ovn-nb.ovsschema)."""
UNIQUE_NAMES = frozenset({"Logical_Switch_Port", "Port_Group", "Address_Set"})
"""Tables with an index on ``name`` (ovn-nb.ovsschema)."""


def value_of(columns: Mapping[str, Value], column: str, form: Form) -> Value:
    """Return a column's value, its default where it is left out."""
    return columns.get(column, DEFAULTS[form])


def references(row: Row) -> frozenset[RowKey]:
    """Return the keys of the rows that a row needs to be there."""
    forms = COLUMNS[row.table]
    refers = {
        RowKey(str(value))
        for column, value in row.columns.items()
        if forms[column] is Form.REFERENCE and value is not None
    }
    return frozenset(refers | {member.parent for member in row.members})
