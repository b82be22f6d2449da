"""Where is kept who was seen to use an address without being a port that has it?

Revision ID: 0050
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE = "address_sightings"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("ip_address", sa.String(length=45), nullable=False),
        sa.Column("mac_address", sa.String(length=17), nullable=False),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [f"{table}_id"], [f"{table}s.id"], name=op.f(f"fk_{TABLE}_{table}_id_{table}s"), ondelete="CASCADE"
            )
            for table in ("network", "subnet", "port")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint(
            "subnet_id", "ip_address", "mac_address", name=op.f(f"uq_{TABLE}_subnet_id_ip_address_mac_address")
        ),
    )
    for column in ("ip_address", "mac_address", "port_id", "last_seen"):
        op.create_index(op.f(f"ix_{TABLE}_{column}"), TABLE, [column])
    op.create_index(f"ix_{TABLE}_network", TABLE, ["network_id", "port_id"])
