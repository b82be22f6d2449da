"""Does a port say why it is as it is?"""

from typing import Any

import pytest

from controller.plugins.contract import FoundHost
from controller.plugins.ovn.chassis import NOWHERE, Whereabouts
from controller.plugins.ovn.status import port_state
from controller.records import HostName, PortStatus, Reason
from tests.unit.controller.reconcile.builders import a_network, a_port, a_segment

HOSTS = {HostName("h1"): FoundHost(datapath_type="netdev", physnets=(("physnet1", "br-ex"),))}
GENEVE = a_network(1, a_segment(1, "geneve"))
ELSEWHERE = Whereabouts(host=HostName("h9"), is_up=True)
HERE = Whereabouts(host=HostName("h1"))
WIRED = Whereabouts(host=HostName("h1"), is_up=True)


@pytest.mark.parametrize(
    ("port", "network", "where", "status", "reason"),
    [
        ({}, GENEVE, WIRED, PortStatus.ACTIVE, Reason.WIRED),
        ({}, GENEVE, HERE, PortStatus.BUILD, Reason.PROGRAMMING),
        ({}, GENEVE, NOWHERE, PortStatus.DOWN, Reason.NOT_PLUGGED),
        ({}, GENEVE, ELSEWHERE, PortStatus.DOWN, Reason.PLUGGED_ELSEWHERE),
        ({"host": None}, GENEVE, NOWHERE, PortStatus.DOWN, Reason.UNBOUND),
        ({"host": "h7"}, GENEVE, NOWHERE, PortStatus.DOWN, Reason.HOST_NOT_REGISTERED),
        ({"admin_state_up": False}, GENEVE, WIRED, PortStatus.DOWN, Reason.ADMIN_DOWN),
        ({}, a_network(1, a_segment(1), admin_state_up=False), WIRED, PortStatus.DOWN, Reason.ADMIN_DOWN),
        ({}, a_network(1, physical_network="other"), WIRED, PortStatus.DOWN, Reason.PHYSNET_MISSING),
        ({}, a_network(1, physical_network="physnet1"), WIRED, PortStatus.ACTIVE, Reason.WIRED),
    ],
)
def test_a_port_says_what_an_engineer_would_ask_first(
    port: dict[str, Any], network: Any, where: Whereabouts, status: PortStatus, reason: Reason
) -> None:
    state = port_state(a_port(1, **port), network, where, HOSTS, None)
    assert (state.status, state.reason) == (status, reason)


def test_a_port_on_a_chassis_that_gives_no_answer_is_down_wherever_it_was_last() -> None:
    silent = {HostName("h1"): FoundHost(datapath_type="netdev", is_alive=False, problem="no answer")}
    for where in (WIRED, HERE, NOWHERE):
        state = port_state(a_port(1), GENEVE, where, silent, None)
        assert (state.status, state.reason) == (PortStatus.DOWN, Reason.HOST_UNREACHABLE)
        assert "no answer" in state.detail


def test_a_row_that_was_refused_is_an_error_with_the_servers_words() -> None:
    state = port_state(a_port(1), GENEVE, WIRED, HOSTS, "the server says no")
    assert (state.status, state.reason, state.detail) == (
        PortStatus.ERROR,
        Reason.PROGRAMMING_FAILED,
        "the server says no",
    )
