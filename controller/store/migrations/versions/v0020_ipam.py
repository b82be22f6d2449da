"""Where are held addresses, the choices about a subnet's addresses, reservations and samples kept?

Every subnet there is goes on as before: random addresses, nothing excluded, quarantine as configured.

Revision ID: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0030"
branch_labels = None
depends_on = None

_TAKEN = sa.text("(released_at IS NULL OR held_until IS NOT NULL)")
_HELD = sa.text("held_until IS NOT NULL")
_EXPIRES = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    """Let the indexes of live addresses cover held ones too, and create the tables."""
    op.add_column("allocations", sa.Column("held_until", sa.BigInteger(), nullable=True))
    op.add_column("allocations", sa.Column("held_as", sa.String(length=16), nullable=True))
    op.add_column("allocations", sa.Column("held_for", sa.String(length=255), nullable=True))
    for name, columns, where in (
        ("uq_allocations_live", ["subnet_id", "address"], _TAKEN),
        ("ix_allocations_live_block", ["subnet_id", "block"], _TAKEN),
        ("ix_allocations_held", ["subnet_id", "held_until"], _HELD),
    ):
        if where is _TAKEN:
            op.drop_index(name, "allocations")
        op.create_index(
            name,
            "allocations",
            columns,
            unique=name.startswith("uq_"),
            sqlite_where=where,
            postgresql_where=where,
        )
    _create_tables()


def _create_tables() -> None:
    op.create_table(
        "subnet_ipam",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("strategy", sa.String(length=16), nullable=False),
        sa.Column("quarantine", sa.Integer(), nullable=True),
        sa.Column("excluded_ranges", sa.Text(), nullable=False),
        sa.Column("excluded_octets", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_subnet_ipam_subnet_id_subnets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subnet_id", name=op.f("pk_subnet_ipam")),
    )
    op.create_table(
        "ip_reservations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("ip_address", sa.String(length=45), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_ip_reservations_subnet_id_subnets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ip_reservations")),
        sa.UniqueConstraint("subnet_id", "ip_address", name=op.f("uq_ip_reservations_subnet_id_ip_address")),
    )
    for column in ("project_id", "name", "ip_address"):
        op.create_index(op.f(f"ix_ip_reservations_{column}"), "ip_reservations", [column], unique=False)
    op.create_index(
        "ix_ip_reservations_expiring",
        "ip_reservations",
        ["expires_at"],
        unique=False,
        sqlite_where=_EXPIRES,
        postgresql_where=_EXPIRES,
    )
    op.create_table(
        "subnet_samples",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_subnet_samples_subnet_id_subnets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subnet_id", "at", name=op.f("pk_subnet_samples")),
    )
