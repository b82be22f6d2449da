"""How is laid out which service gives out a subnet's addresses, and what it is owed?"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, text

from controller.store.schema import ADDRESS_LENGTH, METADATA, NAME_LENGTH, ROW_ID, UUID_LENGTH

SUBNET_DRIVERS = Table(
    "subnet_drivers",
    METADATA,
    # Subnets that are not here have the built-in driver.
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("driver", String(64), nullable=False, index=True),
)

IPAM_ASKS = Table(
    "ipam_asks",
    METADATA,
    # Written before the service is asked, and gone with the transaction that uses what it gave.
    Column("mark", String(UUID_LENGTH), primary_key=True),
    Column("driver", String(64), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    # Nobody may use what was reserved any more: it is being released.
    Column("is_void", Boolean, nullable=False),
    Column("not_before", BigInteger, nullable=False),
)
Index("ix_ipam_asks_driver", IPAM_ASKS.c.driver, IPAM_ASKS.c.not_before)

REMOTE_ADDRESSES = Table(
    "remote_addresses",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("driver", String(64), nullable=False),
    # No foreign key: the row must outlive its subnet and port until the service has been told.
    Column("subnet_id", String(UUID_LENGTH), nullable=False),
    Column("port_id", String(UUID_LENGTH), nullable=False),
    Column("address", String(ADDRESS_LENGTH), nullable=False),
    Column("handle", String(NAME_LENGTH), nullable=False),
    Column("mark", String(UUID_LENGTH), nullable=False),
    # Whatever takes the allocation away, by whichever way, leaves an address to be released.
    Column("allocation_id", ForeignKey("allocations.id", ondelete="SET NULL"), index=True),
    Column("is_told", Boolean, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("not_before", BigInteger, nullable=False),
)
Index("ix_remote_addresses_handle", REMOTE_ADDRESSES.c.driver, REMOTE_ADDRESSES.c.handle)
LEFT = text("allocation_id IS NULL")
Index("ix_remote_addresses_left", REMOTE_ADDRESSES.c.driver, sqlite_where=LEFT, postgresql_where=LEFT)
UNTOLD = text("NOT is_told")
Index("ix_remote_addresses_untold", REMOTE_ADDRESSES.c.driver, sqlite_where=UNTOLD, postgresql_where=UNTOLD)
