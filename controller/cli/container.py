"""What can be typed after ``weft container`` and ``weft container-flavor`` besides the everyday verbs?"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from controller.cli.client import Client, CommandFailed, add_options, add_plan
from controller.cli.everyday import options
from controller.cli.everyday.catalog import load
from controller.cli.everyday.names import Names
from controller.cli.output import member, print_fields, print_json, print_table
from controller.cli.plan import print_plan

FAILED = 1
FLAVORS, CONTAINERS = "container_flavors", "containers"
FLAVOR_VERBS = ("create", "roll")
CONTAINER_VERBS = ("add-member", "remove-member")
"""Verbs that are made here, not of the attributes."""
_TYPES = {
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "security_group": "security_groups",
    "security_group_rule": "security_group_rules",
    "vnic": "vnics",
}
_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse names no other
_DOCS = {
    "container": "networks, ports, groups and vNICs that are made, changed and deleted together",
    "container-flavor": "versioned templates from which containers are made",
}


def add_commands(commands: _Verbs) -> dict[str, _Verbs]:
    """Add both nouns with the commands made here; return their verbs, to which the everyday ones are added."""
    groups = {}
    for noun, doc in _DOCS.items():
        parser = commands.add_parser(noun, help=doc, description=doc)
        groups[noun] = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_flavor_verbs(groups["container-flavor"])
    _add_container_verbs(groups["container"])
    return groups


def _add_flavor_verbs(verbs: _Verbs) -> None:
    summary = "add a flavor, or the next version of one, from a file"
    create = verbs.add_parser("create", help=summary, description=summary)
    create.add_argument("name", metavar="NAME", help="the flavor; all its versions have it")
    create.add_argument("--template", metavar="FILE", required=True, help="YAML or JSON; - reads standard input")
    create.add_argument("--description", help="text for people; left out, the template's")
    create.add_argument("--project", metavar="PROJECT", help="the project that owns it")
    create.add_argument("--public", action="store_true", help="every project may make containers of it")
    create.set_defaults(run=_create_flavor)
    summary = "give this version to every container of the flavor, until one cannot have it"
    roll = verbs.add_parser("roll", help=summary, description=summary)
    target = roll.add_argument("target", metavar="NAME[:VERSION]", help="without a version, the newest")
    options.complete(target, FLAVORS)
    roll.set_defaults(run=_roll)
    for parser in (create, roll):
        add_plan(parser)
        add_options(parser)


def _add_container_verbs(verbs: _Verbs) -> None:
    summary = "what others did to its members: missing, changed, foreign"
    drift = verbs.add_parser("drift", help=summary, description=summary)
    drift.set_defaults(run=_drift)
    group = verbs.add_parser("member", help="add or remove one member")
    changes = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = changes.add_parser("add", help="add an object there is, or a new one")
    remove = changes.add_parser("remove", help="let go of a member that was added")
    for parser in (drift, add, remove):
        options.complete(parser.add_argument("target", metavar="CONTAINER", help="name or id"), CONTAINERS)
        if parser is not drift:
            add_plan(parser)
        add_options(parser)
    add.add_argument("type", choices=list(_TYPES))
    add.add_argument("name", metavar="NAME", help="its path will be added/NAME")
    how = add.add_mutually_exclusive_group(required=True)
    how.add_argument("--object", metavar="OBJECT", help="name or id of an object there is")
    how.add_argument(
        "--property",
        action="append",
        type=options.pair,
        metavar="KEY=VALUE",
        help="an attribute of a new one; may be repeated",
    )
    add.set_defaults(run=_add_member)
    remove.add_argument("member", metavar="MEMBER", help="its path, or the object's id")
    remove.add_argument("--delete", action="store_true", help="delete the object, too")
    remove.set_defaults(run=_remove_member)


def _create_flavor(args: argparse.Namespace) -> int:
    try:
        text = sys.stdin.read() if args.template == "-" else Path(args.template).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"cannot read {args.template}: {error}") from error
    wanted: dict[str, object] = {"name": args.name, "template_yaml": text, "public": args.public}
    wanted |= {"description": args.description} if args.description is not None else {}
    wanted |= {"project_id": args.project} if args.project else {}
    answer = Client(args.url, plan=args.plan).post("container-flavors", body={"container_flavor": wanted})
    if args.plan:
        print_plan(answer, args.format)
        return 0
    made = member(answer, "container_flavor")
    if args.format == "json":
        print_json(made)
    else:
        print_fields([(name, made.get(name)) for name in ("id", "name", "version", "description", "public")])
    return 0


def _roll(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=args.plan)
    flavor_id = Names(client, load()).id(FLAVORS, args.target)
    answer = client.put("container-flavors", flavor_id, "roll")
    done = member(member(answer, "plan"), "answer") if args.plan else answer
    roll: dict[str, Any] = dict(member(done, "roll"))
    failed = roll["failed"]
    if args.plan:
        print_plan(answer, args.format)
    elif args.format == "json":
        print_json(roll)
    else:
        rows = [[one["id"], one["name"], "rolled", _counted(one["changes"])] for one in roll["rolled"]]
        rows += [[failed["id"], failed["name"], "FAILED", _told(failed)]] if failed else []
        rows += [[one["id"], one["name"], "left", ""] for one in roll["left"]]
        print_table(["ID", "NAME", "", "CHANGES"], rows)
    return FAILED if failed else 0


def _told(failed: Mapping[str, str]) -> str:
    return f"{failed['message']} ({failed['detail']})" if failed["detail"] else failed["message"]


def _counted(changes: Sequence[Mapping[str, object]]) -> str:
    kinds = [str(one["change"]) for one in changes]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"


def _drift(args: argparse.Namespace) -> int:
    client = Client(args.url)
    container_id = Names(client, load()).id(CONTAINERS, args.target)
    drift: dict[str, Any] = dict(member(client.get("containers", container_id, "drift"), "drift"))
    if args.format == "json":
        print_json(drift)
        return 0
    rows = [["missing", one["path"], one["type"], one["id"], ""] for one in drift["missing"]]
    rows += [
        ["changed", one["path"], one["type"], one["id"], f"{name}: {json.dumps(was)} -> {json.dumps(now)}"]
        for one in drift["changed"]
        for name, (was, now) in one["attributes"].items()
    ]
    rows += [
        ["foreign", one["on"], one["type"], one["id"], f"{one['name']} of project {one['project_id']}".strip()]
        for one in drift["foreign"]
    ]
    print_table(["DRIFT", "MEMBER", "TYPE", "ID", "WHAT"], rows)
    return 0


def _add_member(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=args.plan)
    names = Names(client, load())
    wanted: dict[str, object] = {"type": args.type, "name": args.name}
    if args.object is not None:
        wanted["object_id"] = names.id(_TYPES[args.type], args.object)
    else:
        wanted["properties"] = dict(args.property)
    return _changed(client, names.id(CONTAINERS, args.target), "add_member", wanted, args)


def _remove_member(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=args.plan)
    container_id = Names(client, load()).id(CONTAINERS, args.target)
    wanted = {"member": args.member, "delete": args.delete}
    return _changed(client, container_id, "remove_member", wanted, args)


def _changed(
    client: Client, container_id: str, action: str, wanted: Mapping[str, object], args: argparse.Namespace
) -> int:
    answer = client.put("containers", container_id, action, body=wanted)
    if args.plan:
        print_plan(answer, args.format)
        return 0
    found = member(answer, "container")
    if args.format == "json":
        print_json(found)
    else:
        changes: Any = found["changes"]
        print_table(["MEMBER", "TYPE", "CHANGE"], [[one["path"], one["type"], one["change"]] for one in changes])
    return 0
