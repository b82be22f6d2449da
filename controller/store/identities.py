"""Where do users and tokens live? Of a password and a token only what proves them is stored, never they themselves."""

from sqlalchemy import BigInteger, Column, String, Table, Text

from controller.store.schema import METADATA, NAME_LENGTH, UUID_LENGTH

DIGEST_LENGTH = 64
"""Hexadecimal digits of SHA-256."""

USERS = Table(
    "users",
    METADATA,
    Column("name", String(NAME_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False),
    Column("roles", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("digest", String(DIGEST_LENGTH), nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("project_id", String(NAME_LENGTH), nullable=False),
    Column("roles", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
