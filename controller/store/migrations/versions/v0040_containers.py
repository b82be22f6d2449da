"""Where are container flavors, containers and their members kept?

Revision ID: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0050"
branch_labels = None
depends_on = None

_UUID, _NAME = sa.String(length=36), sa.String(length=255)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "container_flavors",
        sa.Column("id", _UUID, nullable=False),
        sa.Column("project_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("template_yaml", sa.Text(), nullable=True),
        *_standard(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_container_flavors")),
        sa.UniqueConstraint("project_id", "name", "version", name="uq_container_flavors_version"),
    )
    for column in ("name", "version", "public"):
        op.create_index(op.f(f"ix_container_flavors_{column}"), "container_flavors", [column])
    op.create_table(
        "container_flavor_parts",
        sa.Column("flavor_id", _UUID, nullable=False),
        sa.Column("name", sa.String(length=271), nullable=False),
        sa.Column("part_id", _UUID, nullable=False),
        sa.ForeignKeyConstraint(
            ["flavor_id"],
            ["container_flavors.id"],
            name=op.f("fk_container_flavor_parts_flavor_id_container_flavors"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["part_id"],
            ["container_flavors.id"],
            name=op.f("fk_container_flavor_parts_part_id_container_flavors"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("flavor_id", "name", name=op.f("pk_container_flavor_parts")),
    )
    op.create_index(op.f("ix_container_flavor_parts_part_id"), "container_flavor_parts", ["part_id"])
    op.create_table(
        "containers",
        sa.Column("id", _UUID, nullable=False),
        sa.Column("project_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("flavor_id", _UUID, nullable=True),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("endpoints", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
        *_standard(),
        sa.ForeignKeyConstraint(
            ["flavor_id"],
            ["container_flavors.id"],
            name=op.f("fk_containers_flavor_id_container_flavors"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_containers")),
    )
    for column in ("project_id", "name", "flavor_id"):
        op.create_index(op.f(f"ix_containers_{column}"), "containers", [column])
    op.create_table(
        "container_members",
        sa.Column("container_id", _UUID, nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("object_id", _UUID, nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("came_with", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["container_id"],
            ["containers.id"],
            name=op.f("fk_container_members_container_id_containers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("container_id", "path", name=op.f("pk_container_members")),
        sa.UniqueConstraint("object_id", name=op.f("uq_container_members_object_id")),
    )
    op.create_index("ix_container_members_type", "container_members", ["container_id", "type"])


def _standard() -> tuple[sa.Column[int], ...]:
    return tuple(
        sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "updated_at", "revision_number")
    )
