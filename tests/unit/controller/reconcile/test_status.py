"""Why a port is in its state: every reason, and which wins."""

from datetime import UTC, datetime

import pytest

from controller.reconcile.plugs import Plug
from controller.reconcile.status import Place, Progress, port_state
from controller.records import (
    Binding,
    HostName,
    Network,
    NetworkId,
    OfPort,
    Port,
    PortId,
    PortKey,
    PortStatus,
    Reason,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = Plug(ofport=OfPort(32768), live=("tap1",), link_state="down")


def a_port(*, bound: bool = True, up: bool = True) -> Port:
    binding = Binding(host=HostName("h1"), vnic_type="normal", profile={}, active=True, ofport=OfPort(32768))
    return Port(
        id=PortId("3f2a0000-0000"),
        key=PortKey(1),
        project_id="p",
        network_id=NetworkId("n"),
        name="",
        description="",
        mac_address="fa:16:3e:00:00:01",
        admin_state_up=up,
        status=PortStatus.DOWN,
        device_id="",
        device_owner="",
        port_security_enabled=True,
        fixed_ips=(),
        allowed_address_pairs=(),
        extra_dhcp_opts=(),
        vnic_type="normal",
        profile={},
        binding=binding if bound else None,
        created_at=NOW,
        updated_at=NOW,
        revision_number=1,
    )


def a_network(*, up: bool = True) -> Network:
    return Network(
        id=NetworkId("n"),
        project_id="p",
        name="",
        description="",
        admin_state_up=up,
        mtu=1450,
        shared=False,
        router_external=False,
        port_security_enabled=True,
        plugin="openflow",
        segments=(),
        subnet_ids=(),
        created_at=NOW,
        updated_at=NOW,
        revision_number=1,
    )


def test_a_plugged_port_with_confirmed_flows_is_active_even_with_its_link_down() -> None:
    """Nova opens the tap only after the port is ACTIVE."""
    state = port_state(a_port(), a_network(), Place(reachable=True, plug=LIVE, progress=Progress.CONFIRMED))
    assert (state.status, state.reason, state.link_state) == (PortStatus.ACTIVE, Reason.WIRED, "down")


def test_a_port_the_underlay_cuts_off_stays_active_and_says_so() -> None:
    place = Place(reachable=True, plug=LIVE, progress=Progress.CONFIRMED, cut_off="no VXLAN frames reach h2: check it")
    state = port_state(a_port(), a_network(), place)
    assert (state.status, state.reason) == (PortStatus.ACTIVE, Reason.WIRED)
    assert state.detail.endswith(" of h1, but no VXLAN frames reach h2: check it")


def test_a_port_without_a_way_to_other_hosts_stays_active_and_says_so() -> None:
    place = Place(reachable=True, plug=LIVE, progress=Progress.CONFIRMED, no_way="the tunnel is not there")
    state = port_state(a_port(), a_network(), place)
    assert (state.status, state.detail.partition(", but ")[2]) == (PortStatus.ACTIVE, "the tunnel is not there")


@pytest.mark.parametrize(
    ("port", "network", "place", "elsewhere", "status", "reason", "words"),
    [
        (a_port(bound=False), a_network(), None, (), "DOWN", "UNBOUND", "binding:host_id"),
        (a_port(), a_network(), None, (), "DOWN", "HOST_NOT_REGISTERED", "weft host add h1"),
        (
            a_port(up=False),
            a_network(),
            Place(reachable=True, missing=("blue", "red"), plug=LIVE, progress=Progress.CONFIRMED),
            (),
            "DOWN",
            "PHYSNET_MISSING",
            "host h1 has no way to physical network blue or red",
        ),
        (a_port(up=False), a_network(), Place(reachable=True, plug=LIVE), (), "DOWN", "ADMIN_DOWN", "of the port"),
        (a_port(), a_network(up=False), Place(reachable=True, plug=LIVE), (), "DOWN", "ADMIN_DOWN", "of network n"),
        (a_port(), a_network(), Place(reachable=False, problem="refused"), (), "DOWN", "HOST_UNREACHABLE", "refused"),
        (
            a_port(),
            a_network(),
            Place(reachable=True, plug=Plug(live=("a", "b"))),
            (),
            "DOWN",
            "DUPLICATE_PLUG",
            "a, b on h1",
        ),
        (a_port(), a_network(), Place(reachable=True), ("h2",), "DOWN", "PLUGGED_ELSEWHERE", "plugged on h2"),
        (
            a_port(),
            a_network(),
            Place(reachable=True, plug=Plug(absent=("x",), error="no such device")),
            (),
            "DOWN",
            "DEVICE_ERROR",
            "no such device",
        ),
        (a_port(), a_network(), Place(reachable=True), (), "DOWN", "NOT_PLUGGED", "tap3f2a0000-00"),
        (a_port(), a_network(), Place(reachable=True, plug=LIVE), (), "BUILD", "PROGRAMMING", "not confirmed"),
        (
            a_port(),
            a_network(),
            Place(reachable=True, plug=LIVE, progress=Progress.REFUSED, refusal="table full"),
            (),
            "ERROR",
            "PROGRAMMING_FAILED",
            "table full",
        ),
    ],
)
def test_every_other_state_says_why(  # noqa: PLR0917
    port: Port,
    network: Network,
    place: Place | None,
    elsewhere: tuple[HostName, ...],
    status: str,
    reason: str,
    words: str,
) -> None:
    state = port_state(port, network, place, elsewhere)
    assert (state.status, state.reason) == (status, reason)
    assert words in state.detail
