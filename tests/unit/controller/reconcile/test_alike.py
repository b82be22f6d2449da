"""What many hosts are asked alike is worked out once, and never outlives what it was made from."""

import gc
import weakref

import pytest

from controller.reconcile.alike import Compiled
from controller.reconcile.model import Model
from flows.contribution import Contribution
from flows.intent import PeerIntent, RemotePortIntent, Unit, UnitKind
from tests.unit.controller.reconcile.builders import Cloud, a_group, a_network, a_port, a_rule, a_subnet

PEER = PeerIntent(tunnel_ofport=65279, endpoint=0x0A000001)


@pytest.fixture
def cloud() -> Cloud:
    """Four hosts with a port each in one network."""
    cloud = Cloud(4)
    cloud.put(a_network(), a_subnet(), a_group(16, a_rule(remote_group_id="g16")))
    cloud.put(*(a_port(n, f"10.0.0.{n}", groups=["g16"], host=f"h{n}") for n in range(1, 5)))
    return cloud


def asked(cloud: Cloud, host: str, port: int) -> object:
    return cloud.view(host).intent(Unit(UnitKind.REMOTE_PORT, port))


def test_hosts_that_reach_a_port_the_same_way_share_what_they_are_asked(cloud: Cloud) -> None:
    wanted = asked(cloud, "h2", 1)
    assert isinstance(wanted, RemotePortIntent)
    assert asked(cloud, "h3", 1) is wanted
    assert asked(cloud, "h4", 1) is wanted


def test_a_change_of_the_port_reaches_every_host(cloud: Cloud) -> None:
    for host in ("h2", "h3", "h4"):
        asked(cloud, host, 1)
    cloud.put(a_port(1, "10.0.0.9", groups=["g16"], host="h1"))
    fresh = Cloud(4)
    fresh.put(a_network(), a_subnet(), a_group(16, a_rule(remote_group_id="g16")))
    fresh.put(*(a_port(n, f"10.0.0.{9 if n == 1 else n}", groups=["g16"], host=f"h{n}") for n in range(1, 5)))
    assert [asked(cloud, host, 1) for host in ("h2", "h3", "h4")] == [
        asked(fresh, host, 1) for host in ("h2", "h3", "h4")
    ]


def test_another_model_is_not_taken_for_the_one_before(cloud: Cloud) -> None:
    before = asked(cloud, "h2", 1)
    other = Model()
    other.generation = cloud.model.generation
    cloud.model = other
    assert before is not None
    assert asked(cloud, "h2", 1) is None


def test_bridges_share_what_is_compiled_for_all_of_them_and_no_longer_than_one_has_it() -> None:
    compiled = Compiled()
    first = compiled.of(PEER)
    assert compiled.of(PeerIntent(tunnel_ofport=65279, endpoint=0x0A000001)) is first
    watched: weakref.ref[Contribution] = weakref.ref(first)
    del first
    gc.collect()
    assert watched() is None
