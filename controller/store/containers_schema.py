"""How are container flavors and containers laid out in tables?

A member's object is named by its id alone: it may be of any kind, and whoever deletes it leaves the row, which then
says what is missing.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from controller.store.schema import METADATA, NAME_LENGTH, UUID_LENGTH

PATH_LENGTH = 1024

CONTAINER_FLAVORS = Table(
    "container_flavors",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("version", Integer, nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("public", Boolean, nullable=False, index=True),
    Column("template", Text, nullable=False),
    # The text it was written as, with its comments; NULL where it came as an object.
    Column("template_yaml", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
    UniqueConstraint("project_id", "name", "version", name="uq_container_flavors_version"),
)

# Which flavors a flavor's containers contain, by the name its template has for them.
CONTAINER_FLAVOR_PARTS = Table(
    "container_flavor_parts",
    METADATA,
    Column("flavor_id", ForeignKey("container_flavors.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(NAME_LENGTH + 16), primary_key=True),
    Column("part_id", ForeignKey("container_flavors.id", ondelete="RESTRICT"), nullable=False, index=True),
)

CONTAINERS = Table(
    "containers",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("name", String(NAME_LENGTH), nullable=False, index=True),
    Column("description", Text, nullable=False),
    # NULL: built by hand.
    Column("flavor_id", ForeignKey("container_flavors.id", ondelete="RESTRICT"), index=True),
    Column("parameters", Text, nullable=False),
    Column("endpoints", Text, nullable=False),
    Column("outputs", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("revision_number", BigInteger, nullable=False),
)

CONTAINER_MEMBERS = Table(
    "container_members",
    METADATA,
    Column("container_id", ForeignKey("containers.id", ondelete="CASCADE"), primary_key=True),
    Column("path", String(PATH_LENGTH), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("type", String(32), nullable=False),
    # One container an object: the constraint decides between two that take it in at once.
    Column("object_id", String(UUID_LENGTH), nullable=False, unique=True),
    # False: its flavor asks for it; true: somebody added it.
    Column("added", Boolean, nullable=False),
    # What was asked for, with references; what the API then showed of it; what came with it (the rules of a new group).
    Column("wanted", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("came_with", Text, nullable=False),
)
Index("ix_container_members_type", CONTAINER_MEMBERS.c.container_id, CONTAINER_MEMBERS.c.type)
