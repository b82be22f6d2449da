"""Where is kept which service gives out a subnet's addresses, and what it is owed?

Revision ID: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; every subnet there is has the built-in driver."""
    op.create_table(
        "subnet_drivers",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("driver", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_subnet_drivers_subnet_id_subnets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subnet_id", name=op.f("pk_subnet_drivers")),
    )
    op.create_index(op.f("ix_subnet_drivers_driver"), "subnet_drivers", ["driver"], unique=False)
    op.create_table(
        "ipam_asks",
        sa.Column("mark", sa.String(length=36), nullable=False),
        sa.Column("driver", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("is_void", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_ipam_asks")),
    )
    op.create_index("ix_ipam_asks_driver", "ipam_asks", ["driver", "not_before"], unique=False)
    op.create_table(
        "remote_addresses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("driver", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("handle", sa.String(length=255), nullable=False),
        sa.Column("mark", sa.String(length=36), nullable=False),
        sa.Column("allocation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["allocation_id"],
            ["allocations.id"],
            name=op.f("fk_remote_addresses_allocation_id_allocations"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remote_addresses")),
    )
    op.create_index(op.f("ix_remote_addresses_allocation_id"), "remote_addresses", ["allocation_id"], unique=False)
    op.create_index("ix_remote_addresses_handle", "remote_addresses", ["driver", "handle"], unique=False)
    left, untold = sa.text("allocation_id IS NULL"), sa.text("NOT is_told")
    op.create_index(
        "ix_remote_addresses_left", "remote_addresses", ["driver"], sqlite_where=left, postgresql_where=left
    )
    op.create_index(
        "ix_remote_addresses_untold", "remote_addresses", ["driver"], sqlite_where=untold, postgresql_where=untold
    )
