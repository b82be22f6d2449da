"""What do the rules every new group starts with say of themselves? As Neutron's do.

Revision ID: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SEEDED = "description IS NULL OR description = ''"


def upgrade() -> None:
    """Describe the rules of the template that were there from the beginning: all ports and protocols of a direction."""
    for direction in ("egress", "ingress"):
        op.execute(
            "UPDATE default_security_group_rules"  # noqa: S608 - constants
            f" SET description = 'Legacy default SG rule for {direction} traffic'"
            f" WHERE direction = '{direction}' AND protocol IS NULL AND remote_ip_prefix IS NULL AND ({_SEEDED})"
        )
