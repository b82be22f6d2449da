"""What would a network lose in another plug-in, and how does it get there?

Everything is looked at before anything is done, and every reason against it is told. The move itself is made by the
controller process, step by step (``controller.store.network_moves``); here it is begun, looked at and taken back.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from controller.caller import Caller
from controller.plugin_errors import NetworkCannotMove, NetworkIsMoving, NoSuchPlugin
from controller.plugins.contract import Condition, Feature
from controller.plugins.registry import Loaded
from controller.policy.words import Target
from controller.records import Network, Port, Subnet
from controller.services import listing, network_types, networks, realisation
from controller.services.move_objections import (
    Ends,
    Journey,
    hosts_of_plugin,
    objections_of_content,
    objections_of_places,
)
from controller.services.rules import authorize, may
from controller.store import network_moves
from controller.store.loading import in_chunks, instant, networks_of
from controller.store.network_moves import NetworkMove
from controller.store.schema import NETWORKS, PORT_STATES, PORTS, SUBNETS
from controller.store.snapshot import ids_in_networks, load_networks, load_ports, load_subnets
from controller.store.transaction import Transaction

_log = logging.getLogger(__name__)
PREPARING, SWITCHED, ARRIVED, PLANNED, GIVEN_UP = "preparing", "switched", "arrived", "planned", "given_up"
"""How far a network is: the target prepares; it is the target's and devices change their bridge; nothing is under way;
nothing is done, only looked at; it stayed where it was, for something came up while the target prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingPort:
    """One port of a network that moves."""

    id: str
    name: str
    host: str | None
    status: str
    reason: str
    """As ``GET /v2.0/ports/ID/status`` says it; empty while nobody has said anything."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveView:
    """How a network's move is, or would be."""

    network_id: str
    source: str
    target: str
    phase: str
    changes: tuple[str, ...]
    """What the move changes, in sentences."""
    objections: tuple[str, ...]
    """Why it cannot be made, or was given up."""
    given_up_at: datetime | None
    ports: tuple[MovingPort, ...]


def show(tx: Transaction, caller: Caller, network_id: str) -> MoveView:
    """Return how far a network's move is.

    Raises:
        NetworkNotFound, PolicyNotAuthorized
    """
    network = _network(tx, caller, network_id)
    authorize(caller, "get_network_move", Target(project_id=network.project_id))
    moving = network_moves.load_moves(tx, [network.id]).get(network.id)
    return _view(tx, network, moving)


def plan(tx: Transaction, caller: Caller, network_id: str, target: str) -> MoveView:
    """Return what moving a network would change, and everything that is against it; nothing is done.

    Raises:
        NetworkNotFound, PolicyNotAuthorized, NoSuchPlugin, NetworkIsMoving
    """
    network = _network(tx, caller, network_id)
    authorize(caller, "move_network", Target(project_id=network.project_id))
    moving = network_moves.load_moves(tx, [network.id]).get(network.id)
    if moving is not None:
        _check_way(moving, target)
        return _view(tx, network, moving)
    journey = _journey(tx, network, target)
    return MoveView(
        network_id=network.id,
        source=network.plugin,
        target=target,
        phase=PLANNED if target != network.plugin else ARRIVED,
        changes=_changes(journey),
        objections=_objections(tx, journey),
        given_up_at=None,
        ports=_ports(tx, journey.ports),
    )


def move(tx: Transaction, caller: Caller, network_id: str, target: str) -> MoveView:
    """Let a network set out for another plug-in, or take one that is on its way back to where it came from.

    Raises:
        NetworkNotFound, PolicyNotAuthorized, NoSuchPlugin, NetworkIsMoving
        NetworkCannotMove: with every reason; nothing is done.
    """
    network = _network(tx, caller, network_id, lock=True)
    authorize(caller, "move_network", Target(project_id=network.project_id))
    moving = network_moves.load_moves(tx, [network.id]).get(network.id)
    if moving is not None:
        _check_way(moving, target)
        if target == moving.source:
            network_moves.take_back(tx, moving)
    elif target != network.plugin:
        journey = _journey(tx, network, target)
        objections = _objections(tx, journey)
        if objections:
            raise NetworkCannotMove(network.id, target, objections)
        network_moves.forget_given_up(tx, network.id)
        _set_out(tx, journey)
    else:
        network_moves.forget_given_up(tx, network.id)
    return show(tx, caller, network.id)


