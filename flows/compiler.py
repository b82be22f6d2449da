"""Which contribution does a unit's intent make? The one place that says which features a unit has."""

from collections.abc import Iterable
from dataclasses import replace

from flows.contribution import Contribution
from flows.features import (
    admission,
    base,
    isolation,
    l2,
    meters,
    neighbours,
    provider,
    rules,
    services,
    sightings,
    tunnel,
)
from flows.intent import (
    AddressGroupIntent,
    BaseIntent,
    LocalPortIntent,
    PeerIntent,
    RemotePortIntent,
    RulesetIntent,
    SegmentIntent,
    UnitIntent,
)
from flows.pipeline import broadcast_group, unknown_group
from flows.state import BridgeState


def compile_unit(intent: UnitIntent) -> Contribution:
    """Return what one unit adds to its bridge; the same intent gives the same value."""
    wanted = _wanted(intent)
    if len(set(wanted.keys)) == len(wanted.keys):
        return wanted
    # Rules overlap, and so do the addresses of allowed pairs: of flows with one key the last stands.
    return replace(wanted, flows=tuple({flow.key: flow for flow in wanted.flows}.values()))


def _wanted(intent: UnitIntent) -> Contribution:
    match intent:
        case LocalPortIntent():
            return Contribution(
                flows=(
                    *admission.flows(intent),
                    *services.dhcp_flows(intent),
                    *services.ipv6_flows(intent),
                    *services.arrival_flows(intent),
                    *sightings.port_flows(intent),
                    *neighbours.own_flows(intent),
                    *neighbours.address_flows(intent),
                    *rules.port_flows(intent),
                    *rules.peer_flows(intent.ruleset, intent.groups),
                    *rules.pair_flows(intent),
                    *isolation.local_flows(intent),
                    *l2.local_flows(intent),
                ),
                members=tuple(l2.local_members(intent)),
                meters=tuple(meters.of_port(intent)),
            )
        case RemotePortIntent() if intent.awaited:
            return Contribution(flows=tuple(isolation.remote_flows(intent)))
        case RemotePortIntent():
            return Contribution(
                flows=(
                    *tunnel.remote_flows(intent),
                    *sightings.remote_flows(intent),
                    *neighbours.address_flows(intent),
                    *rules.peer_flows(intent.ruleset, intent.groups),
                    *rules.pair_flows(intent),
                    *isolation.remote_flows(intent),
                    *l2.remote_flows(intent),
                ),
                members=tuple(l2.remote_members(intent)),
            )
        case SegmentIntent():
            return Contribution(
                flows=(
                    *services.service_address_flows(intent),
                    *provider.flows(intent),
                    *sightings.segment_flows(intent),
                    *isolation.segment_flows(intent),
                    *l2.segment_flows(intent),
                ),
                groups=(broadcast_group(intent.segment), unknown_group(intent.segment)),
                members=tuple(provider.members(intent)),
                meters=tuple(meters.of_segment(intent)),
            )
        case PeerIntent():
            return Contribution(
                flows=(*tunnel.peer_flows(intent), *tunnel.probe_flows(intent)),
                meters=tuple(meters.of_peer(intent)),
            )
        case RulesetIntent():
            return Contribution(flows=tuple(rules.ruleset_flows(intent)))
        case AddressGroupIntent():
            return Contribution(flows=tuple(rules.address_group_flows(intent)))
        case BaseIntent():
            return Contribution(flows=tuple(base.flows()), whole_groups=tuple(base.groups()))


def compile_bridge(intents: Iterable[UnitIntent]) -> BridgeState:
    """Return the whole desired state of a bridge, compiled from nothing."""
    state = BridgeState()
    state.replace({intent.unit: compile_unit(intent) for intent in intents})
    return state
