"""Which number does a host's way to a physical network get, and for how long?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import DatabaseError
from controller.records import OfPort, Physnet
from controller.services import hosts, ports
from controller.store.database import Database
from controller.store.physnets import MOST_PHYSNETS, PATCH_OFPORTS, numbered, store_physnets
from tests.unit.controller.store.builders import ADMIN, a_host, a_network, a_port

_bridges = st.lists(st.sampled_from([f"br{n}" for n in range(MOST_PHYSNETS + 20)]), unique=True, max_size=MOST_PHYSNETS)


def pairs(*names: str) -> list[tuple[str, str]]:
    return [(name, f"br-{name}") for name in names]


def ofports(physnets: tuple[Physnet, ...]) -> dict[str, int]:
    return {physnet.name: physnet.ofport for physnet in physnets}


@given(st.lists(_bridges, min_size=1, max_size=6))
def test_numbers_differ_stay_and_do_not_change_hands_with_one_change(history: list[list[str]]) -> None:
    before: tuple[Physnet, ...] = ()
    for bridges in history:
        after = numbered([(bridge, bridge) for bridge in bridges], before)
        had = {physnet.ofport: physnet.bridge for physnet in before}
        has = {physnet.ofport: physnet.bridge for physnet in after}
        assert len(has) == len(bridges)
        assert set(has) <= set(PATCH_OFPORTS)
        stay = {bridge: ofport for ofport, bridge in had.items() if bridge in bridges}
        assert stay.items() <= {bridge: ofport for ofport, bridge in has.items()}.items()
        if len(had.keys() | set(bridges)) <= MOST_PHYSNETS and len(had) + len(bridges) <= MOST_PHYSNETS:
            assert all(had[ofport] == has[ofport] for ofport in had.keys() & has.keys())
        before = after


def test_a_physical_network_added_before_others_leaves_their_numbers_alone(database: Database) -> None:
    with database.write() as tx:
        old = a_host(tx, physnets=pairs("blue", "red"))
    with database.write() as tx:
        hosts.update(tx, ADMIN, old.id, {"physnets": pairs("green", "blue", "red")})
    with database.write() as tx:
        hosts.update(tx, ADMIN, old.id, {"physnets": pairs("red", "green")})
    with database.read() as tx:
        found = hosts.get(tx, ADMIN, old.id).physnets
    assert [physnet.name for physnet in found] == ["red", "green"], "they are shown as they were given"
    assert ofports(found) == {"red": ofports(old.physnets)["red"], "green": 65202}


def test_a_way_that_comes_does_not_get_the_number_of_one_that_goes_with_it() -> None:
    before = numbered(pairs("blue"))
    assert ofports(numbered(pairs("red"), before)) == {"red": 65201}
    assert ofports(numbered(pairs("red"))) == {"red": 65200}


def test_numbers_of_ways_that_go_are_given_out_when_there_are_no_others() -> None:
    before = numbered(pairs(*(f"n{number}" for number in range(MOST_PHYSNETS))))
    after = ofports(numbered(pairs("new", *(f"n{number}" for number in range(1, MOST_PHYSNETS))), before))
    assert after["new"] == ofports(before)["n0"]


def test_the_database_holds_a_number_once_a_host(database: Database) -> None:
    with database.write() as tx:
        one, two = a_host(tx, physnets=pairs("blue")), a_host(tx, name="h2", ovsdb="unix:/two", tunnel_ip=None)
        store_physnets(tx, two.id, one.physnets)
    twice = [Physnet(name=name, bridge=name, ofport=OfPort(65200)) for name in ("blue", "red")]
    with pytest.raises(DatabaseError), database.write() as tx:
        store_physnets(tx, one.id, twice)


def test_they_go_with_their_host(database: Database) -> None:
    with database.write() as tx:
        host = a_host(tx, physnets=pairs("blue"))
        assert hosts.physical_networks(tx) == {"blue"}
        hosts.delete(tx, ADMIN, host.id)
        assert hosts.physical_networks(tx) == frozenset()


@pytest.mark.parametrize(
    ("physnets", "network", "is_bound"),
    [
        ((), {}, True),
        ((), {"network_type": "flat", "physical_network": "blue"}, False),
        (("red",), {"network_type": "flat", "physical_network": "blue"}, False),
        (("red", "blue"), {"network_type": "flat", "physical_network": "blue"}, True),
    ],
    ids=["overlay", "no physical network", "another one", "the right one"],
)
def test_a_binding_fails_where_the_host_has_no_way_to_the_network(
    database: Database, physnets: tuple[str, ...], network: dict[str, str], is_bound: bool
) -> None:
    with database.write() as tx:
        a_host(tx, name="h2", ovsdb="unix:/two", tunnel_ip=None, physnets=pairs("blue"))
        a_host(tx, physnets=pairs(*physnets))
        port = a_port(tx, a_network(tx, **network), host="h1")
    with database.read() as tx:
        again = ports.get(tx, ADMIN, port.id)
    for seen in (port, again):
        assert seen.binding is not None
        assert (seen.binding.datapath_type == "netdev") is is_bound
