"""How is what projects consume laid out in tables? Written by the controller process only; no intent."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table

from controller.store.schema import METADATA, NAME_LENGTH

TRAFFIC = ("packets_in", "bytes_in", "packets_out", "bytes_out")
COUNTED = (
    "networks",
    "subnets",
    "ports",
    "addresses",
    "security_groups",
    "security_group_rules",
    "segments",
    "hosts",
    "flows",
)
"""What a project has at one moment."""


def _traffic() -> Iterator[Column[int]]:
    return (Column(name, BigInteger, nullable=False, server_default="0") for name in TRAFFIC)


# The last reading of a switch: a port may be on two hosts while it migrates.
PORT_COUNTERS = Table(
    "port_counters",
    METADATA,
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("host", String(NAME_LENGTH), primary_key=True),
    *_traffic(),
)

# Totals, which only grow.
PORT_USAGE = Table(
    "port_usage",
    METADATA,
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    *_traffic(),
)

# The project's totals outlive its ports.
PROJECT_USAGE = Table(
    "project_usage",
    METADATA,
    Column("project_id", String(NAME_LENGTH), primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    *_traffic(),
    Column("flows", BigInteger, nullable=False, server_default="0"),
)

USAGE_SAMPLES = Table(
    "usage_samples",
    METADATA,
    Column("project_id", String(NAME_LENGTH), primary_key=True),
    Column("at", BigInteger, primary_key=True, index=True),
    *(Column(name, BigInteger, nullable=False) for name in COUNTED),
    *_traffic(),
)
