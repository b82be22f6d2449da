"""What keeps the ports of a network on a host from those elsewhere, though the host itself is well?

What the underlay does is asked elsewhere (``probing``); this is about a way that was never made, or is gone.
"""

from controller.reconcile.model import Model
from controller.reconcile.segments import segment_on
from controller.reconcile.ways import Ways, tunnel_ofport
from controller.records import Host, Network


def no_way(model: Model, network: Network, host: Host, ways: Ways) -> str | None:
    """Return why nobody outside a host is reached from it in a network, one clause, None when there is a way.

    Args:
        model: Whether there are other hosts at all; alone, a host needs no tunnel.
        network: Whose ports are asked about.
        host: Where they are.
        ways: The tunnels and patches its bridge really has.
    """
    segment = segment_on(network, host)
    if segment.physical_network is not None:
        bridge = next((one.bridge for one in host.physnets if one.name == segment.physical_network), None)
        if bridge is None or ways.patch(host, segment.physical_network) is not None:
            return None
        return f"its host's way to physical network {segment.physical_network} through bridge {bridge} is not there"
    kind = segment.network_type
    if len(model.hosts) == 1 or tunnel_ofport(kind) is None:
        return None
    if host.tunnel_ip is None:
        told = f"weft host set {host.name} --tunnel-ip ..."
        return f"host {host.name} has no tunnel address and reaches no other host: {told}"
    return None if ways.tunnel(kind) is not None else f"the {kind} tunnel of host {host.name} is not there"
