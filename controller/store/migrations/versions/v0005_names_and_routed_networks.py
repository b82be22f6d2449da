"""Where do names of networks and ports live, and which segment of its network does a subnet belong to?

Everything that exists stays as it is: nothing has a name, no network is routed, every port got its addresses at once.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table, column in (("networks", "dns_domain"), ("ports", "dns_name"), ("ports", "dns_domain")):
        op.add_column(table, sa.Column(column, sa.String(length=255), server_default="", nullable=False))
    op.add_column("ports", sa.Column("ip_allocation", sa.String(length=16), server_default="immediate", nullable=False))
    op.add_column("subnets", sa.Column("segment_id", sa.String(length=36), nullable=True))
    op.create_index(op.f("ix_subnets_segment_id"), "subnets", ["segment_id"], unique=False)
