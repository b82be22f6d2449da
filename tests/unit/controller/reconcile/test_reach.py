"""Is a missing way to other hosts told, and none where there is nothing to reach?"""

from collections.abc import Iterable

from controller.reconcile.model import Model
from controller.reconcile.reach import no_way
from controller.reconcile.ways import Ways
from controller.records import Host
from tests.unit.controller.reconcile.builders import a_host, a_network, plugged_ways


def asked(host: Host, *, physical_network: str | None = None, others: Iterable[Host] = (), made: bool = True) -> str:
    model = Model()
    for one in (host, *others):
        model.put_host(one.id, one)
    ways = Ways()
    if made:
        ways.update(plugged_ways(host))
    return no_way(model, a_network(physical_network=physical_network), host, ways) or ""


def test_with_tunnel_and_patch_nothing_is_missing() -> None:
    host = a_host(1, physnets=["blue"])
    assert not asked(host, others=[a_host(2)])
    assert not asked(host, physical_network="blue")


def test_a_host_without_tunnel_address_reaches_no_other() -> None:
    assert "no tunnel address" in asked(a_host(1, tunnel=False), others=[a_host(2)])


def test_a_host_that_is_alone_misses_none() -> None:
    assert not asked(a_host(1, tunnel=False))


def test_a_tunnel_or_patch_that_is_not_there_is_named() -> None:
    host = a_host(1, physnets=["blue"])
    assert "tunnel of host h1 is not there" in asked(host, others=[a_host(2)], made=False)
    assert "physical network blue through bridge" in asked(host, physical_network="blue", made=False)
