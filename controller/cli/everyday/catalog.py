"""Which resources, attributes and actions are there to type? Read from ``resources.json``, which is generated.

The file is written by ``scripts/docs`` from the API's attribute map (``api.command_map``), and checked by it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("resources.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One thing to give: an attribute, or a key of one."""

    name: str
    option: str
    kind: str
    """text, integer, boolean, list (of text), record or records (key=value,...), object."""
    doc: str = ""
    choices: tuple[str, ...] = ()
    refers: str | None = None
    """The collection whose objects it names."""
    keys: tuple["Value", ...] = ()
    create: bool = False
    required: bool = False
    set: bool = False
    filter: bool = False
    sort: bool = False
    null: bool = False
    derived_from: str | None = None
    means_something: bool = False
    """Left out of a creation it is not simply null or empty, so that this may have to be said."""

    @property
    def dest(self) -> str:
        """Where argparse keeps it; attributes may be called like options of a verb."""
        return f"value:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something else one object can be told to do."""

    verb: str
    path: str
    doc: str
    attributes: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """One resource."""

    noun: str
    member: str
    collection: str
    path: str
    doc: str
    creates: bool
    changes: bool
    deletes: bool
    columns: tuple[str, ...]
    delete_options: tuple[str, ...]
    filters: tuple[str, ...]
    attributes: tuple[Value, ...]
    actions: tuple[Action, ...]

    @property
    def words(self) -> str:
        """The resource in a sentence."""
        return self.member.replace("_", " ")

    @property
    def many(self) -> str:
        """Several of them in a sentence."""
        return self.collection.replace("_", " ")

    def has(self, name: str) -> bool:
        """Say whether there is an attribute of that name."""
        return any(one.name == name for one in self.attributes)


class Catalog:
    """The nouns, each made only when it is asked for."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._by_noun = {one["noun"]: one for one in described["resources"]}
        self._by_collection = {one["collection"]: one for one in described["resources"]}

    def nouns(self) -> dict[str, str]:
        """Return what each noun is."""
        return {noun: str(one["doc"]) for noun, one in self._by_noun.items()}

    def noun(self, noun: str) -> Noun:
        """Return one by the word that is typed."""
        return _noun(self._by_noun[noun])

    def collection(self, collection: str) -> Noun:
        """Return one by its collection."""
        return _noun(self._by_collection[collection])


def load() -> Catalog:
    """Return what the installed file says."""
    return Catalog(json.loads(_FILE.read_text(encoding="utf-8")))


def _noun(one: Mapping[str, Any]) -> Noun:
    return Noun(
        noun=one["noun"],
        member=one["member"],
        collection=one["collection"],
        path=one["path"],
        doc=one["doc"],
        creates=one["creates"],
        changes=one["changes"],
        deletes=one["deletes"],
        columns=tuple(one["columns"]),
        delete_options=tuple(one["delete_options"]),
        filters=tuple(one["filters"]),
        attributes=tuple(_value(value) for value in one["attributes"]),
        actions=tuple(
            Action(
                verb=action["verb"],
                path=action["path"],
                doc=action["doc"],
                attributes=tuple(_value(value) for value in action["attributes"]),
            )
            for action in one["actions"]
        ),
    )


def _value(one: Mapping[str, Any]) -> Value:
    lists = {"choices": tuple(one.get("choices", ())), "keys": tuple(_value(key) for key in one.get("keys", ()))}
    return Value(**{**one, **lists})
