"""Which programs work for the networks, and when was each last heard of?

An agent in Neutron's sense is a row that whoever does the work writes every few seconds: here the controller, for
itself and for every host it is connected to. A removed row comes back with the next beat.
"""

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text, UniqueConstraint, bindparam, case, delete

from controller.store.dialects import insert_or_ignore, insert_or_update
from controller.store.schema import METADATA, NAME_LENGTH, UUID_LENGTH
from controller.store.transaction import Transaction

OVS_AGENT = "Open vSwitch agent"
"""Neutron's name for what makes Open vSwitch forward on a host; clients look for it."""
CONTROLLER_AGENT = "Weft controller"
BINARIES = {OVS_AGENT: "ovs-vswitchd", CONTROLLER_AGENT: "weft"}
DOWN_AFTER_S = 75
"""Neutron's agent_down_time."""

AGENTS = Table(
    "agents",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("agent_type", String(NAME_LENGTH), nullable=False),
    Column("binary", String(NAME_LENGTH), nullable=False),
    Column("host", String(NAME_LENGTH), nullable=False, index=True),
    Column("admin_state_up", Boolean, nullable=False),
    Column("description", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger),
    UniqueConstraint("agent_type", "host"),
)

_KEY = (AGENTS.c.agent_type, AGENTS.c.host)
_ADD = insert_or_ignore(AGENTS, conflict=_KEY)
_NOW = bindparam("heard_at", type_=BigInteger())
_BEAT = insert_or_update(
    AGENTS,
    conflict=_KEY,
    update={
        "heartbeat_at": _NOW,
        # Silent for so long, it was down: it begins anew.
        "started_at": case((AGENTS.c.heartbeat_at >= _NOW - DOWN_AFTER_S, AGENTS.c.started_at), else_=_NOW),
    },
)


def add_agent(tx: Transaction, agent_type: str, host: str) -> None:
    """Note that there is to be an agent, which has not been heard of yet."""
    tx.connection.execute(tx.variant(_ADD), _row(tx, agent_type, host) | {"heartbeat_at": None})


def beat(tx: Transaction, agent_type: str, host: str) -> None:
    """Note that an agent is alive now."""
    tx.connection.execute(tx.variant(_BEAT), _row(tx, agent_type, host) | {"heard_at": tx.timestamp})


def forget_agent(tx: Transaction, agent_type: str, host: str) -> None:
    """Remove an agent that will not be heard of again."""
    tx.connection.execute(delete(AGENTS).where(AGENTS.c.agent_type == agent_type, AGENTS.c.host == host))


def _row(tx: Transaction, agent_type: str, host: str) -> dict[str, object]:
    return {
        "id": tx.new_id(),
        "agent_type": agent_type,
        "binary": BINARIES[agent_type],
        "host": host,
        "admin_state_up": True,
        "created_at": tx.timestamp,
        "started_at": tx.timestamp,
        "heartbeat_at": tx.timestamp,
    }
