"""How is intent laid out in tables?

The migrations in ``controller/store/migrations`` are what creates them; a test holds the two equal. Conventions: ids
are UUID texts, ``key`` columns are the stable numbers that registers and cookies carry, times are whole seconds since
1970 (UTC), lists that nothing searches by are JSON texts. Every foreign key has an index and a deliberate ON DELETE.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=NAMING)

ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER PRIMARY KEY."""
UUID_LENGTH = 36
NAME_LENGTH = 255
ADDRESS_LENGTH = 45
"""Longest text of an IPv6 address."""

META = Table("meta", METADATA, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False))

JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", ROW_ID, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("object_id", String(NAME_LENGTH), nullable=False),
    Column("network_id", String(UUID_LENGTH)),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,  # a pruned number must not come again
)

NETWORKS = Table(
    "networks",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False, index=True),
    Column("router_external", Boolean, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("plugin", String(64), nullable=False, server_default="openflow"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    Column("pvlan", Boolean, nullable=False, server_default=text("false")),
    Column("dns_domain", String(NAME_LENGTH), nullable=False, server_default=""),
    Column("availability_zone_hints", Text, nullable=False, server_default="[]"),
)

SEGMENTS = Table(
    "segments",
    METADATA,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("id", String(UUID_LENGTH), nullable=False, unique=True),
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("network_type", String(16), nullable=False),
    Column("physical_network", String(64)),
    Column("segmentation_id", Integer),
    CheckConstraint("key BETWEEN 1 AND 16777215", name="key_has_24_bits"),
    # Place among the segments of the network, in the order they were asked for.
    Column("position", Integer, nullable=False, server_default="0"),
    Column("name", String(NAME_LENGTH)),
    Column("description", Text),
    Column("created_at", BigInteger, nullable=False, server_default="0"),
    Column("updated_at", BigInteger, nullable=False, server_default="0"),
    Column("revision_number", BigInteger, nullable=False, server_default="0"),
)
# A unique constraint ignores rows with NULL: an overlay segment has no physical network, a flat one no number. What has
# neither, as types of other plug-ins may, is no place on a wire that anybody could share: its key stands for it.
Index(
    "uq_segments_wire",
    SEGMENTS.c.network_type,
    text("coalesce(physical_network, '')"),
    text("coalesce(segmentation_id, CASE WHEN physical_network IS NULL THEN -key ELSE 0 END)"),
    unique=True,
)

NETWORK_SEGMENT_RANGES = Table(
    "network_segment_ranges",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), index=True),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("description", Text, nullable=False),
    Column("default", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("network_type", String(16), nullable=False, index=True),
    Column("physical_network", String(64)),
    Column("minimum", Integer, nullable=False),
    Column("maximum", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    CheckConstraint("minimum <= maximum", name="not_empty"),
)

# A community is stored while a port has it; its key comes from the counter of rule keys and is never given twice.
COMMUNITIES = Table(
    "communities",
    METADATA,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(NAME_LENGTH), nullable=False),
    UniqueConstraint("network_id", "name"),
    CheckConstraint("key BETWEEN 16 AND 2147483647", name="key_has_31_bits"),
)

