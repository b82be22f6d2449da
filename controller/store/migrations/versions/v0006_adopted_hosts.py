"""Which hosts' bridges are taken although others have a controller or flows there? None of those that exist.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the column."""
    op.add_column("hosts", sa.Column("adopt", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("hosts", "adopt")
