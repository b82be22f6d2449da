"""Where do security groups and address groups live, and which rules do ports from before them get?

Ports that exist keep what they could do inside their project: a guarded port gets its project's ``default`` group, made
here, so that the members of a project go on reaching each other. Without it every such port would be cut off at the
upgrade, because a guarded port without a group may not exchange anything. Ports of the network itself (owner
``network:*``) get none, as if they were created today.

Revision ID: 0002
"""

import time
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIRST_KEY = 16
EVERY_FAMILY = ("IPv4", "IPv6")
PARENT = "PARENT"


def upgrade() -> None:
    """Create the tables, the template of new groups, and a default group for each project that has guarded ports."""
    _create_tables()
    op.add_column("ports", sa.Column("ruleset", sa.Integer(), server_default="1", nullable=False))
    op.create_index(op.f("ix_ports_ruleset"), "ports", ["ruleset"], unique=False)
    now = int(time.time())
    _insert("default_security_group_rules", *(_template(family, "egress", now) for family in EVERY_FAMILY))
    _insert("default_security_group_rules", *(_template(family, "ingress", now) for family in EVERY_FAMILY))
    _guard_existing_ports(now)


def _create_tables() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "security_groups",
        *_keyed_columns("security_groups"),
        sa.Column("stateful", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
    )
    op.create_index(op.f("ix_security_groups_name"), "security_groups", ["name"], unique=False)
    op.create_index(op.f("ix_security_groups_project_id"), "security_groups", ["project_id"], unique=False)
    op.create_index(
        "uq_security_groups_default",
        "security_groups",
        ["project_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "address_groups", *_keyed_columns("address_groups"), sa.Column("addresses", sa.Text(), nullable=False)
    )
    op.create_index(op.f("ix_address_groups_name"), "address_groups", ["name"], unique=False)
    op.create_index(op.f("ix_address_groups_project_id"), "address_groups", ["project_id"], unique=False)
    op.create_table(
        "security_group_sets",
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("group_ids", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.CheckConstraint("key BETWEEN 16 AND 2147483647", name=op.f("ck_security_group_sets_key_has_31_bits")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_security_group_sets")),
        sa.UniqueConstraint("digest", name=op.f("uq_security_group_sets_digest")),
    )
    op.create_table(
        "security_group_set_members",
        sa.Column("set_key", sa.Integer(), nullable=False),
        sa.Column("security_group_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["security_group_id"],
            ["security_groups.id"],
            name=op.f("fk_security_group_set_members_security_group_id_security_groups"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["set_key"],
            ["security_group_sets.key"],
            name=op.f("fk_security_group_set_members_set_key_security_group_sets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("set_key", "security_group_id", name=op.f("pk_security_group_set_members")),
    )
    op.create_index(
        op.f("ix_security_group_set_members_security_group_id"),
        "security_group_set_members",
        ["security_group_id"],
        unique=False,
    )
    _create_rule_tables()


def _create_rule_tables() -> None:
    op.create_table(
        "default_security_group_rules",
        *_clause_columns(),
        sa.Column("remote_group_id", sa.String(length=36), nullable=True),
        sa.Column("remote_address_group_id", sa.String(length=36), nullable=True),
        sa.Column("used_in_default_sg", sa.Boolean(), nullable=False),
        sa.Column("used_in_non_default_sg", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_default_security_group_rules")),
    )
    op.create_table(
        "security_group_rules",
        *_clause_columns(),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("security_group_id", sa.String(length=36), nullable=False),
        sa.Column("normalized_cidr", sa.String(length=49), nullable=True),
        sa.Column("remote_group_id", sa.String(length=36), nullable=True),
        sa.Column("remote_address_group_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group_rules")),
        sa.ForeignKeyConstraint(
            ["security_group_id"],
            ["security_groups.id"],
            name=op.f("fk_security_group_rules_security_group_id_security_groups"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["remote_group_id"],
            ["security_groups.id"],
            name=op.f("fk_security_group_rules_remote_group_id_security_groups"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["remote_address_group_id"],
            ["address_groups.id"],
            name=op.f("fk_security_group_rules_remote_address_group_id_address_groups"),
            ondelete="RESTRICT",
        ),
    )
    for column in ("project_id", "security_group_id", "remote_group_id", "remote_address_group_id"):
        op.create_index(op.f(f"ix_security_group_rules_{column}"), "security_group_rules", [column], unique=False)


def _keyed_columns(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        *_bookkeeping_columns(),
        sa.CheckConstraint("key BETWEEN 16 AND 2147483647", name=op.f(f"ck_{table}_key_has_31_bits")),
        sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("id", name=op.f(f"uq_{table}_id")),
    ]


def _clause_columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("ethertype", sa.String(length=8), nullable=False),
        sa.Column("protocol", sa.String(length=40), nullable=True),
        sa.Column("port_range_min", sa.Integer(), nullable=True),
        sa.Column("port_range_max", sa.Integer(), nullable=True),
        sa.Column("remote_ip_prefix", sa.String(length=49), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        *_bookkeeping_columns(),
    ]


def _bookkeeping_columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
    ]


def _guard_existing_ports(now: int) -> None:
    ports = sa.table("ports", *map(sa.column, ("id", "network_id", "project_id", "port_security_enabled", "ruleset")))
    owner: sa.ColumnClause[str] = sa.column("device_owner")
    guarded = sa.and_(ports.c.port_security_enabled, sa.not_(owner.like("network:%")))
    connection = op.get_bind()
    projects = list(connection.scalars(sa.select(ports.c.project_id).where(guarded).distinct()))
    for key, project_id in enumerate(projects, start=FIRST_KEY):
        group_id = str(uuid.uuid4())
        _insert("security_groups", _default_group(group_id, key, project_id, now))
        _insert("security_group_rules", *(_rule(group_id, project_id, family, now) for family in EVERY_FAMILY))
        _insert(
            "security_group_rules",
            *(_rule(group_id, project_id, family, now, remote_group_id=group_id) for family in EVERY_FAMILY),
        )
        connection.execute(ports.update().where(guarded, ports.c.project_id == project_id).values(ruleset=key))
        _insert("journal", {"kind": "security_group", "object_id": group_id, "network_id": None, "at": now})
    if projects:
        _insert("counters", {"name": "rule_key", "last": FIRST_KEY + len(projects) - 1})
        journal = sa.table("journal", *map(sa.column, ("kind", "object_id", "network_id", "at")))
        changed = sa.select(sa.literal("port"), ports.c.id, ports.c.network_id, sa.literal(now))
        connection.execute(
            journal.insert().from_select(
                ["kind", "object_id", "network_id", "at"], changed.where(ports.c.ruleset >= FIRST_KEY)
            )
        )


def _default_group(group_id: str, key: int, project_id: str, now: int) -> dict[str, Any]:
    return {
        "key": key,
        "id": group_id,
        "project_id": project_id,
        "name": "default",
        "description": "Default security group",
        "stateful": True,
        "is_default": True,
        "revision_number": 1,
    } | _born(now)


def _rule(group_id: str, project_id: str, family: str, now: int, remote_group_id: str | None = None) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "security_group_id": group_id,
        "direction": "ingress" if remote_group_id else "egress",
        "ethertype": family,
        "remote_group_id": remote_group_id,
        "description": "",
        "revision_number": 0,
    } | _born(now)


def _template(family: str, direction: str, now: int) -> dict[str, Any]:
    """Neutron's own: everything may go out, and members of a default group may reach each other."""
    is_ingress = direction == "ingress"
    return {
        "id": str(uuid.uuid4()),
        "direction": direction,
        "ethertype": family,
        "remote_group_id": PARENT if is_ingress else None,
        "used_in_default_sg": True,
        "used_in_non_default_sg": not is_ingress,
        "description": "",
        "revision_number": 0,
    } | _born(now)


def _born(now: int) -> dict[str, int]:
    return {"created_at": now, "updated_at": now}


def _insert(table: str, *rows: Mapping[str, Any]) -> None:
    target = sa.table(table, *map(sa.column, rows[0]))
    op.bulk_insert(target, [dict(row) for row in rows])
