"""Where is it written with whom an object is shared?

``shared`` of a network becomes a row of its own, and an external network gets the row that shows it to everybody.

Revision ID: 0008
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, move what networks say into it, and drop their column."""
    op.create_table(
        "rbac_policies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("object_type", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target_project", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rbac_policies")),
        sa.UniqueConstraint(
            "object_id", "action", "target_project", name=op.f("uq_rbac_policies_object_id_action_target_project")
        ),
    )
    op.create_index(op.f("ix_rbac_policies_project_id"), "rbac_policies", ["project_id"], unique=False)
    op.create_index(
        "ix_rbac_policies_target_project",
        "rbac_policies",
        ["target_project", "action", "object_type", "object_id"],
        unique=False,
    )
    for column, action in (("shared", "access_as_shared"), ("router_external", "access_as_external")):
        _move(column, action)
    op.drop_column("networks", "shared")


def _move(column: str, action: str) -> None:
    networks = sa.table("networks", sa.column("id"), sa.column("project_id"), sa.column(column, sa.Boolean))
    connection = op.get_bind()
    rows = [
        {
            "id": str(uuid.uuid4()),
            "project_id": row.project_id,
            "object_type": "network",
            "object_id": row.id,
            "action": action,
            "target_project": "*",
        }
        for row in connection.execute(sa.select(networks).where(networks.c[column]))
    ]
    if rows:
        names = ("id", "project_id", "object_type", "object_id", "action", "target_project")
        op.bulk_insert(sa.table("rbac_policies", *(sa.column(name) for name in names)), rows)