def switch(tx: Transaction, network_id: str, revision: int) -> bool:
    """Make a network its target's, which is ready; return whether that changed anything.

    What was asked for while it prepared was verified by the source alone, so everything is looked at once more: where
    something is against it now, the network stays, and its move and its ports say why.
    """
    moving = network_moves.load_moves(tx, [network_id]).get(network_id)
    network = load_networks(tx, [network_id]).get(network_id)
    if moving is None or moving.is_switched or network is None or network.revision_number != revision:
        return False
    objections = _objections(tx, _journey(tx, network, moving.target))
    if objections:
        reasons = "; ".join(objections)
        _log.warning("network_move_given_up network=%s target=%s reasons=%r", network_id, moving.target, reasons)
        network_moves.give_up(tx, moving, objections)
        return True
    return network_moves.switch(tx, network_id, revision)


def note_of_port(tx: Transaction, caller: Caller, port: Port) -> str:
    """Return what the status of a port says of a move of its network that was given up; empty when none was.

    The reasons may name what others have in the network: they are for those who may look at its move.
    """
    given_up = network_moves.load_given_up(tx, port.network_id)
    if given_up is None:
        return ""
    owner = tx.connection.execute(select(NETWORKS.c.project_id).where(NETWORKS.c.id == port.network_id)).scalar_one()
    told = f"The move of its network to plug-in '{given_up.target}' was given up"
    is_told_why = may(caller, "get_network_move", Target(project_id=owner))
    return f"{told}: {'; '.join(given_up.reasons)}" if is_told_why else told


def _network(tx: Transaction, caller: Caller, network_id: str, *, lock: bool = False) -> Network:
    return networks_of(tx.connection, [listing.one(tx, caller, networks.RESOURCE, network_id, lock=lock)])[0]


def _check_way(moving: NetworkMove, target: str) -> None:
    if target not in {moving.source, moving.target}:
        raise NetworkIsMoving(moving.network_id, moving.source, moving.target)


def _set_out(tx: Transaction, journey: Journey) -> None:
    """Begin: the target prepares, and takes over when it is ready; at once where it cannot prepare or need not."""
    network, source, target = journey.network, journey.source, journey.target
    if source is None or not (source.plugin.prepares_moves and target.plugin.prepares_moves):
        network_moves.hand_over(tx, network.id, target.plugin.name)
        return
    begun = NetworkMove(
        network_id=network.id,
        source=network.plugin,
        target=target.plugin.name,
        source_bridge=journey.source_ends.bridge,
        target_bridge=journey.target_ends.bridge,
        is_switched=False,
        started_at=tx.timestamp,
    )
    network_moves.begin(tx, begun)


def _journey(tx: Transaction, network: Network, target: str) -> Journey:
    loaded = tx.faces.registry.loaded
    if target not in loaded:
        raise NoSuchPlugin(target)
    ports: Sequence[Port] = tuple(load_ports(tx, ids_in_networks(tx, PORTS, [network.id])).values())
    subnets: Sequence[Subnet] = tuple(load_subnets(tx, ids_in_networks(tx, SUBNETS, [network.id])).values())
    hosts = {str(port.binding.host) for port in ports if port.binding is not None}
    groups = {group for port in ports for group in port.security_group_ids}
    return Journey(
        network=network,
        source=loaded.get(network.plugin),
        target=loaded[target],
        ports=sorted(ports, key=lambda port: port.key),
        subnets=sorted(subnets, key=lambda subnet: subnet.id),
        groups=realisation.needs_of_groups(tx, groups),
        source_ends=_ends(tx, network.plugin, hosts),
        target_ends=_ends(tx, target, hosts),
    )


