"""Which segment of its network does a host realise, and what role has a port in one that is private?"""

from collections.abc import Iterator

from controller.reconcile.rules import TRUSTED_OWNER
from controller.records import Host, Network, Port, Segment
from controller.segment_choice import taken_segment
from flows.intent import PROMISCUOUS, Unit, UnitKind


def segment_on(network: Network, host: Host | None) -> Segment:
    """Return the segment of a network that a host realises; segments of one network are not bridged.

    It is the first whose physical network the host has, else the first overlay. Where there is neither, the first: its
    ports on that host reach each other and nobody else.
    """
    return taken_segment(network.segments, physnets_of(host) if host and host.physnets else ())


def physnets_of(host: Host) -> frozenset[str]:
    """Return the names of a host's physical networks."""
    return frozenset(physnet.name for physnet in host.physnets) if host.physnets else frozenset()


def missing_physnets(network: Network, host: Host) -> tuple[str, ...]:
    """Return the physical networks of which a host would need one for this network and has none, sorted."""
    wanted = {segment.physical_network for segment in network.segments}
    if None in wanted or wanted & physnets_of(host):
        return ()
    return tuple(sorted(name for name in wanted if name))


def segment_units(network: Network) -> Iterator[Unit]:
    """Yield the units of a network's segments, of which a host realises one."""
    for segment in network.segments:
        yield Unit(UnitKind.SEGMENT, segment.key)


def is_provider(network: Network) -> bool:
    """Whether the network goes on outside Weft, where somebody else may answer for its gateway."""
    return any(segment.physical_network is not None for segment in network.segments)


def role_of(network: Network, port: Port) -> int:
    """Return a port's role in a private VLAN; outside of one, and as a network's own port, it is promiscuous."""
    is_exempt = not network.pvlan or port.device_owner.startswith(TRUSTED_OWNER)
    return PROMISCUOUS if is_exempt else port.role
