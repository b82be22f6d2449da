"""Are routers advertised to those who need it, in time, and never faster than the network bears?"""

from typing import Any

import pytest

from controller.dhcp6.ra import MAX_INTERVAL_S
from controller.reconcile.advertiser import Advertiser
from controller.reconcile.directory import Directory
from controller.reconcile.withdrawals import ROUND_INTERVAL_S
from controller.records import NetworkId
from tests.unit.controller.reconcile.builders import Cloud, a_network, a_port, a_subnet

N1 = NetworkId("n1")
RATE = 10


class Stage:
    """Two hosts with a network that is advertised; every packet-out is kept as (datapath id, OpenFlow number)."""

    def __init__(self, *ports: Any) -> None:
        self.cloud = Cloud()
        self.sent: list[tuple[int, int]] = []
        self.is_connected = True
        self.directory = Directory(send=lambda *_: True, arrived=lambda *_: None)
        self.advertiser = Advertiser(openflow=self, leases=self.directory, rate_pps=RATE)
        modes: dict[str, Any] = {"enable_dhcp": True, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        self.cloud.put(a_network(), a_subnet(cidr="fd00::/64", gateway_ip="fd00::1", **modes), *ports)
        self.directory.refresh(self.cloud.model, (), [N1])

    def switch(self, dpid: int) -> Any:
        raise NotImplementedError(f"no worker of {dpid} is needed to advertise")

    def forget(self, dpid: int) -> None:
        raise NotImplementedError(f"no worker of {dpid} is needed to advertise")

    def send(self, dpid: int, ofport: int, frame: bytes) -> bool:
        assert frame
        self.sent.append((dpid, ofport))
        return self.is_connected

    def at(self, now: float) -> list[tuple[int, int]]:
        """Let it be `now`; return what is sent."""
        self.sent.clear()
        self.advertiser.advertise(self.cloud.model, self.cloud.bridges, now)
        return sorted(self.sent)


PORTS = (a_port(1, "fd00::5"), a_port(2, host="h2"), a_port(3, host=None), a_port(4, admin_state_up=False))


def test_a_change_is_advertised_to_every_wired_port_at_once_and_again_in_time() -> None:
    stage = Stage(*PORTS)
    stage.advertiser.want([N1], 1000.0)
    assert stage.at(999.0) == []
    assert stage.at(1000.0) == [(1, 32769), (2, 32770)]
    assert stage.at(1000.0 + MAX_INTERVAL_S - 1) == []
    assert stage.at(1000.0 + MAX_INTERVAL_S) == [(1, 32769), (2, 32770)]
    assert stage.advertiser.tally.as_dict() == {"sent": 4, "dropped": 0}


@pytest.mark.parametrize(
    "router",
    [a_port(5, device_owner="network:router_interface"), a_port(5, "fd00::1")],
)
def test_routers_are_not_told_of_themselves(router: Any) -> None:
    stage = Stage(*PORTS, router)
    stage.advertiser.want([N1], 1000.0)
    assert stage.at(1000.0) == [(1, 32769), (2, 32770)]


def test_a_port_that_migrates_is_told_on_both_hosts() -> None:
    stage = Stage(a_port(1, standby="h2"))
    stage.advertiser.want([N1], 1000.0)
    assert stage.at(1000.0) == [(1, 32769), (2, 32869)]


def test_many_ports_are_told_over_some_time() -> None:
    stage = Stage(*(a_port(n) for n in range(1, 36)))
    stage.advertiser.want([N1], 1000.0)
    told = [stage.at(1000.0 + second) for second in range(5)]
    assert [len(sent) for sent in told] == [RATE, RATE, RATE, 5, 0]
    assert len({one for sent in told for one in sent}) == 35
    assert stage.at(1004.5) == []


def test_a_network_that_changes_all_the_time_reaches_all_its_ports_and_piles_up_nothing() -> None:
    stage = Stage(*(a_port(n) for n in range(1, 36)))
    told = []
    for second in range(6):
        stage.advertiser.want([N1], 1000.0 + second)
        told += stage.at(1000.0 + second)
    assert len(told) == 6 * RATE
    assert len(set(told)) == 35
    assert sum(len(stage.at(1006.0 + second)) for second in range(6)) <= 35


def test_a_small_network_does_not_wait_for_a_large_one() -> None:
    stage = Stage(*(a_port(n) for n in range(1, 36)), a_network(2), a_port(40, network=2, host="h2"))
    stage.cloud.put(a_subnet(2, "fd02::/64", enable_dhcp=True, ipv6_ra_mode="slaac", ipv6_address_mode="slaac"))
    stage.directory.refresh(stage.cloud.model, (), [NetworkId("n2")])
    stage.advertiser.want([N1, NetworkId("n2")], 1000.0)
    assert (2, 32808) in stage.at(1000.0)


def test_a_network_that_ceases_to_advertise_is_forgotten() -> None:
    stage = Stage(*PORTS)
    stage.advertiser.want([N1], 1000.0)
    stage.at(1000.0)
    stage.cloud.put(a_subnet(cidr="fd00::/64"))
    stage.directory.refresh(stage.cloud.model, (), [N1])
    stage.advertiser.want([N1], 1001.0)
    told = [stage.at(1001.0 + second) for second in range(100)]
    assert [second for second, sent in enumerate(told) if sent] == [0, ROUND_INTERVAL_S, 2 * ROUND_INTERVAL_S]
    assert told[0] == [(1, 32769), (2, 32770)]
    assert stage.at(1000.0 + MAX_INTERVAL_S) == []
    assert not vars(stage.advertiser)["_due_at"]
    assert not vars(stage.advertiser)["_queue"]


def test_a_network_that_is_down_says_nothing_and_ends_what_it_said_when_it_is_up_again() -> None:
    stage = Stage(*PORTS)
    stage.advertiser.want([N1], 1000.0)
    stage.at(1000.0)
    stage.cloud.put(a_network(admin_state_up=False), a_subnet(cidr="fd00::/64"))
    stage.directory.refresh(stage.cloud.model, (), [N1])
    stage.advertiser.want([N1], 1001.0)
    assert stage.at(1001.0) == []
    stage.cloud.put(a_network())
    assert stage.at(1001.0 + MAX_INTERVAL_S) == [(1, 32769), (2, 32770)]


def test_a_network_wanted_often_is_advertised_once() -> None:
    stage = Stage(*PORTS)
    for at in (999.0, 999.5, 1000.0):
        stage.advertiser.want([N1], at)
    assert len(stage.at(1000.0)) == 2
    stage.is_connected = False
    stage.advertiser.want([N1], 1001.0)
    stage.at(1001.0)
    assert stage.advertiser.tally.as_dict() == {"sent": 2, "dropped": 2}