def _ends(tx: Transaction, plugin: str, hosts: set[str]) -> Ends:
    found = hosts_of_plugin(tx, plugin, hosts)
    datapath_type = next((host.datapath_type for host in found.values()), "system")
    bridge = tx.faces.vif(plugin, datapath_type).details.get("bridge_name")
    return Ends(plugin=plugin, bridge=bridge if isinstance(bridge, str) else None, hosts=found)


def _objections(tx: Transaction, journey: Journey) -> tuple[str, ...]:
    if journey.is_there:
        return ()
    found = [*objections_of_content(journey), *objections_of_places(journey)]
    largest = network_types.largest_mtu(tx, journey.network.segments)
    if journey.network.mtu > largest:
        found.append(f"network: mtu: {journey.network.mtu} is more than the {largest} that both plug-ins carry: set it")
    name = journey.target.plugin.name
    if realisation.condition_of(tx, name) is Condition.DOWN:
        found.append(f"plug-in '{name}' is down: `weft plugin show {name}` says why")
    return tuple(dict.fromkeys(found))


def _changes(journey: Journey) -> tuple[str, ...]:
    if journey.is_there:
        return ()
    source, target = journey.source_ends, journey.target_ends
    found = [f"weft:plugin: {source.plugin} becomes {target.plugin}"]
    bound = [port for port in journey.ports if port.binding is not None]
    if bound and source.bridge != target.bridge:
        found.append(
            f"{len(bound)} ports: the device of each goes from bridge {source.bridge} to {target.bridge} on its host, "
            "and binding:vif_details say so"
        )
    found += _limits(journey.source, journey.target)
    return tuple(found)


def _limits(source: Loaded | None, target: Loaded) -> list[str]:
    """Return what the target does less well, and what tools are not there for its networks."""
    before = {} if source is None else {one.feature: one.limit for one in source.advertisement.capabilities}
    found = [
        f"{capability.feature}: {capability.limit}"
        for capability in target.advertisement.capabilities
        if capability.limit and capability.limit != before.get(capability.feature)
    ]
    if Feature.TRACE in before and not target.advertisement.has(Feature.TRACE):
        found.append(f"{Feature.TRACE}: not there; {target.advertisement.missing.get(Feature.TRACE, '')}".rstrip("; "))
    return found


def _view(tx: Transaction, network: Network, moving: NetworkMove | None) -> MoveView:
    found = load_ports(tx, ids_in_networks(tx, PORTS, [network.id]))
    given_up = network_moves.load_given_up(tx, network.id) if moving is None else None
    source = target = network.plugin
    phase = ARRIVED
    if moving is not None:
        source, target, phase = moving.source, moving.target, SWITCHED if moving.is_switched else PREPARING
    elif given_up is not None:
        target, phase = given_up.target, GIVEN_UP
    return MoveView(
        network_id=network.id,
        source=source,
        target=target,
        phase=phase,
        changes=(),
        objections=() if given_up is None else given_up.reasons,
        given_up_at=None if given_up is None else instant(given_up.at),
        ports=_ports(tx, sorted(found.values(), key=lambda port: port.key)),
    )


def _ports(tx: Transaction, ports: Sequence[Port]) -> tuple[MovingPort, ...]:
    said: Mapping[str, tuple[str, str]] = {
        row.port_id: (row.reason, row.detail)
        for chunk in in_chunks([port.id for port in ports])
        for row in tx.connection.execute(
            select(PORT_STATES.c.port_id, PORT_STATES.c.reason, PORT_STATES.c.detail).where(
                PORT_STATES.c.port_id.in_(chunk)
            )
        )
    }
    return tuple(
        MovingPort(
            id=port.id,
            name=port.name,
            host=None if port.binding is None else str(port.binding.host),
            status=port.status.value,
            reason=said.get(port.id, ("", ""))[0],
            detail=said.get(port.id, ("", ""))[1],
        )
        for port in ports
    )
