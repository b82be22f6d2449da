"""Why is a port in the state it is in? One pure decision, in the order in which an engineer would ask.

ACTIVE means: one live device with its OpenFlow number, and the barrier after the port's last flow answered. The link
state is shown apart and not waited for: a tap nobody has opened is link-down, and Nova waits for ACTIVE before it
opens it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from controller.reconcile.plugs import UNPLUGGED, Plug
from controller.records import HostName, Network, Port, PortState, PortStatus, Reason


class Progress(Enum):
    """How far the port's flows are on its host."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is known of the host a port is bound to."""

    reachable: bool
    """Its database and its switch answer, or have been silent for a short time only."""
    problem: str = ""
    """What keeps it from being reachable, one sentence."""
    missing: tuple[str, ...] = ()
    """Physical networks of which it would need one for the port's network, and has none."""
    plug: Plug = UNPLUGGED
    progress: Progress = Progress.PENDING
    refusal: str = ""
    """What the switch refused, one sentence."""
    no_way: str | None = None
    """What is missing between it and other hosts, one clause."""
    cut_off: str | None = None
    """Which of the network's other hosts the underlay does not join to this one, one sentence."""
    disputed: str | None = None
    """Who else was seen to use an address of the port, one clause."""


def port_state(
    port: Port, network: Network | None, place: Place | None, elsewhere: Collection[HostName] = ()
) -> PortState:
    """Return a port's state.

    Args:
        port: The port as it is asked for.
        network: Its network.
        place: The host it is bound to, or None when that host is not registered.
        elsewhere: Hosts it is not bound to with a live device that bears its id. The one it migrates to is none of
            them; its status is that of the active binding. Of a port that is bound to no host those whose device does
            not bind it; the first is shown as its host, and so remembered.
    """
    if port.binding is None and elsewhere:
        return _let_go(port, elsewhere)
    status, reason, detail = _decide(port, network, place, elsewhere)
    return PortState(
        port_id=port.id,
        status=status,
        reason=reason,
        host=None if port.binding is None else str(port.binding.host),
        detail=detail,
        link_state=None if place is None else place.plug.link_state,
    )


def _decide(
    port: Port, network: Network | None, place: Place | None, elsewhere: Collection[HostName]
) -> tuple[PortStatus, Reason, str]:
    if port.binding is None:
        return PortStatus.DOWN, Reason.UNBOUND, "the port is bound to no host: set binding:host_id or plug it"
    host = port.binding.host
    if place is None:
        return PortStatus.DOWN, Reason.HOST_NOT_REGISTERED, f"host {host} is not registered: weft host add {host} ..."
    if place.missing:
        names = " or ".join(place.missing)
        return (
            PortStatus.DOWN,
            Reason.PHYSNET_MISSING,
            f"host {host} has no way to physical network {names}: add it to the physnets of the host, with its bridge",
        )
    if not port.admin_state_up:
        return PortStatus.DOWN, Reason.ADMIN_DOWN, "admin_state_up of the port is false"
    if network is not None and not network.admin_state_up:
        return PortStatus.DOWN, Reason.ADMIN_DOWN, f"admin_state_up of network {network.id} is false"
    if not place.reachable:
        return PortStatus.DOWN, Reason.HOST_UNREACHABLE, f"host {host} does not answer: {place.problem}"
    if len(place.plug.live) > 1:
        devices = ", ".join(place.plug.live)
        return (
            PortStatus.DOWN,
            Reason.DUPLICATE_PLUG,
            f"{devices} on {host} all carry this port's id: remove all but one",
        )
    if not place.plug.live:
        return _not_live(port, host, place, elsewhere)
    return _live(host, place)


def _let_go(port: Port, hosts: Collection[HostName]) -> PortState:
    found = sorted(hosts)
    return PortState(
        port_id=port.id,
        status=PortStatus.DOWN,
        reason=Reason.UNBOUND,
        host=found[0],
        detail=f"taken off its host, and still plugged on {', '.join(found)}: unplug it, plug it again or set "
        "binding:host_id",
        link_state=None,
    )


def _not_live(
    port: Port, host: HostName, place: Place, elsewhere: Collection[HostName]
) -> tuple[PortStatus, Reason, str]:
    if elsewhere:
        found = ", ".join(sorted(elsewhere))
        return PortStatus.DOWN, Reason.PLUGGED_ELSEWHERE, f"bound to {host} but plugged on {found}: move one of them"
    if place.plug.error:
        return PortStatus.DOWN, Reason.DEVICE_ERROR, f"Open vSwitch on {host} says: {place.plug.error}"
    expected = ", ".join(place.plug.absent) or device_name(port.id)
    return (
        PortStatus.DOWN,
        Reason.NOT_PLUGGED,
        f"no device yet on {host}; waiting for {expected} or any with its iface-id",
    )


def _live(host: HostName, place: Place) -> tuple[PortStatus, Reason, str]:
    device = place.plug.live[0]
    match place.progress:
        case Progress.PENDING:
            return PortStatus.BUILD, Reason.PROGRAMMING, f"{device} is there; its flows on {host} are not confirmed yet"
        case Progress.REFUSED:
            return PortStatus.ERROR, Reason.PROGRAMMING_FAILED, f"the switch on {host} refused: {place.refusal}"
        case Progress.CONFIRMED:
            but = "".join(f", but {trouble}" for trouble in (place.no_way, place.cut_off, place.disputed) if trouble)
            return (
                PortStatus.ACTIVE,
                Reason.WIRED,
                f"plugged as {device}, OpenFlow port {place.plug.ofport} of {host}{but}",
            )


def device_name(port_id: str) -> str:
    """Return the device name Neutron gives a port: ``tap`` and the first 11 characters of its id."""
    return f"tap{port_id[:11]}"
