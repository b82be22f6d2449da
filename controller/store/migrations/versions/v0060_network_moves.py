"""Where is kept which hosts two plug-ins share, and which networks are on their way from one plug-in to another?

Segments with neither a physical network nor a number, as types of other plug-ins have them, may be many.

Revision ID: 0060
"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and the index anew."""
    number = sa.text("coalesce(segmentation_id, CASE WHEN physical_network IS NULL THEN -key ELSE 0 END)")
    op.drop_index("uq_segments_wire", table_name="segments")
    op.create_index(
        "uq_segments_wire",
        "segments",
        ["network_type", sa.text("coalesce(physical_network, '')"), number],
        unique=True,
    )
    op.create_table(
        "plugin_hosts",
        sa.Column("plugin", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("datapath_type", sa.String(length=16), nullable=False),
        sa.Column("tunnel_ip", sa.String(length=45), nullable=True),
        sa.Column("physnets", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plugin", "host", name=op.f("pk_plugin_hosts")),
    )
    op.create_table(
        "network_moves",
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("source_bridge", sa.String(length=15), nullable=True),
        sa.Column("target_bridge", sa.String(length=15), nullable=True),
        sa.Column("is_switched", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["networks.id"],
            name=op.f("fk_network_moves_network_id_networks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("network_id", name=op.f("pk_network_moves")),
    )
