"""Where do agents, availability zones and the service types of subnets live?

Every registered host becomes an agent that has not been heard of yet, in the zone ``nova`` (Neutron's default).

Revision ID: 0014
"""

import time
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

AGENT_TYPE = "Open vSwitch agent"
BINARY = "ovs-vswitchd"


def upgrade() -> None:
    """Create the table and the columns."""
    op.add_column("networks", sa.Column("availability_zone_hints", sa.Text(), server_default="[]", nullable=False))
    op.add_column("subnets", sa.Column("service_types", sa.Text(), server_default="[]", nullable=False))
    op.add_column("hosts", sa.Column("availability_zone", sa.String(length=255), server_default="nova", nullable=False))
    op.create_index(op.f("ix_hosts_availability_zone"), "hosts", ["availability_zone"], unique=False)
    agents = op.create_table(
        "agents",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("agent_type", sa.String(length=255), nullable=False),
        sa.Column("binary", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("agent_type", "host", name=op.f("uq_agents_agent_type_host")),
    )
    op.create_index(op.f("ix_agents_host"), "agents", ["host"], unique=False)
    now = int(time.time())
    rows = [
        {
            "id": str(uuid.uuid4()),
            "agent_type": AGENT_TYPE,
            "binary": BINARY,
            "host": name,
            "admin_state_up": True,
            "created_at": now,
            "started_at": now,
        }
        for (name,) in op.get_bind().execute(sa.text("SELECT name FROM hosts"))
    ]
    if rows:
        op.bulk_insert(agents, rows)
