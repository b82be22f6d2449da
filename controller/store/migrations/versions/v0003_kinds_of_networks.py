"""Where do private VLANs, several segments of a network, segment ranges and second bindings live?

Everything that exists stays as it is: no network is a private VLAN, and every network has its one segment.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and columns."""
    op.add_column("networks", sa.Column("pvlan", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    _change_segments()
    _change_ports()
    _create_ranges()
    op.create_index(
        "uq_bindings_standby",
        "bindings",
        ["port_id"],
        unique=True,
        sqlite_where=sa.text("NOT active"),
        postgresql_where=sa.text("NOT active"),
    )


def _change_segments() -> None:
    op.add_column("segments", sa.Column("position", sa.Integer(), server_default="0", nullable=False))
    op.add_column("segments", sa.Column("name", sa.String(length=255), nullable=True))
    op.add_column("segments", sa.Column("description", sa.Text(), nullable=True))
    for name in ("created_at", "updated_at", "revision_number"):
        op.add_column("segments", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        "UPDATE segments SET"
        " created_at = (SELECT created_at FROM networks WHERE networks.id = segments.network_id),"
        " updated_at = (SELECT created_at FROM networks WHERE networks.id = segments.network_id)"
    )
    op.drop_index("uq_segments_wire", table_name="segments")
    op.create_index(
        "uq_segments_wire",
        "segments",
        ["network_type", sa.text("coalesce(physical_network, '')"), sa.text("coalesce(segmentation_id, 0)")],
        unique=True,
    )


def _change_ports() -> None:
    op.add_column("ports", sa.Column("pvlan_type", sa.String(length=16), nullable=True))
    op.add_column("ports", sa.Column("pvlan_community", sa.String(length=255), nullable=True))
    op.add_column("ports", sa.Column("role", sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "ix_ports_role",
        "ports",
        ["role"],
        unique=False,
        sqlite_where=sa.text("role > 1"),
        postgresql_where=sa.text("role > 1"),
    )
    op.create_table(
        "communities",
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.CheckConstraint("key BETWEEN 16 AND 2147483647", name=op.f("ck_communities_key_has_31_bits")),
        sa.ForeignKeyConstraint(
            ["network_id"], ["networks.id"], name=op.f("fk_communities_network_id_networks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_communities")),
        sa.UniqueConstraint("network_id", "name", name=op.f("uq_communities_network_id_name")),
    )


def _create_ranges() -> None:
    op.create_table(
        "network_segment_ranges",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("default", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("network_type", sa.String(length=16), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=True),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("minimum <= maximum", name=op.f("ck_network_segment_ranges_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_segment_ranges")),
    )
    for column in ("network_type", "project_id"):
        op.create_index(op.f(f"ix_network_segment_ranges_{column}"), "network_segment_ranges", [column], unique=False)
