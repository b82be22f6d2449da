"""How is a plan printed? What a command with ``--plan`` would do, for people to read before they do it."""

import sys
from collections.abc import Mapping
from typing import Any

from controller.cli.output import cell, member, print_json

_QUIET = frozenset({"updated_at", "created_at", "revision_number", "tenant_id"})
"""Attributes that change with every other one."""


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
    found = ["plan: nothing was changed"]
    for one in plan["affected"]:
        name = f" {cell(one['name'])}" if one.get("name") else ""
        found.append(f"{one['change']} {one['type'].replace('_', ' ')}{name} ({one['id']})")
        if one["change"] == "changed":
            changed = [(key, pair) for key, pair in one["attributes"].items() if key not in _QUIET]
            found += [f"    {key}: {cell(old)} -> {cell(new)}" for key, (old, new) in changed]
    found.append(f"ports concerned: {plan['ports']}")
    found.append(f"flows: {plan['hosts_unknown'] or _count(plan['flows'])}")
    for one in plan["hosts"]:
        count = {way: one[f"flows_{way}"] for way in ("added", "modified", "deleted")}
        found.append(f"    {one['host']}: {_count(count)}")
    found += [
        f"rows of {one['plugin']}: {one['unknown'] or _count(one['rows'])}, {one['networks']} networks concerned"
        for one in plan["plugins"]
    ]
    return found + _reached(plan["connectivity"])


def _count(count: Mapping[str, int]) -> str:
    return f"{count['added']} added, {count['modified']} modified, {count['deleted']} deleted"


def _reached(ways: Mapping[str, Any]) -> list[str]:
    if ways["unknown"]:
        return [f"connectivity: {ways['unknown']}"]
    found = [f"connectivity: {ways['pairs_gained']} gained, {ways['pairs_lost']} lost (ordered pairs of ports)"]
    for sign, named in (("+", ways["gained"]), ("-", ways["lost"])):
        found += [
            f"    {sign} {one['from']} -> {one['to']} {one['ethertype']} {', '.join(one['protocols'])}" for one in named
        ]
    return found + (["    ... and others"] if ways["truncated"] else [])
