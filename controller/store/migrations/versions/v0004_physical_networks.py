"""Where do the physical networks of hosts live, with the OpenFlow numbers of the ways to them?

Until now a number was that of the place in the list; every way keeps the one it has.

Revision ID: 0004
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FIRST_OFPORT, LAST_OFPORT = 65_200, 65_277


def upgrade() -> None:
    """Move them from a column of their hosts into a table."""
    physnets = op.create_table(
        "physnets",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("bridge", sa.String(length=15), nullable=False),
        sa.Column("ofport", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("ofport BETWEEN 65200 AND 65277", name=op.f("ck_physnets_ofport_of_patches")),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_physnets_host_id_hosts"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("host_id", "name", name=op.f("pk_physnets")),
        sa.UniqueConstraint("host_id", "bridge", name=op.f("uq_physnets_host_id_bridge")),
        sa.UniqueConstraint("host_id", "ofport", name=op.f("uq_physnets_host_id_ofport")),
    )
    rows = [row for host in op.get_bind().execute(sa.text("SELECT id, physnets FROM hosts")) for row in _rows(*host)]
    if rows:
        op.bulk_insert(physnets, rows)
    op.drop_column("hosts", "physnets")


def _rows(host_id: str, stored: str) -> list[dict[str, object]]:
    """Return what a host's list becomes; what never had a way, for want of a number or with a bridge twice, is left."""
    rows: list[dict[str, object]] = []
    bridges: set[str] = set()
    for position, (name, bridge) in enumerate(json.loads(stored)[: LAST_OFPORT - FIRST_OFPORT + 1]):
        if bridge not in bridges:
            bridges.add(bridge)
            ofport = FIRST_OFPORT + position
            rows.append({"host_id": host_id, "name": name, "bridge": bridge, "ofport": ofport, "position": position})
    return rows
