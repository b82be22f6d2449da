"""What can be typed after a resource, and what does each verb do? create, list, show, set, delete, and its actions."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from controller.cli.client import Client, CommandFailed, add_options, add_plan
from controller.cli.everyday import options
from controller.cli.everyday.catalog import Action, Catalog, Noun
from controller.cli.everyday.names import Names
from controller.cli.everyday.show import FORMATS, print_list, print_one
from controller.cli.output import member, members, print_json
from controller.cli.plan import print_plan

FAILED = 1


def add_verbs(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    noun: Noun,
    catalog: Catalog,
    *,
    without: Sequence[str] = (),
) -> None:
    """Add the verbs of a resource; those in ``without`` are made by hand elsewhere."""
    made: dict[str, Callable[[argparse.ArgumentParser, Noun, Catalog], None]] = {
        "list": _add_list,
        "show": _add_show,
    }
    if noun.creates:
        made = {"create": _add_create} | made
    if noun.changes and any(one.set for one in noun.attributes):
        made["set"] = _add_set
    if noun.deletes:
        made["delete"] = _add_delete
    docs = {
        "create": f"create one of the {noun.many}",
        "list": f"list the {noun.many}, or those that match",
        "show": f"show one of the {noun.many}",
        "set": f"change one of the {noun.many}; a list becomes what is given",
        "delete": f"delete {noun.many}",
    }
    for verb, add in made.items():
        if verb not in without:
            parser = verbs.add_parser(verb, help=docs[verb], description=f"{docs[verb]}. {noun.doc}".replace("%", "%%"))
            add(parser, noun, catalog)
    for action in noun.actions:
        if action.verb in without:
            continue
        doc = action.doc.replace("%", "%%")
        _add_action(verbs.add_parser(action.verb, help=doc, description=doc), noun, catalog, action)


def _add_create(parser: argparse.ArgumentParser, noun: Noun, catalog: Catalog) -> None:
    given = [one for one in noun.attributes if one.create]
    for value in given:
        if value.name == "name":
            count = None if value.required else "?"
            parser.add_argument("name", nargs=count, metavar="NAME", help=value.doc)
        else:
            options.add_value(parser, value, required=value.required, clears=value.means_something)
    add_plan(parser)
    _add_columns(parser, noun)

    def run(args: argparse.Namespace) -> int:
        client = Client(args.url, plan=args.plan)
        names = Names(client, catalog)
        wanted = options.body(given, args, named=names.id)
        if getattr(args, "name", None) is not None:
            wanted["name"] = args.name
        for value in given:
            source = value.derived_from
            if source is not None and value.name not in wanted:
                wanted[value.name] = 6 if ":" in str(wanted.get(source, "")) else 4
        made = client.send("POST", noun.path, body={noun.member: wanted})
        return _printed(made, noun, args)

    parser.set_defaults(run=run)


def _add_list(parser: argparse.ArgumentParser, noun: Noun, catalog: Catalog) -> None:
    filters = [one for one in noun.attributes if one.filter and one.kind not in ("record", "object")]
    for value in filters:
        options.add_filter(parser, value)
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help=f"only what matches, by the API's own name of a filter {', '.join(noun.filters)}".strip(),
    )
    sortable = [one.name for one in noun.attributes if one.sort]
    parser.add_argument(
        "--sort", action="append", default=[], metavar="KEY[:desc]", type=_sorter(sortable), help=", ".join(sortable)
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="at most N objects")
    parser.add_argument("--long", action="store_true", help="every attribute")
    _add_columns(parser, noun)

    def run(args: argparse.Namespace) -> int:
        client = Client(args.url)
        names = Names(client, catalog)
        query: list[tuple[str, str]] = list(args.filter)
        for value in filters:
            for given in getattr(args, value.dest) or ():
                query += _filter_pairs(value.name, options.wire(value, given, names.id))
        for key, direction in args.sort:
            query += [("sort_key", key), ("sort_dir", direction)]
        if args.limit is not None:
            query.append(("limit", str(args.limit)))
        columns = _columns(args, noun)
        query += [("fields", name) for name in columns]
        found = members(client.send("GET", noun.path, query=query), noun.collection)
        print_list(found, columns, args.format)
        return 0

    parser.set_defaults(run=run)


def _columns(args: argparse.Namespace, noun: Noun) -> Sequence[str]:
    """Return the attributes a list shows; scripts get all unless they choose."""
    if args.column:
        return [str(name) for name in args.column]
    if args.long or args.format == "json":
        return [] if args.format == "json" else [one.name for one in noun.attributes]
    return noun.columns


def _filter_pairs(name: str, wanted: object) -> list[tuple[str, str]]:
    if isinstance(wanted, Mapping):
        return [(name, f"{key}={value}") for key, value in wanted.items()]
    return [(name, str(wanted))]


def _add_show(parser: argparse.ArgumentParser, noun: Noun, catalog: Catalog) -> None:
    _add_target(parser, noun)
    _add_columns(parser, noun)

    def run(args: argparse.Namespace) -> int:
        client = Client(args.url)
        object_id = Names(client, catalog).id(noun.collection, args.target)
        print_one(member(client.send("GET", noun.path, object_id), noun.member), args)
        return 0

    parser.set_defaults(run=run)


def _add_set(parser: argparse.ArgumentParser, noun: Noun, catalog: Catalog) -> None:
    given = [one for one in noun.attributes if one.set]
    _add_target(parser, noun)
    for value in given:
        options.add_value(parser, value)
    clearable = {one.option: one for one in given if one.null or one.kind in ("list", "records", "text")}
    parser.add_argument(
        "--clear",
        action="append",
        default=[],
        choices=sorted(clearable),
        metavar="OPTION",
        help=f"make empty or null, as --no-OPTION does: {', '.join(sorted(clearable))}",
    )
    parser.add_argument("--if-revision", type=int, metavar="N", help="only while it is at this revision")
    add_plan(parser)
    _add_columns(parser, noun)

    def run(args: argparse.Namespace) -> int:
        client = Client(args.url, plan=args.plan)
        names = Names(client, catalog)
        changes = options.body(given, args, named=names.id)
        for option in args.clear:
            value = clearable[option]
            changes[value.name] = [] if value.kind in ("list", "records") else None if value.null else ""
        if not changes:
            raise CommandFailed(f"nothing to change; see: weft {noun.noun} set --help")
        object_id = names.id(noun.collection, args.target)
        changed = client.send("PUT", noun.path, object_id, body={noun.member: changes}, if_revision=args.if_revision)
        return _printed(changed, noun, args)

    parser.set_defaults(run=run)


def _add_delete(parser: argparse.ArgumentParser, noun: Noun, catalog: Catalog) -> None:
    target = parser.add_argument(
        "targets", nargs="+", metavar=noun.noun.upper(), help="name or id; several may be given"
    )
    options.complete(target, noun.collection)
    for option in noun.delete_options:
        parser.add_argument(f"--{option.replace('_', '-')}", dest=f"delete:{option}", action="store_true")
    add_plan(parser)
    add_options(parser)

    def run(args: argparse.Namespace) -> int:
        client = Client(args.url, plan=args.plan)
        names = Names(client, catalog)
        query = [(option, "true") for option in noun.delete_options if getattr(args, f"delete:{option}")]
        deleted, failed = [], 0
        for given in args.targets:
            try:
                answer = client.send("DELETE", noun.path, names.id(noun.collection, given), query=query)
            except CommandFailed as failure:
                failed += 1
                sys.stderr.write(f"weft: {given}: {failure}\n")
            else:
                deleted.append(given)
                if args.plan:
                    print_plan(answer, args.format)
        if args.plan:
            return FAILED if failed else 0
        if args.format == "json":
            print_json({"deleted": deleted})
        elif deleted:
            sys.stdout.write(f"deleted: {', '.join(deleted)}\n")
        return FAILED if failed else 0

    parser.set_defaults(run=run)


def _add_action(parser: argparse.ArgumentParser, noun: Noun, catalog: Catalog, action: Action) -> None:
    _add_target(parser, noun)
    for value in action.attributes:
        options.add_value(parser, value, required=value.required, clears=False)
    add_plan(parser)
    _add_columns(parser, noun)

    def run(args: argparse.Namespace) -> int:
        client = Client(args.url, plan=args.plan)
        names = Names(client, catalog)
        wanted = options.body(action.attributes, args, named=names.id)
        object_id = names.id(noun.collection, args.target)
        answer = client.send("PUT", noun.path, object_id, action.path, body=wanted)
        return _printed(answer, noun, args)

    parser.set_defaults(run=run)


def _printed(answer: Mapping[str, object], noun: Noun, args: argparse.Namespace) -> int:
    """Print what a command has made of an object, or would make."""
    inner = answer.get(noun.member)
    if args.plan:
        print_plan(answer, args.format)
    else:
        print_one(inner if isinstance(inner, Mapping) else answer, args)
    return 0


def _add_target(parser: argparse.ArgumentParser, noun: Noun) -> None:
    target = parser.add_argument("target", metavar=noun.noun.upper(), help="name or id" if noun.has("name") else "id")
    options.complete(target, noun.collection)


def _add_columns(parser: argparse.ArgumentParser, noun: Noun) -> None:
    names = [one.name for one in noun.attributes]
    action = parser.add_argument(
        "-c",
        "--column",
        action="append",
        metavar="NAME",
        type=_known(names),
        help="print only this attribute; may be repeated",
    )
    action.completer = lambda **_more: names  # type: ignore[attr-defined] # where argcomplete looks for it
    add_options(parser, formats=FORMATS)


def _known(names: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        for name in names:
            if text in (name, name.replace("_", "-")):
                return name
        near = get_close_matches(text, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
        raise argparse.ArgumentTypeError(f"there is no attribute {text}. {hint}")

    return read


def _sorter(names: Sequence[str]) -> Callable[[str], tuple[str, str]]:
    known = _known(names)

    def read(text: str) -> tuple[str, str]:
        key, _, direction = text.rpartition(":") if text.endswith((":asc", ":desc")) else (text, "", "asc")
        return known(key), direction

    return read


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of objects, 1 or more")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form KEY=VALUE")
    return key, value
