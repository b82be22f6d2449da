"""How are OVSDB values written in JSON? RFC 7047 section 5.1: ``<value>``, ``<set>``, ``<map>``, ``<uuid>``.

A set of exactly one element may be written as the bare element; an optional column is a set of none or one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.southbound.ovsdb.errors import PeerError

_PAIR = 2


def elements(value: Any) -> list[Any]:
    """Return the atoms of a set, whichever way it is written.

    >>> elements(["set", [1, 2]]), elements(7), elements(["uuid", "u"])
    ([1, 2], [7], [['uuid', 'u']])

    Raises:
        PeerError: it is no value a set may have.
    """
    if not isinstance(value, list):
        return [value]
    if len(value) == _PAIR and value[0] == "set" and isinstance(value[1], list):
        return value[1]
    if len(value) == _PAIR and value[0] in {"uuid", "named-uuid"}:
        return [value]
    raise PeerError(why=f"sent {value!r} where RFC 7047 asks for a set")


def optional(value: Any) -> Any:
    """Return the only atom of a set of at most one, or None.

    Raises:
        PeerError: there is more than one.
    """
    atoms = elements(value)
    if len(atoms) > 1:
        raise PeerError(why=f"sent {value!r} where RFC 7047 asks for at most one value")
    return atoms[0] if atoms else None


def text(value: Any) -> str:
    """Return a required string.

    Raises:
        PeerError: it is none.
    """
    if not isinstance(value, str):
        raise PeerError(why=f"sent {value!r} where the schema has a string")
    return value


def integer(value: Any) -> int:
    """Return a required integer.

    Raises:
        PeerError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise PeerError(why=f"sent {value!r} where the schema has an integer")
    return value


def optional_text(value: Any) -> str | None:
    """Return an optional string; raises PeerError as ``optional`` and ``text`` do."""
    atom = optional(value)
    return None if atom is None else text(atom)


def optional_int(value: Any) -> int | None:
    """Return an optional integer; raises PeerError when it is something else."""
    atom = optional(value)
    return None if atom is None else integer(atom)


def texts(value: Any) -> frozenset[str]:
    """Return a set of strings; raises PeerError when it is something else."""
    return frozenset(text(atom) for atom in elements(value))


def ints(value: Any) -> frozenset[int]:
    """Return a set of integers; raises PeerError when it is something else."""
    return frozenset(atom for atom in map(optional_int, elements(value)) if atom is not None)


def uuids(value: Any) -> frozenset[str]:
    """Return a set of references to rows; raises PeerError when it is something else."""
    found = []
    for atom in elements(value):
        if not (isinstance(atom, list) and len(atom) == _PAIR and atom[0] == "uuid" and isinstance(atom[1], str)):
            raise PeerError(why=f"sent {atom!r} where the schema has a row's uuid")
        found.append(atom[1])
    return frozenset(found)


def text_map(value: Any) -> dict[str, str]:
    """Return a map of strings to strings; raises PeerError when it is something else."""
    if isinstance(value, list) and len(value) == _PAIR and value[0] == "map" and isinstance(value[1], list):
        pairs = value[1]
        if all(isinstance(pair, list) and len(pair) == _PAIR for pair in pairs):
            return {text(key): text(item) for key, item in pairs}
    raise PeerError(why=f"sent {value!r} where RFC 7047 asks for a map")


def to_set(atoms: Iterable[object]) -> list[object]:
    """Write a set."""
    return ["set", list(atoms)]


def to_map(pairs: Mapping[str, str]) -> list[object]:
    """Write a map, sorted so that equal maps are equal bytes."""
    return ["map", [[key, pairs[key]] for key in sorted(pairs)]]


def to_uuid(uuid: str) -> list[object]:
    """Write a reference to a row that exists."""
    return ["uuid", uuid]


def to_named_uuid(name: str) -> list[object]:
    """Write a reference to a row inserted by the same transaction."""
    return ["named-uuid", name]
