"""What can be typed after ``weft quota``? How many objects a project may have, and how many it has."""

import argparse

from controller.cli.client import Client, CommandFailed, add_options, add_plan
from controller.cli.output import member, members, print_json, print_table
from controller.cli.plan import print_plan

RESOURCES = (
    "network",
    "subnet",
    "port",
    "security_group",
    "security_group_rule",
    "subnetpool",
    "rbac_policy",
    "ip_reservation",
)
"""What a limit can be set for, as ``controller.store.quotas`` says; its imports would cost every command a second."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``quota`` and its commands."""
    summary = "how many objects a project may have, and how many it has"
    group = commands.add_parser("quota", help=summary, description=summary)
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = _verb(verbs, "list", "list the projects that have limits of their own")
    listing.set_defaults(run=_list)
    show = _verb(verbs, "show", "show a project's limits and what it has; -1 is no limit")
    show.add_argument("project", nargs="?", metavar="PROJECT", help="id of a project (default: your own)")
    show.set_defaults(run=_show)

    change = _verb(verbs, "set", "give a project limits of its own; those not named stay")
    change.add_argument("project", metavar="PROJECT", help="id of a project")
    for resource in RESOURCES:
        option = f"--{resource.replace('_', '-')}"
        change.add_argument(option, dest=resource, type=int, metavar="N", help="at most so many; -1 is no limit")
    change.add_argument("--force", action="store_true", help="also below what the project has already")
    add_plan(change)
    change.set_defaults(run=_set)

    delete = _verb(verbs, "delete", "take a project's own limits away; the usual ones hold")
    delete.add_argument("project", metavar="PROJECT", help="id of a project")
    add_plan(delete)
    delete.set_defaults(run=_delete)


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=summary)
    add_options(parser)
    return parser


def _list(args: argparse.Namespace) -> int:
    found = members(Client(args.url).get("quotas"), "quotas")
    if args.format == "json":
        print_json(found)
    else:
        columns = ("project_id", *RESOURCES)
        headings = [column.replace("_", " ").upper() for column in columns]
        print_table(headings, [[one.get(column) for column in columns] for one in found])
    return 0


def _show(args: argparse.Namespace) -> int:
    client = Client(args.url)
    project = args.project or str(member(client.get("quotas", "project"), "project")["project_id"])
    found = member(client.get("quotas", project, "details"), "quota")
    if args.format == "json":
        print_json({"project_id": project, **found})
    else:
        columns = ("limit", "used")
        rows = [[name, *(member(found, name).get(column) for column in columns)] for name in found]
        print_table(["RESOURCE", *(column.upper() for column in columns)], rows)
    return 0


def _set(args: argparse.Namespace) -> int:
    wanted = {name: getattr(args, name) for name in RESOURCES if getattr(args, name) is not None}
    if not wanted:
        raise CommandFailed("name at least one limit, for example --network 10")
    body = {"quota": {**wanted, **({"force": True} if args.force else {})}}
    answer = Client(args.url, plan=args.plan).put("quotas", args.project, body=body)
    if args.plan:
        print_plan(answer, args.format)
        return 0
    return _show(args)


def _delete(args: argparse.Namespace) -> int:
    answer = Client(args.url, plan=args.plan).delete("quotas", args.project)
    if args.plan:
        print_plan(answer, args.format)
    return 0
