"""Where is kept whose a host is, and how the plug-ins are?

Every host there is was registered for Weft's own flow tables.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the column and the table."""
    op.add_column("hosts", sa.Column("plugin", sa.String(length=64), server_default="openflow", nullable=False))
    other = sa.text("plugin <> 'openflow'")
    op.create_index(
        "ix_networks_plugin_uncommon", "networks", ["plugin"], unique=False, sqlite_where=other, postgresql_where=other
    )
    op.create_table(
        "plugin_states",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plugin_states")),
    )
