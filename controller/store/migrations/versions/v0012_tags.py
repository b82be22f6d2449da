"""Where do tags live?

The triggers belong to the tables of taggable objects: whoever rebuilds one of these tables makes its trigger again.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TAGGABLE = ("networks", "subnets", "ports", "security_groups", "network_segment_ranges", "subnetpools")


def upgrade() -> None:
    """Create the table of tags, and what empties it with the objects."""
    op.create_table(
        "tags",
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "tag", name=op.f("pk_tags")),
    )
    op.create_index("ix_tags_kind_tag_object_id", "tags", ["kind", "tag", "object_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION forget_tags() RETURNS trigger AS "
            "$$ BEGIN DELETE FROM tags WHERE object_id = OLD.id; RETURN NULL; END $$ LANGUAGE plpgsql"
        )
        action = "FOR EACH ROW EXECUTE FUNCTION forget_tags()"
    else:
        action = "BEGIN DELETE FROM tags WHERE object_id = OLD.id; END"
    for table in TAGGABLE:
        op.execute(f"CREATE TRIGGER forget_tags_of_{table} AFTER DELETE ON {table} {action}")
