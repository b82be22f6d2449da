"""How is a plan written? What ``?plan=true`` answers, as JSON and as its schema."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from api.schema import BOOLEAN, INTEGER, TEXT, Schema, array, or_null, record
from controller.planning.connectivity import Connectivity, Reach
from controller.planning.preview import Count, HostDelta, Preview
from controller.planning.realised import PluginDelta

PARAMETER = "plan"
MUTATING = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_COUNT = record({"added": INTEGER, "modified": INTEGER, "deleted": INTEGER}, required=("added", "modified", "deleted"))
_HOST = record(
    {
        "host": TEXT,
        "flows_added": INTEGER,
        "flows_modified": INTEGER,
        "flows_deleted": INTEGER,
        "groups": _COUNT,
        "meters": _COUNT,
    }
)
_REACH = record(
    {
        "from": TEXT,
        "from_name": TEXT,
        "to": TEXT,
        "to_name": TEXT,
        "ethertype": {"enum": ["IPv4", "IPv6"]},
        "protocols": array(TEXT),
    },
    required=("from", "to", "ethertype", "protocols"),
)
_CHANGE = record(
    {
        "type": TEXT,
        "id": TEXT,
        "name": or_null(TEXT),
        "change": {"enum": ["created", "changed", "deleted"]},
        "attributes": {"type": "object", "additionalProperties": {"type": "array", "minItems": 2, "maxItems": 2}},
    }
)
_PLUGIN = record({"plugin": TEXT, "networks": INTEGER, "rows": or_null(_COUNT), "unknown": or_null(TEXT)})
SCHEMA: Schema = record(
    {
        "plan": record(
            {
                "action": TEXT,
                "status": INTEGER,
                "answer": {},
                "affected": array(_CHANGE),
                "addresses_unknown": or_null(TEXT),
                "ports": INTEGER,
                "flows": or_null(_COUNT),
                "hosts": array(_HOST),
                "hosts_unknown": or_null(TEXT),
                "plugins": array(_PLUGIN),
                "connectivity": record(
                    {
                        "gained": array(_REACH),
                        "lost": array(_REACH),
                        "pairs_gained": INTEGER,
                        "pairs_lost": INTEGER,
                        "truncated": BOOLEAN,
                        "unknown": or_null(TEXT),
                    }
                ),
            },
            required=("action", "status", "affected", "ports", "hosts", "connectivity"),
        )
    },
    required=("plan",),
)
"""The answer to any request with ``plan=true`` that would succeed."""
DOC = "Only say what this would do: objects, flows and connectivity before and after. Nothing is stored."


Views = Mapping[tuple[str, str], Mapping[str, Any]]
"""What a caller sees of objects, by type and id."""


def affected(was: Views, now: Views) -> Iterator[dict[str, object]]:
    """Yield what differs between two looks at some objects: each attribute with its old and its new value."""
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key), now.get(key)
        names = sorted({*(old or {}), *(new or {})})
        values = {name: [(old or {}).get(name), (new or {}).get(name)] for name in names}
        changed = {name: pair for name, pair in values.items() if pair[0] != pair[1]}
        if changed or old is None or new is None:
            yield {
                "type": key[0],
                "id": key[1],
                "name": (new or old or {}).get("name"),
                "change": "created" if old is None else "deleted" if new is None else "changed",
                "attributes": changed,
            }


def flows(found: Preview) -> dict[str, object]:
    """Return what switches would be sent; host by host is added for those who may see hosts."""
    total = Count(
        added=sum(one.flows.added for one in found.hosts),
        modified=sum(one.flows.modified for one in found.hosts),
        deleted=sum(one.flows.deleted for one in found.hosts),
    )
    return {"flows": None if found.unknown else asdict(total), "hosts": [], "hosts_unknown": found.unknown}


def hosts(found: Iterable[HostDelta]) -> list[dict[str, object]]:
    """Return what each switch would be sent."""
    return [
        {
            "host": one.host,
            "flows_added": one.flows.added,
            "flows_modified": one.flows.modified,
            "flows_deleted": one.flows.deleted,
            "groups": asdict(one.groups),
            "meters": asdict(one.meters),
        }
        for one in found
    ]


def pairs(found: Connectivity, names: Mapping[str, str]) -> dict[str, object]:
    """Return who gains and who loses what, pair by pair where the caller sees both ports.

    Args:
        found: who may talk to whom, before and after.
        names: of the ports the caller sees, by id.
    """
    gained = [_reach(one, names) for one in found.gained if {one.source, one.target} <= names.keys()]
    lost = [_reach(one, names) for one in found.lost if {one.source, one.target} <= names.keys()]
    return {
        "gained": gained,
        "lost": lost,
        "pairs_gained": found.pairs_gained,
        "pairs_lost": found.pairs_lost,
        "truncated": len(gained) < found.pairs_gained or len(lost) < found.pairs_lost,
        "unknown": found.unknown,
    }


def plugins(found: Iterable[PluginDelta]) -> list[dict[str, object]]:
    """Return what other plug-ins would be asked for."""
    return [
        {
            "plugin": one.plugin,
            "networks": one.networks,
            "rows": None if one.rows is None else asdict(one.rows),
            "unknown": one.unknown,
        }
        for one in found
    ]


def _reach(one: Reach, names: Mapping[str, str]) -> dict[str, object]:
    ends = {"from": one.source, "from_name": names[one.source], "to": one.target, "to_name": names[one.target]}
    return {**ends, "ethertype": one.ethertype, "protocols": list(one.protocols)}