SUBNETS = Table(
    "subnets",
    METADATA,
    Column("key", ROW_ID, primary_key=True, autoincrement=True),
    Column("id", String(UUID_LENGTH), nullable=False, unique=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(ADDRESS_LENGTH + 4), nullable=False, index=True),
    Column("gateway_ip", String(ADDRESS_LENGTH)),
    Column("enable_dhcp", Boolean, nullable=False),
    Column("ipv6_ra_mode", String(16)),
    Column("ipv6_address_mode", String(16)),
    Column("dns_nameservers", Text, nullable=False),
    Column("host_routes", Text, nullable=False),
    Column("open_blocks", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    Column("service_types", Text, nullable=False, server_default="[]"),
    UniqueConstraint("network_id", "cidr"),
    # A segment with subnets is never deleted alone: no foreign key, which SQLite cannot add to a table.
    Column("segment_id", String(UUID_LENGTH), index=True),
    sqlite_autoincrement=True,
)

ALLOCATION_POOLS = Table(
    "allocation_pools",
    METADATA,
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("first", String(ADDRESS_LENGTH), nullable=False),
    Column("last", String(ADDRESS_LENGTH), nullable=False),
)

ADDRESS_BLOCKS = Table(
    "address_blocks",
    METADATA,
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("free", Integer, nullable=False),
    CheckConstraint("free BETWEEN 0 AND 256", name="free_in_range"),
)
HAS_ROOM = text("free > 0")
Index(
    "ix_address_blocks_with_room",
    ADDRESS_BLOCKS.c.subnet_id,
    ADDRESS_BLOCKS.c.number,
    sqlite_where=HAS_ROOM,
    postgresql_where=HAS_ROOM,
)

PORTS = Table(
    "ports",
    METADATA,
    Column("key", ROW_ID, primary_key=True, autoincrement=True),
    Column("id", String(UUID_LENGTH), nullable=False, unique=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("network_id", ForeignKey("networks.id", ondelete="RESTRICT"), nullable=False),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("mac_address", String(17), nullable=False, index=True),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("device_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("device_owner", String(NAME_LENGTH), nullable=False, index=True),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("allowed_address_pairs", Text, nullable=False),
    Column("extra_dhcp_opts", Text, nullable=False),
    Column("vnic_type", String(64), nullable=False),
    Column("profile", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    # Key of a security group or of a set of them; 1 without any. No foreign key: it may name a row of either table.
    Column("ruleset", Integer, nullable=False, server_default="1", index=True),
    UniqueConstraint("network_id", "mac_address"),
    CheckConstraint("key BETWEEN 1 AND 4294967295", name="key_has_32_bits"),
    Column("pvlan_type", String(16)),
    Column("pvlan_community", String(NAME_LENGTH)),
    # 0 promiscuous, 1 isolated, else the key of a community: no foreign key.
    Column("role", Integer, nullable=False, server_default="0"),
    Column("dns_name", String(NAME_LENGTH), nullable=False, server_default=""),
    Column("dns_domain", String(NAME_LENGTH), nullable=False, server_default=""),
    Column("ip_allocation", String(16), nullable=False, server_default="immediate"),
    sqlite_autoincrement=True,  # a key still in a switch's cookies must not name a new port
)
IN_COMMUNITY = text("role > 1")
Index("ix_ports_role", PORTS.c.role, sqlite_where=IN_COMMUNITY, postgresql_where=IN_COMMUNITY)

ALLOCATIONS = Table(
    "allocations",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("subnet_id", ForeignKey("subnets.id", ondelete="RESTRICT"), nullable=False),
    Column("address", String(ADDRESS_LENGTH), nullable=False, index=True),
    Column("block", BigInteger),
    Column("port_id", ForeignKey("ports.id", ondelete="SET NULL"), index=True),
    Column("released_at", BigInteger),
    CheckConstraint("port_id IS NOT NULL OR released_at IS NOT NULL", name="live_has_port"),
    # Nobody's address that nobody is given: until when (seconds since 1970), why, and for which project.
    Column("held_until", BigInteger),
    Column("held_as", String(16)),
    Column("held_for", String(NAME_LENGTH)),
)
TAKEN = text("(released_at IS NULL OR held_until IS NOT NULL)")
Index(
    "uq_allocations_live",
    ALLOCATIONS.c.subnet_id,
    ALLOCATIONS.c.address,
    unique=True,
    sqlite_where=TAKEN,
    postgresql_where=TAKEN,
)
Index(
    "ix_allocations_live_block",
    ALLOCATIONS.c.subnet_id,
    ALLOCATIONS.c.block,
    sqlite_where=TAKEN,
    postgresql_where=TAKEN,
)
HELD = text("held_until IS NOT NULL")
Index(
    "ix_allocations_held",
    ALLOCATIONS.c.subnet_id,
    ALLOCATIONS.c.held_until,
    sqlite_where=HELD,
    postgresql_where=HELD,
)
RELEASED = text("released_at IS NOT NULL")
Index(
    "ix_allocations_released",
    ALLOCATIONS.c.subnet_id,
    ALLOCATIONS.c.released_at,
    sqlite_where=RELEASED,
    postgresql_where=RELEASED,
)

HOSTS = Table(
    "hosts",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("name", String(NAME_LENGTH), nullable=False, unique=True),
    Column("ovsdb", String(NAME_LENGTH), nullable=False, unique=True),
    Column("tunnel_ip", String(ADDRESS_LENGTH)),
    Column("datapath_type", String(16), nullable=False),
    Column("datapath_id", BigInteger, nullable=False, unique=True),
    Column("adopt", Boolean, nullable=False, server_default=text("false")),
    Column("plugin", String(64), nullable=False, server_default="openflow"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    Column("availability_zone", String(NAME_LENGTH), nullable=False, server_default="nova", index=True),
)

# A port may be bound to a host that is not registered (yet), so ``host`` is no foreign key.
BINDINGS = Table(
    "bindings",
    METADATA,
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("host", String(NAME_LENGTH), primary_key=True),
    Column("vnic_type", String(64), nullable=False),
    Column("profile", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("ofport", Integer, nullable=False),
    UniqueConstraint("host", "ofport"),
    CheckConstraint("ofport BETWEEN 32768 AND 65199", name="ofport_requestable"),
)
IS_ACTIVE = text("active")
Index(
    "uq_bindings_active",
    BINDINGS.c.port_id,
    unique=True,
    sqlite_where=IS_ACTIVE,
    postgresql_where=IS_ACTIVE,
)
IS_STANDBY = text("NOT active")
Index(
    "uq_bindings_standby",
    BINDINGS.c.port_id,
    unique=True,
    sqlite_where=IS_STANDBY,
    postgresql_where=IS_STANDBY,
)

OFPORT_CURSORS = Table(
    "ofport_cursors",
    METADATA,
    Column("host", String(NAME_LENGTH), primary_key=True),
    Column("last", Integer, nullable=False),
)

# Keys of security groups, of sets of them and of address groups come from one counter, so that no two are equal.
COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

SECURITY_GROUPS = Table(
    "security_groups",
    METADATA,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("id", String(UUID_LENGTH), nullable=False, unique=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("stateful", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    CheckConstraint("key BETWEEN 16 AND 2147483647", name="key_has_31_bits"),
)
IS_DEFAULT = text("is_default")
Index(
    "uq_security_groups_default",
    SECURITY_GROUPS.c.project_id,
    unique=True,
    sqlite_where=IS_DEFAULT,
    postgresql_where=IS_DEFAULT,
)

# Ports with several groups share one row for each set of groups in use.
SECURITY_GROUP_SETS = Table(
    "security_group_sets",
    METADATA,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("group_ids", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # PostgreSQL indexes no text longer than 2,704 bytes
    CheckConstraint("key BETWEEN 16 AND 2147483647", name="key_has_31_bits"),
)
SECURITY_GROUP_SET_MEMBERS = Table(
    "security_group_set_members",
    METADATA,
    Column("set_key", ForeignKey("security_group_sets.key", ondelete="CASCADE"), primary_key=True),
    Column("security_group_id", ForeignKey("security_groups.id", ondelete="RESTRICT"), primary_key=True, index=True),
)

ADDRESS_GROUPS = Table(
    "address_groups",
    METADATA,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("id", String(UUID_LENGTH), nullable=False, unique=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("addresses", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    CheckConstraint("key BETWEEN 16 AND 2147483647", name="key_has_31_bits"),
)

SECURITY_GROUP_RULES = Table(
    "security_group_rules",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("security_group_id", ForeignKey("security_groups.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(8), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(ADDRESS_LENGTH + 4)),
    Column("normalized_cidr", String(ADDRESS_LENGTH + 4)),
    Column("remote_group_id", ForeignKey("security_groups.id", ondelete="CASCADE"), index=True),
    Column("remote_address_group_id", ForeignKey("address_groups.id", ondelete="RESTRICT"), index=True),
    Column("description", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
)

# What a new security group starts with. ``remote_group_id`` may be the word PARENT: the new group itself.
DEFAULT_SECURITY_GROUP_RULES = Table(
    "default_security_group_rules",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(8), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(ADDRESS_LENGTH + 4)),
    Column("remote_group_id", String(UUID_LENGTH)),
    Column("remote_address_group_id", String(UUID_LENGTH)),
    Column("used_in_default_sg", Boolean, nullable=False),
    Column("used_in_non_default_sg", Boolean, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
)

PORT_STATES = Table(
    "port_states",
    METADATA,
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("host", String(NAME_LENGTH)),
    Column("detail", Text, nullable=False),
    Column("link_state", String(16)),
)

PORT_EVENTS = Table(
    "port_events",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("host", String(NAME_LENGTH)),
    Column("detail", Text, nullable=False),
)

HOST_STATES = Table(
    "host_states",
    METADATA,
    Column("name", ForeignKey("hosts.name", ondelete="CASCADE"), primary_key=True),
    Column("ovsdb_connected", Boolean, nullable=False),
    Column("openflow_connected", Boolean, nullable=False),
    Column("programmed", Boolean, nullable=False),
    Column("problem", Text),
    Column("features", Text, nullable=False),
    Column("seen_at", BigInteger),
)
