"""How are the choices about a subnet's addresses, reservations, and what was counted laid out in tables?

An address that nobody has and nobody may be given is *held*: quarantined after it was released, or reserved. Its row
is one of ``allocations`` like that of a port's, so that one unique index says whose every address is.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from controller.store.schema import ADDRESS_LENGTH, METADATA, NAME_LENGTH, UUID_LENGTH

# Subnets without a row are as usual.
SUBNET_IPAM = Table(
    "subnet_ipam",
    METADATA,
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("strategy", String(16), nullable=False),
    # Seconds; NULL: what the configuration says.
    Column("quarantine", Integer),
    # JSON: ranges as [first, last], and octets.
    Column("excluded_ranges", Text, nullable=False),
    Column("excluded_octets", Text, nullable=False),
)

IP_RESERVATIONS = Table(
    "ip_reservations",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), nullable=False),
    Column("ip_address", String(ADDRESS_LENGTH), nullable=False, index=True),
    Column("expires_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    UniqueConstraint("subnet_id", "ip_address"),
)
EXPIRES = text("expires_at IS NOT NULL")
Index("ix_ip_reservations_expiring", IP_RESERVATIONS.c.expires_at, sqlite_where=EXPIRES, postgresql_where=EXPIRES)

# How many addresses of a subnet's pools were taken, noted when that had changed.
SUBNET_SAMPLES = Table(
    "subnet_samples",
    METADATA,
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("taken", BigInteger, nullable=False),
)
