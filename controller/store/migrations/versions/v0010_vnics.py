"""Where do vNICs live?

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the index by which a free port is found."""
    op.create_table(
        "vnics",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("mac_address", sa.String(length=17), nullable=True),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("device_owner", sa.String(length=255), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=True),
        sa.Column("port_mac", sa.String(length=17), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["port_id"], ["ports.id"], name=op.f("fk_vnics_port_id_ports"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vnics")),
        sa.UniqueConstraint("port_id", name=op.f("uq_vnics_port_id")),
    )
    for column in ("project_id", "name", "mac_address", "owner"):
        op.create_index(op.f(f"ix_vnics_{column}"), "vnics", [column], unique=False)
    op.create_index(
        "ix_ports_free",
        "ports",
        ["network_id", "key"],
        unique=False,
        sqlite_where=sa.text("device_id = ''"),
        postgresql_where=sa.text("device_id = ''"),
    )
