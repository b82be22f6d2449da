"""How are vNICs laid out in tables?"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text, text

from controller.store.schema import METADATA, NAME_LENGTH, PORTS, UUID_LENGTH

VNICS = Table(
    "vnics",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("mac_address", String(17), index=True),
    Column("owner", String(NAME_LENGTH), nullable=False, index=True),
    Column("device_owner", String(NAME_LENGTH), nullable=False),
    # One vNIC a port: the constraint decides between two that are plugged at once.
    Column("port_id", ForeignKey("ports.id", ondelete="SET NULL"), unique=True),
    # What the port goes back to when a vNIC with an address of its own leaves it.
    Column("port_mac", String(17)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
)
IS_FREE = text("device_id = ''")
Index("ix_ports_free", PORTS.c.network_id, PORTS.c.key, sqlite_where=IS_FREE, postgresql_where=IS_FREE)
