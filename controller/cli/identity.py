"""What can be typed after ``weft user`` and ``weft token``? They work on the database itself: nobody can log in yet.

They may run while the server does, which sees the change with the next request.
"""

import argparse
import getpass
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.client import CommandFailed
from controller.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from controller.store.transaction import Transaction

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_NEW_PASSWORD = "WEFT_NEW_PASSWORD"  # noqa: S105 - the variable's name


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``user`` and ``token``."""
    user = _group(commands, "user", "people and programs that log in with a password (mode basic)")
    add = _command(user, "add", "make a user", _add_user)
    add.add_argument("name")
    _add_rights(add, required=True)
    change = _command(user, "set", "change a user", _set_user)
    change.add_argument("name")
    change.add_argument("--password", action="store_true", help="ask for a new password")
    _add_rights(change, required=False)
    _command(user, "remove", "remove a user", _remove_user).add_argument("name")
    _command(user, "list", "list users", _list_users)
    token = _group(commands, "token", "tokens for X-Auth-Token (mode token)")
    create = _command(token, "create", "make a token and show it, once", _create_token)
    _add_rights(create, required=True)
    create.add_argument("--expires", default="90d", metavar="TIME", help="such as 12h or 30d (default 90d)")
    create.add_argument("--description", default="", help="what it is for")
    _command(token, "revoke", "remove a token", _revoke_token).add_argument("id")
    _command(token, "list", "list tokens", _list_tokens)


def _group(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    parser = commands.add_parser(name, help=summary, description=f"{summary}; works on the database itself")
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _command(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = group.add_parser(name, help=summary, description=summary)
    parser.add_argument("--config", type=Path, metavar="FILE", help="the file `weft serve` is given")
    parser.add_argument("--database", metavar="URL", help="the database `weft serve` uses")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="table or json")
    parser.set_defaults(run=_told(run))
    return parser


def _add_rights(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--project", required=required, metavar="ID", help="whose objects it sees and makes")
    parser.add_argument(
        "--role",
        action="append",
        required=required,
        metavar="ROLE",
        help="reader, member, manager, admin or service; may be repeated (Nova needs admin and service)",
    )


def _told(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def command(args: argparse.Namespace) -> int:
        from controller.errors import WeftError  # noqa: PLC0415 - as in _open

        try:
            return run(args)
        except WeftError as error:
            raise CommandFailed(str(error)) from None

    return command


@contextmanager
def _open(args: argparse.Namespace) -> "Iterator[Transaction]":
    # The store's imports would cost every other command a second.
    from controller.config import load  # noqa: PLC0415
    from controller.store.database import Database  # noqa: PLC0415

    database = Database(load(args.config, {"database": args.database}).database)
    try:
        database.migrate()
        with database.write() as tx:
            yield tx
    finally:
        database.close()


def _add_user(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    password = _password()
    with _open(args) as tx:
        user = identities.add_user(tx, name=args.name, project_id=args.project, roles=args.role, password=password)
    return _show(args, {"name": user.name, "project": user.project_id, "roles": sorted(user.roles)})


def _set_user(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    password = _password() if args.password else None
    with _open(args) as tx:
        user = identities.set_user(tx, args.name, project_id=args.project, roles=args.role, password=password)
    return _show(args, {"name": user.name, "project": user.project_id, "roles": sorted(user.roles)})


def _remove_user(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    with _open(args) as tx:
        identities.remove_user(tx, args.name)
    return 0


def _list_users(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    with _open(args) as tx:
        found = [
            {"name": user.name, "project": user.project_id, "roles": sorted(user.roles)}
            for user in identities.users(tx)
        ]
    return _show_all(args, ("name", "project", "roles"), found)


def _create_token(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    lifetime = _lifetime(args.expires)
    with _open(args) as tx:
        token, secret = identities.create_token(
            tx, project_id=args.project, roles=args.role, lifetime=lifetime, description=args.description
        )
    return _show(args, {"id": token.id, "token": secret, "expires_at": token.expires_at.isoformat()})


def _revoke_token(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    with _open(args) as tx:
        identities.revoke_token(tx, args.id)
    return 0


def _list_tokens(args: argparse.Namespace) -> int:
    from controller.services import identities  # noqa: PLC0415

    with _open(args) as tx:
        found = [
            {
                "id": token.id,
                "project": token.project_id,
                "roles": sorted(token.roles),
                "expires_at": token.expires_at.isoformat(),
                "description": token.description,
            }
            for token in identities.tokens(tx)
        ]
    return _show_all(args, ("id", "project", "roles", "expires_at", "description"), found)


def _password() -> str:
    """Return a new password: from the environment, from a pipe, or typed twice; never from the command line."""
    given = os.environ.get(_NEW_PASSWORD)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("again: ") != first:
        raise CommandFailed("the passwords differ")
    return first


def _lifetime(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise CommandFailed(f"--expires: {text!r} is no time; examples: 30m, 12h, 90d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _show(args: argparse.Namespace, found: dict[str, object]) -> int:
    if args.format == "json":
        print_json(found)
    else:
        print_fields(list(found.items()))
    return 0


def _show_all(args: argparse.Namespace, names: tuple[str, ...], found: Sequence[Mapping[str, object]]) -> int:
    if args.format == "json":
        print_json(found)
    else:
        print_table(names, [[one[name] for name in names] for one in found])
    return 0
