"""Why is a port in the state it is in? What the cluster says of it, in the order in which an engineer would ask."""

from collections.abc import Mapping

from controller.plugins.contract import FoundHost
from controller.plugins.ovn.chassis import Whereabouts
from controller.plugins.ovn.switches import HAS_LOCALNET
from controller.records import HostName, Network, Port, PortState, PortStatus, Reason


def port_state(
    port: Port, network: Network, where: Whereabouts, hosts: Mapping[HostName, FoundHost], refusal: str | None
) -> PortState:
    """Return a port's state.

    Args:
        port: as it is asked for.
        network: the port's.
        where: where the cluster has it.
        hosts: every host of the cluster.
        refusal: why its row could not be written, one sentence.
    """
    status, reason, detail = _decide(port, network, where, hosts, refusal)
    return PortState(
        port_id=port.id,
        status=status,
        reason=reason,
        host=None if port.binding is None else str(port.binding.host),
        detail=detail,
        link_state=None,  # OVN does not say
    )


def _decide(
    port: Port, network: Network, where: Whereabouts, hosts: Mapping[HostName, FoundHost], refusal: str | None
) -> tuple[PortStatus, Reason, str]:
    if refusal is not None:
        return PortStatus.ERROR, Reason.PROGRAMMING_FAILED, refusal
    if port.binding is None:
        return PortStatus.DOWN, Reason.UNBOUND, "the port is bound to no host: set binding:host_id or plug it"
    host = port.binding.host
    if host not in hosts:
        return PortStatus.DOWN, Reason.HOST_NOT_REGISTERED, f"the OVN cluster has no chassis with the hostname {host}"
    missing = _missing_physnet(network, hosts[host])
    if missing is not None:
        return (
            PortStatus.DOWN,
            Reason.PHYSNET_MISSING,
            f"host {host} has no way to physical network {missing}: add it to its ovn-bridge-mappings",
        )
    if not port.admin_state_up:
        return PortStatus.DOWN, Reason.ADMIN_DOWN, "admin_state_up of the port is false"
    if not network.admin_state_up:
        return PortStatus.DOWN, Reason.ADMIN_DOWN, f"admin_state_up of network {network.id} is false"
    if not hosts[host].is_alive:
        return PortStatus.DOWN, Reason.HOST_UNREACHABLE, f"host {host} does not answer: {hosts[host].problem}"
    return _plugged(host, where)


def _plugged(host: HostName, where: Whereabouts) -> tuple[PortStatus, Reason, str]:
    if where.host is None:
        return PortStatus.DOWN, Reason.NOT_PLUGGED, f"no device on {host} carries the port's id as its iface-id yet"
    if where.host != host:
        return PortStatus.DOWN, Reason.PLUGGED_ELSEWHERE, f"bound to {host} but plugged on {where.host}: move one"
    if not where.is_up:
        return PortStatus.BUILD, Reason.PROGRAMMING, f"{host} has the device; its flows are not all there yet"
    return PortStatus.ACTIVE, Reason.WIRED, f"wired by OVN on {host}"


def _missing_physnet(network: Network, host: FoundHost) -> str | None:
    segment = network.segments[0]
    needs = segment.physical_network if segment.network_type in HAS_LOCALNET else None
    return needs if needs not in dict(host.physnets) else None
