"""How is found what changed since a moment, and where do tags of address groups and vNICs go?

Revision ID: 0052
"""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

NEWLY_TAGGABLE = ("address_groups", "vnics")
LISTED = (
    "networks",
    "segments",
    "subnets",
    "ports",
    "security_groups",
    "security_group_rules",
    "address_groups",
    "subnetpools",
    "vnics",
)


def upgrade() -> None:
    """Create the indexes, and what removes the tags of an object with it."""
    for table in LISTED:
        op.create_index(f"ix_{table}_updated_at", table, ["updated_at"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        action = "FOR EACH ROW EXECUTE FUNCTION forget_tags()"
    else:
        action = "BEGIN DELETE FROM tags WHERE object_id = OLD.id; END"
    for table in NEWLY_TAGGABLE:
        op.execute(f"CREATE TRIGGER forget_tags_of_{table} AFTER DELETE ON {table} {action}")
