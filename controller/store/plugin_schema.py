"""How is laid out what engines of plug-ins tell, and which networks are on their way from one to another?"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    FromClause,
    String,
    Table,
    Text,
    exists,
    or_,
)

from controller.store.schema import METADATA

PLUGIN_STATES = Table(
    "plugin_states",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("condition", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("versions", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
"""One row a plug-in; written by the controller process only."""

PLUGIN_HOSTS = Table(
    "plugin_hosts",
    METADATA,
    Column("plugin", String(64), primary_key=True),
    Column("host", String(255), primary_key=True),
    Column("datapath_type", String(16), nullable=False),
    Column("tunnel_ip", String(45)),
    # JSON: a list of pairs, physical network and bridge.
    Column("physnets", Text, nullable=False),
)
"""Hosts that a plug-in found and that are registered for another: ports of either may be bound there."""

NETWORK_MOVES = Table(
    "network_moves",
    METADATA,
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    # Where the two have the guests' devices, on the hosts of both.
    Column("source_bridge", String(15)),
    Column("target_bridge", String(15)),
    # False while the target prepares; then the network is the target's, and the source lets go.
    Column("is_switched", Boolean, nullable=False),
    Column("started_at", BigInteger, nullable=False),
)
"""Networks on their way; a row goes when nothing is left with the source."""

GIVEN_UP_MOVES = Table(
    "given_up_moves",
    METADATA,
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), primary_key=True),
    Column("target", String(64), nullable=False),
    # JSON: a list of sentences.
    Column("reasons", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Networks that stayed where they were although the target was ready; a row goes when the network is moved anew."""


def is_host_of(hosts: FromClause, plugin: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a row of hosts is one of a plug-in: registered for it, found by it, or both."""
    beside = exists().where(PLUGIN_HOSTS.c.plugin == plugin, PLUGIN_HOSTS.c.host == hosts.c.name)
    return or_(hosts.c.plugin == plugin, beside.correlate_except(PLUGIN_HOSTS))
