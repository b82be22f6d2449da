"""What is an agent on the wire?

Neutron API reference, agents; extensions agent, agent_sort_key, availability_zone.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter

from api.attributes import Attribute, Resource, Service, by, by_constant, flag, itself, optional
from api.schema import BOOLEAN, OBJECT, TEXT, or_null
from api.validators import boolean, nullable, text
from controller.services import agents
from controller.services.agents import Agent

_TOPIC = "N/A"
"""No message queue leads to an agent; Neutron's word where its agents have none."""


def agent_time(at: datetime) -> str:
    """Return a time as Neutron writes those of agents: UTC, whole seconds, no letters."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _time(name: str) -> Callable[[Agent], object]:
    return lambda agent: agent_time(getattr(agent, name))


AGENT: Resource[Agent, Agent] = Resource(
    collection="agents",
    member="agent",
    doc="The controller, and each host's Open vSwitch; for administrators.",
    service=Service(get=agents.get, find=agents.find, update=agents.update, delete=agents.delete),
    look=itself,
    identify=attrgetter("id"),
    attributes=(
        *(
            Attribute(name=name, doc=doc, show=attrgetter(name), filter=by(name), sort=name, shows=TEXT)
            for name, doc in (
                ("id", "Identifier; a new one when a removed agent is heard of again."),
                ("agent_type", "Open vSwitch agent, or Weft controller."),
                ("binary", "What runs there."),
                ("host", "Where it runs; for Open vSwitch the name of the registered host."),
            )
        ),
        Attribute(
            name="topic",
            doc="N/A: agents are not reached through a message queue.",
            show=lambda _agent: _TOPIC,
            filter=by_constant(_TOPIC),
            shows=TEXT,
        ),
        Attribute(
            name="admin_state_up",
            doc="False for the hosts of a zone makes the zone unavailable; ports go on working.",
            show=attrgetter("admin_state_up"),
            key="admin_state_up",
            parse=boolean,
            put=True,
            filter=by("admin_state_up", flag),
            sort="admin_state_up",
        ),
        *(
            Attribute(name=name, doc=doc, show=_time(key), sort=key, shows=TEXT)
            for name, key, doc in (
                ("created_at", "created_at", "When it was first heard of, or its host registered."),
                ("started_at", "started_at", "Since when it has been heard of without a pause."),
                ("heartbeat_timestamp", "heartbeat_at", "When it was last heard of."),
            )
        ),
        Attribute(
            name="alive",
            doc="It was heard of in the last 75 seconds and is connected.",
            show=attrgetter("alive"),
            filter=by("alive", flag),
            sort="alive",
            shows=BOOLEAN,
        ),
        Attribute(
            name="configurations",
            doc="What it works with: bridges, tunnels, versions.",
            show=lambda agent: dict(agent.configurations),
            shows=OBJECT,
        ),
        Attribute(
            name="description",
            doc="Text for people, or null.",
            show=attrgetter("description"),
            key="description",
            parse=nullable(text()),
            put=True,
            filter=by("description", optional),
            sort="description",
        ),
        Attribute(
            name="availability_zone",
            doc="Its host's zone; null for the controller.",
            show=attrgetter("availability_zone"),
            filter=by("availability_zone", optional),
            sort="availability_zone",
            shows=or_null(TEXT),
        ),
    ),
)
