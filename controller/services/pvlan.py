"""Which private VLAN type does a port have, and may it?

RFC 5517; Neutron extension pvlan.

Only guarded ports can be told apart on another host, where a frame's sender is known by its MAC address; the network's
own ports (owner ``network:*``) serve everybody and are always promiscuous.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import not_, select, update

from controller.network_errors import (
    PVLANCannotSetCommunityName,
    PVLANCommunityNameRequired,
    PVLANNotEnabledOnNetwork,
    PVLANPortSecurityDisabled,
)
from controller.records import Network, RuleKey
from controller.services.port_groups import TRUSTED_OWNER
from controller.store.communities import community_key, forget_communities
from controller.store.schema import PORTS
from controller.store.transaction import Transaction

PROMISCUOUS, ISOLATED, COMMUNITY = "promiscuous", "isolated", "community"
PVLAN_TYPES = (ISOLATED, PROMISCUOUS, COMMUNITY)
COMMUNITY_NAME = r"[a-zA-Z_.][a-zA-Z_.0-9]{0,231}"
PROMISCUOUS_ROLE, ISOLATED_ROLE = RuleKey(0), RuleKey(1)
"""What ``flows.intent`` calls PROMISCUOUS and ISOLATED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """A port's place in a private VLAN; both None on an ordinary network."""

    pvlan_type: str | None = None
    pvlan_community: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What decides about a port's isolation beside what is asked for."""

    port_id: str
    network_id: str
    is_pvlan: bool
    """The network's."""
    port_security_enabled: bool
    device_owner: str


def isolation_of(subject: Subject, asked: Mapping[str, Any], before: Isolation) -> Isolation:
    """Return a port's isolation after a request; ``asked`` holds only what the request names.

    Raises:
        PVLANNotEnabledOnNetwork, PVLANPortSecurityDisabled, PVLANCannotSetCommunityName, PVLANCommunityNameRequired
    """
    wanted = asked.get("pvlan_type", before.pvlan_type)
    community = asked.get("pvlan_community")
    if not subject.is_pvlan:
        if wanted or community:
            raise PVLANNotEnabledOnNetwork(subject.network_id)
        return Isolation()
    if subject.device_owner.startswith(TRUSTED_OWNER):
        return Isolation(pvlan_type=PROMISCUOUS)
    if not subject.port_security_enabled:
        raise PVLANPortSecurityDisabled(subject.port_id)
    wanted = wanted or PROMISCUOUS
    if wanted != COMMUNITY:
        if community:
            raise PVLANCannotSetCommunityName(subject.port_id)
        return Isolation(pvlan_type=wanted)
    community = community or before.pvlan_community
    if not community:
        raise PVLANCommunityNameRequired(subject.port_id)
    return Isolation(pvlan_type=COMMUNITY, pvlan_community=community)


def role_of(
    tx: Transaction, network_id: str, isolation: Isolation, known: dict[tuple[str, str], RuleKey] | None = None
) -> RuleKey:
    """Return the number that stands for an isolation in registers.

    Args:
        tx: The transaction the port is stored in.
        network_id: The port's network.
        isolation: The port's.
        known: Communities other ports of the same transaction are in; many ports of one cost one look.

    Raises:
        RuleKeyExhausted: every number was given.
    """
    if isolation.pvlan_community is None:
        return ISOLATED_ROLE if isolation.pvlan_type == ISOLATED else PROMISCUOUS_ROLE
    place = (network_id, isolation.pvlan_community)
    if known is None:
        return community_key(tx, *place)
    if place not in known:
        known[place] = community_key(tx, *place)
    return known[place]


def switch(tx: Transaction, network: Network) -> None:
    """Make every port of a network promiscuous that has become a private VLAN, or clear the types of one that ceased.

    Raises:
        PVLANPortSecurityDisabled: a port of a network to become private is not guarded.
    """
    on_network = PORTS.c.network_id == network.id
    if network.pvlan:
        open_ports = select(PORTS.c.id).where(
            on_network, not_(PORTS.c.port_security_enabled), PORTS.c.device_owner.not_like(f"{TRUSTED_OWNER}%")
        )
        unguarded = tx.connection.execute(open_ports.order_by(PORTS.c.key).limit(1)).scalar()
        if unguarded is not None:
            raise PVLANPortSecurityDisabled(unguarded)
    for port_id in tx.connection.scalars(select(PORTS.c.id).where(on_network)).all():
        tx.journal("port", port_id, network.id)
    tx.connection.execute(
        update(PORTS)
        .where(on_network)
        .values(
            pvlan_type=PROMISCUOUS if network.pvlan else None,
            pvlan_community=None,
            role=PROMISCUOUS_ROLE,
            updated_at=tx.timestamp,
            revision_number=PORTS.c.revision_number + 1,
        )
    )
    forget_communities(tx, network.id)
