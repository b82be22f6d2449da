"""Where do subnet pools and address scopes live?

Everything that exists stays as it is: no subnet is of a pool.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_scopes()
    _create_pools()
    op.create_table(
        "subnetpool_prefixes",
        sa.Column("subnetpool_id", sa.String(length=36), nullable=False),
        sa.Column("first", sa.String(length=32), nullable=False),
        sa.Column("last", sa.String(length=32), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnetpool_id"],
            ["subnetpools.id"],
            name=op.f("fk_subnetpool_prefixes_subnetpool_id_subnetpools"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subnetpool_id", "first", name=op.f("pk_subnetpool_prefixes")),
    )
    op.create_table(
        "free_prefixes",
        sa.Column("subnetpool_id", sa.String(length=36), nullable=False),
        sa.Column("first", sa.String(length=32), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnetpool_id"],
            ["subnetpools.id"],
            name=op.f("fk_free_prefixes_subnetpool_id_subnetpools"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subnetpool_id", "first", name=op.f("pk_free_prefixes")),
    )
    op.create_index("ix_free_prefixes_smallest", "free_prefixes", ["subnetpool_id", "prefix_length", "first"])
    _create_pooled_subnets()


def _create_scopes() -> None:
    op.create_table(
        "address_scopes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("ip_version", sa.Integer(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_scopes")),
    )
    for column in ("project_id", "name"):
        op.create_index(op.f(f"ix_address_scopes_{column}"), "address_scopes", [column], unique=False)


def _create_pools() -> None:
    op.create_table(
        "subnetpools",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("ip_version", sa.Integer(), nullable=False),
        sa.Column("min_prefixlen", sa.Integer(), nullable=False),
        sa.Column("max_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_quota", sa.BigInteger(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("address_scope_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "min_prefixlen <= default_prefixlen AND default_prefixlen <= max_prefixlen",
            name=op.f("ck_subnetpools_bounds"),
        ),
        sa.ForeignKeyConstraint(
            ["address_scope_id"],
            ["address_scopes.id"],
            name=op.f("fk_subnetpools_address_scope_id_address_scopes"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnetpools")),
    )
    for column in ("project_id", "name", "address_scope_id"):
        op.create_index(op.f(f"ix_subnetpools_{column}"), "subnetpools", [column], unique=False)
    op.create_index(
        "uq_subnetpools_default",
        "subnetpools",
        ["ip_version"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _create_pooled_subnets() -> None:
    op.create_table(
        "pooled_subnets",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("subnetpool_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("first", sa.String(length=32), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_pooled_subnets_subnet_id_subnets"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subnetpool_id"],
            ["subnetpools.id"],
            name=op.f("fk_pooled_subnets_subnetpool_id_subnetpools"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("subnet_id", name=op.f("pk_pooled_subnets")),
    )
    op.create_index("uq_pooled_subnets_first", "pooled_subnets", ["subnetpool_id", "first"], unique=True)
    op.create_index("ix_pooled_subnets_of_project", "pooled_subnets", ["subnetpool_id", "project_id", "prefix_length"])
