"""Where does what projects consume live?

Revision ID: 0011
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COUNTED = (
    "networks",
    "subnets",
    "ports",
    "addresses",
    "security_groups",
    "security_group_rules",
    "segments",
    "hosts",
    "flows",
)


def _traffic() -> Iterator[sa.Column[int]]:
    names = ("packets_in", "bytes_in", "packets_out", "bytes_out")
    return (sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in names)


def _of_port(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["port_id"], ["ports.id"], name=op.f(f"fk_{table}_port_id_ports"), ondelete="CASCADE"
    )


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "port_counters",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        *_traffic(),
        _of_port("port_counters"),
        sa.PrimaryKeyConstraint("port_id", "host", name=op.f("pk_port_counters")),
    )
    op.create_table(
        "port_usage",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        *_traffic(),
        _of_port("port_usage"),
        sa.PrimaryKeyConstraint("port_id", name=op.f("pk_port_usage")),
    )
    op.create_table(
        "project_usage",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        *_traffic(),
        sa.Column("flows", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project_usage")),
    )
    op.create_table(
        "usage_samples",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTED),
        *_traffic(),
        sa.PrimaryKeyConstraint("project_id", "at", name=op.f("pk_usage_samples")),
    )
    op.create_index(op.f("ix_usage_samples_at"), "usage_samples", ["at"], unique=False)
