"""Who may use the API, with which project and roles? Users with passwords and tokens, kept by Weft itself."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller import passwords
from controller.errors import IdentityError
from controller.policy.words import ROLE_WORDS
from controller.store.identities import TOKENS, USERS
from controller.store.loading import instant
from controller.store.schema import NAME_LENGTH
from controller.store.transaction import Transaction

_TOKEN_BYTES = 32
"""256 random bits: too many to guess, so a plain SHA-256 is proof enough (nothing to try through a dictionary)."""
_SHORTEST_PASSWORD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user as far as others may know."""

    name: str
    project_id: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as far as others may know."""

    id: str
    description: str
    project_id: str
    roles: frozenset[str]
    created_at: datetime
    expires_at: datetime


def add_user(tx: Transaction, *, name: str, project_id: str, roles: Sequence[str], password: str) -> User:
    """Make a user.

    Raises:
        IdentityError: the name is taken, or a value cannot be.
    """
    user = User(name=_checked("user name", name), project_id=_checked("project", project_id), roles=_roles(roles))
    if ":" in name:
        raise IdentityError(f"user name {name!r} has a colon, which HTTP Basic does not permit (RFC 7617)")
    if stored_password(tx, name) is not None:
        raise IdentityError(f"there is a user {name} already; change it with `weft user set {name}`")
    row = {"password": passwords.hashed(_password(password)), "created_at": tx.timestamp, "updated_at": tx.timestamp}
    tx.connection.execute(
        insert(USERS), row | {"name": name, "project_id": project_id, "roles": " ".join(sorted(user.roles))}
    )
    return user


def set_user(
    tx: Transaction,
    name: str,
    *,
    project_id: str | None = None,
    roles: Sequence[str] | None = None,
    password: str | None = None,
) -> User:
    """Change what is given of a user; it counts from the next request on.

    Raises:
        IdentityError: there is no such user, or a value cannot be.
    """
    values: dict[str, object] = {"updated_at": tx.timestamp}
    if project_id is not None:
        values["project_id"] = _checked("project", project_id)
    if roles is not None:
        values["roles"] = " ".join(sorted(_roles(roles)))
    if password is not None:
        values["password"] = passwords.hashed(_password(password))
    changed = sql_update(USERS).where(USERS.c.name == name).values(values).returning(*USERS.c)
    row = tx.connection.execute(changed).first()
    if row is None:
        raise IdentityError(f"there is no user {name}; see `weft user list`")
    return _user(row)


def remove_user(tx: Transaction, name: str) -> None:
    """Remove a user.

    Raises:
        IdentityError: there is no such user.
    """
    gone = tx.connection.execute(sql_delete(USERS).where(USERS.c.name == name).returning(USERS.c.name)).first()
    if gone is None:
        raise IdentityError(f"there is no user {name}; see `weft user list`")


def users(tx: Transaction) -> list[User]:
    """Return all users by name."""
    return [_user(row) for row in tx.connection.execute(select(USERS).order_by(USERS.c.name))]


def stored_password(tx: Transaction, name: str) -> tuple[User, str] | None:
    """Return a user with what is stored of its password, or None."""
    row = tx.connection.execute(select(USERS).where(USERS.c.name == name)).first()
    return None if row is None else (_user(row), row.password)


def create_token(
    tx: Transaction,
    *,
    project_id: str,
    roles: Sequence[str],
    lifetime: timedelta,
    description: str = "",
    new_secret: Callable[[int], str] = secrets.token_urlsafe,
) -> tuple[Token, str]:
    """Make a token; the secret, which nobody can read again, comes second.

    Raises:
        IdentityError: a value cannot be.
    """
    if lifetime <= timedelta(0):
        raise IdentityError("a token must live for some time")
    secret = new_secret(_TOKEN_BYTES)
    row = {
        "id": tx.new_id(),
        "digest": _digest(secret),
        "description": description,
        "project_id": _checked("project", project_id),
        "roles": " ".join(sorted(_roles(roles))),
        "created_at": tx.timestamp,
        "expires_at": tx.timestamp + int(lifetime.total_seconds()),
    }
    made = tx.connection.execute(insert(TOKENS).returning(*TOKENS.c), row).one()
    return _token(made), secret


def revoke_token(tx: Transaction, token_id: str) -> None:
    """Remove a token by its id; it counts from the next request on.

    Raises:
        IdentityError: there is no such token.
    """
    gone = tx.connection.execute(sql_delete(TOKENS).where(TOKENS.c.id == token_id).returning(TOKENS.c.id)).first()
    if gone is None:
        raise IdentityError(f"there is no token {token_id}; see `weft token list`")


def tokens(tx: Transaction) -> list[Token]:
    """Return all tokens, the oldest first; expired ones too."""
    return [_token(row) for row in tx.connection.execute(select(TOKENS).order_by(TOKENS.c.created_at, TOKENS.c.id))]


def token_of(tx: Transaction, secret: str) -> Token | None:
    """Return the token of a secret, if there is one that has not expired."""
    valid = select(TOKENS).where(TOKENS.c.digest == _digest(secret), TOKENS.c.expires_at > tx.timestamp)
    row = tx.connection.execute(valid).first()
    return None if row is None else _token(row)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked(what: str, value: str) -> str:
    if not value or len(value) > NAME_LENGTH or not value.isprintable():
        raise IdentityError(f"{what} {value[:NAME_LENGTH]!r} must have 1 to {NAME_LENGTH} printable characters")
    return value


def _password(password: str) -> str:
    if not _SHORTEST_PASSWORD <= len(password.encode()) <= passwords.LONGEST:
        raise IdentityError(f"a password must have {_SHORTEST_PASSWORD} to {passwords.LONGEST} bytes")
    return password


def _roles(roles: Sequence[str]) -> frozenset[str]:
    unknown = sorted(set(roles) - ROLE_WORDS.keys())
    if unknown or not roles:
        given = ", ".join(unknown) or "none"
        raise IdentityError(f"roles are {', '.join(ROLE_WORDS)}; given: {given}")
    return frozenset(roles)


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(name=row.name, project_id=row.project_id, roles=frozenset(row.roles.split()))


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        id=row.id,
        description=row.description,
        project_id=row.project_id,
        roles=frozenset(row.roles.split()),
        created_at=instant(row.created_at),
        expires_at=instant(row.expires_at),
    )
