"""How are subnet pools and address scopes laid out in tables?

Addresses are 32 hexadecimal digits, so that the order of the texts is that of the addresses in both IP versions; the
pool says which version they are of. What a pool has free is stored as the fewest prefixes that cover it
(``ipam.prefixes``), so that giving one out or taking one back touches a few rows however many subnets the pool has.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from controller.store.schema import METADATA, NAME_LENGTH, UUID_LENGTH

HEX_LENGTH = 32

ADDRESS_SCOPES = Table(
    "address_scopes",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("ip_version", Integer, nullable=False),
)

SUBNETPOOLS = Table(
    "subnetpools",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("min_prefixlen", Integer, nullable=False),
    Column("max_prefixlen", Integer, nullable=False),
    Column("default_prefixlen", Integer, nullable=False),
    Column("default_quota", BigInteger),
    Column("is_default", Boolean, nullable=False),
    Column("address_scope_id", ForeignKey("address_scopes.id", ondelete="RESTRICT"), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    CheckConstraint("min_prefixlen <= default_prefixlen AND default_prefixlen <= max_prefixlen", name="bounds"),
)
IS_DEFAULT_POOL = text("is_default")
Index(
    "uq_subnetpools_default",
    SUBNETPOOLS.c.ip_version,
    unique=True,
    sqlite_where=IS_DEFAULT_POOL,
    postgresql_where=IS_DEFAULT_POOL,
)

SUBNETPOOL_PREFIXES = Table(
    "subnetpool_prefixes",
    METADATA,
    Column("subnetpool_id", ForeignKey("subnetpools.id", ondelete="CASCADE"), primary_key=True),
    Column("first", String(HEX_LENGTH), primary_key=True),
    Column("last", String(HEX_LENGTH), nullable=False),
    Column("prefix_length", Integer, nullable=False),
)

# Free prefixes share nothing, so the first address names one.
FREE_PREFIXES = Table(
    "free_prefixes",
    METADATA,
    Column("subnetpool_id", ForeignKey("subnetpools.id", ondelete="CASCADE"), primary_key=True),
    Column("first", String(HEX_LENGTH), primary_key=True),
    Column("prefix_length", Integer, nullable=False),
)
Index(
    "ix_free_prefixes_smallest",
    FREE_PREFIXES.c.subnetpool_id,
    FREE_PREFIXES.c.prefix_length,
    FREE_PREFIXES.c.first,
)

POOLED_SUBNETS = Table(
    "pooled_subnets",
    METADATA,
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("subnetpool_id", ForeignKey("subnetpools.id", ondelete="RESTRICT"), nullable=False),
    Column("project_id", String(NAME_LENGTH), nullable=False),
    Column("first", String(HEX_LENGTH), nullable=False),
    Column("prefix_length", Integer, nullable=False),
)
# Two subnets of a pool that overlap begin at different addresses only if one contains the other's beginning; the free
# prefixes keep that from happening, and this index the rest.
Index("uq_pooled_subnets_first", POOLED_SUBNETS.c.subnetpool_id, POOLED_SUBNETS.c.first, unique=True)
Index(
    "ix_pooled_subnets_of_project",
    POOLED_SUBNETS.c.subnetpool_id,
    POOLED_SUBNETS.c.project_id,
    POOLED_SUBNETS.c.prefix_length,
)
