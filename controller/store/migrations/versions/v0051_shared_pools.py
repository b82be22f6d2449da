"""Where is it written with whom subnet pools and address scopes are shared?

With policies, as of networks and groups: ``shared`` of each becomes a row about everybody.

Revision ID: 0051
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move what pools and scopes say into the table of policies, and drop their columns."""
    for table, object_type in (("subnetpools", "subnetpool"), ("address_scopes", "address_scope")):
        _move(table, object_type)
        op.drop_column(table, "shared")


def _move(name: str, object_type: str) -> None:
    table = sa.table(name, sa.column("id"), sa.column("project_id"), sa.column("shared", sa.Boolean))
    rows = [
        {
            "id": str(uuid.uuid4()),
            "project_id": row.project_id,
            "object_type": object_type,
            "object_id": row.id,
            "action": "access_as_shared",
            "target_project": "*",
        }
        for row in op.get_bind().execute(sa.select(table).where(table.c.shared))
    ]
    if rows:
        names = ("id", "project_id", "object_type", "object_id", "action", "target_project")
        op.bulk_insert(sa.table("rbac_policies", *(sa.column(one) for one in names)), rows)
