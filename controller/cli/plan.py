"""How is a plan printed? What a command with ``--plan`` would do, for people to read before they do it."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from controller.cli.output import cell, member, members, objects, print_json

_QUIET = frozenset({"updated_at", "created_at", "revision_number", "tenant_id", "members", "dns_assignment"})
"""Attributes that change with others; members of containers are named each at its own change."""


def print_plan(answer: Mapping[str, object], form: str) -> None:
    """Print the plan in an answer; as JSON all of it."""
    plan: Mapping[str, Any] = member(answer, "plan")
    if form == "json":
        print_json(plan)
        return
    sys.stdout.write("".join(f"{line}\n" for line in lines(plan)))
    sys.stdout.flush()


def lines(plan: Mapping[str, Any]) -> list[str]:
    """Return a plan in lines."""
    found = ["plan: nothing was changed", *_done_to_containers(plan.get("answer"))]
    paths = _paths(plan["affected"])
    for one in plan["affected"]:
        name = f" {cell(one['name'])}" if one.get("name") else ""
        member_of = f", {paths[one['id']]}" if one["id"] in paths else ""
        found.append(f"{one['change']} {one['type'].replace('_', ' ')}{name} ({one['id']}){member_of}")
        if one["change"] == "changed":
            for key, (old, new) in one["attributes"].items():
                found += _attribute(key, old, new) if key not in _QUIET else []
    found.append(f"ports concerned: {plan['ports']}")
    if plan.get("addresses_unknown"):
        found.append(f"addresses: {plan['addresses_unknown']}")
    found.append(f"flows: {plan['hosts_unknown'] or _count(plan['flows'])}")
    for one in plan["hosts"]:
        count = {way: one[f"flows_{way}"] for way in ("added", "modified", "deleted")}
        found.append(f"    {one['host']}: {_count(count)}")
    found += [
        f"rows of {one['plugin']}: {one['unknown'] or _count(one['rows'])}, {one['networks']} networks concerned"
        for one in plan["plugins"]
    ]
    return found + _reached(plan["connectivity"], paths)


def _done_to_containers(answer: object) -> list[str]:
    """Return which members of each container are created, changed, replaced and deleted, in lines."""
    if not isinstance(answer, Mapping):
        return []
    roll = member(answer, "roll")
    found = []
    for one in (member(answer, "container"), *members(roll, "rolled")):
        changes = members(one, "changes")
        found += [f"container {cell(one['name'] or one['id'])}:"] if changes else []
        for change in changes:
            attributes = f": {cell(change['attributes'])}" if change["attributes"] else ""
            kind = str(change["type"]).replace("_", " ")
            found.append(f"    {change['change']!s:<8} {kind} {cell(change['path'])}{attributes}")
    failed = member(roll, "failed")
    if failed:
        detail = f" ({cell(failed['detail'])})" if failed["detail"] else ""
        found.append(f"container {cell(failed['name'] or failed['id'])}: FAILED: {cell(failed['message'])}{detail}")
    left = [f"container {cell(one['name'] or one['id'])}: left, because of it" for one in members(roll, "left")]
    return found + left


def _paths(affected: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return which member of which container each object is, or was, by its id."""
    return {
        inside["id"]: f"{cell(inside['path'])} of container {cell(one['name'] or one['id'])}"
        for one in affected
        if one["type"] == "container"
        for side in one["attributes"].get("members", ())
        for inside in side or ()
    }


def _attribute(name: str, old: object, new: object) -> list[str]:
    """Return what becomes of an attribute; of several objects those that go (-) and those that come (+)."""
    before, after = objects(old), objects(new)
    if max(len(before), len(after)) < 2:  # noqa: PLR2004 - one object has room on a line
        return [f"    {name}: {cell(old)} -> {cell(new)}"]
    gone = [f"        - {cell(item)}" for item in before if item not in after]
    come = [f"        + {cell(item)}" for item in after if item not in before]
    return [f"    {name}:{'' if gone or come else ' in another order'}", *gone, *come]


def _count(count: Mapping[str, int]) -> str:
    return f"{count['added']} added, {count['modified']} modified, {count['deleted']} deleted"


def _reached(ways: Mapping[str, Any], paths: Mapping[str, str]) -> list[str]:
    def end(one: Mapping[str, Any], which: str) -> str:
        """Return how people call a port: by its place in a container, its name, or its id."""
        return paths.get(one[which]) or (cell(one[f"{which}_name"]) if one[f"{which}_name"] else str(one[which]))

    if ways["unknown"]:
        return [f"connectivity: {ways['unknown']}"]
    found = [f"connectivity: {ways['pairs_gained']} gained, {ways['pairs_lost']} lost (ordered pairs of ports)"]
    for sign, named in (("+", ways["gained"]), ("-", ways["lost"])):
        found += [
            f"    {sign} {end(one, 'from')} -> {end(one, 'to')}: {one['ethertype']} {', '.join(one['protocols'])}"
            for one in named
        ]
    return found + (["    ... and others"] if ways["truncated"] else [])
