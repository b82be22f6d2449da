"""Do subnet pools and address scopes behave as Neutron's? Bounds, quotas, scopes, affinity, errors word for word."""

from typing import Any

import pytest

from controller.errors import PolicyNotAuthorized, WeftError
from controller.pool_errors import AddressScopeNotFound, SubnetPoolNotFound, SubnetPoolQuotaExceeded
from controller.services import address_scopes, networks, subnetpools, subnets
from controller.services.query import Filter, Query
from controller.store.database import Database
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    a_member,
    a_network,
    a_subnet,
    a_subnetpool,
    an_address_scope,
)

POOLED: dict[str, Any] = {"cidr": None}


def test_a_pool_has_neutrons_defaults_and_the_fewest_prefixes(database: Database) -> None:
    with database.write() as tx:
        pool = a_subnetpool(tx, "10.0.1.0/24", "10.0.0.0/24", "10.8.0.5/16")
        six = a_subnetpool(tx, "2001:db8::/48", min_prefixlen=56)
        assert subnetpools.get(tx, ADMIN, pool.id) == pool
    assert pool.prefixes == ("10.0.0.0/23", "10.8.0.0/16")
    assert (pool.ip_version, pool.min_prefixlen, pool.default_prefixlen, pool.max_prefixlen) == (4, 8, 8, 32)
    assert (six.ip_version, six.min_prefixlen, six.default_prefixlen, six.max_prefixlen) == (6, 56, 56, 128)
    assert pool.revision_number == 0


@pytest.mark.parametrize(
    ("prefixes", "wanted", "error"),
    [
        ((), {"prefixes": []}, "Empty subnet pool prefix list."),
        (("10.0.0.0/8", "2001:db8::/32"), {}, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."),
        (
            (),
            {"min_prefixlen": 25, "max_prefixlen": 24},
            "Illegal prefix bounds: min_prefixlen=25, max_prefixlen=24.",
        ),
        ((), {"max_prefixlen": 33}, "Illegal prefix bounds: max_prefixlen=33, ip_version_max=32."),
        (
            (),
            {"min_prefixlen": 24, "default_prefixlen": 23},
            "Illegal prefix bounds: default_prefixlen=23, min_prefixlen=24.",
        ),
        (
            (),
            {"max_prefixlen": 24, "default_prefixlen": 25},
            "Illegal prefix bounds: default_prefixlen=25, max_prefixlen=24.",
        ),
        (
            (),
            {"is_default": True},
            "Invalid input for operation: A default subnetpool for this IP family has already been set. "
            "Only one default may exist per IP family.",
        ),
        ((), {"address_scope_id": NOBODY}, f"Address scope {NOBODY} could not be found."),
    ],
)
def test_a_pool_that_contradicts_itself_is_refused(
    database: Database, prefixes: tuple[str, ...], wanted: dict[str, Any], error: str
) -> None:
    with database.write() as tx:
        a_subnetpool(tx, "10.1.0.0/16", is_default=True)
    with pytest.raises(WeftError) as raised, database.write() as tx:
        a_subnetpool(tx, *prefixes, **wanted)
    assert error == str(raised.value)


def test_subnets_get_the_smallest_hole_that_is_large_enough(database: Database) -> None:
    with database.write() as tx:
        pool = a_subnetpool(tx, "10.0.0.0/22", "10.9.0.0/25", default_prefixlen=26, min_prefixlen=24)
        made = [
            a_subnet(tx, a_network(tx), subnetpool_id=pool.id, **(POOLED | more))
            for more in ({}, {"prefixlen": 25}, {}, {"cidr": "10.0.3.0/24"}, {"gateway_ip": "10.0.1.66"}, {})
        ]
        assert [subnets.get(tx, ADMIN, one.id) for one in made] == made
    # The /25 is cut first; the second /26 of it is a smaller hole than what the /22 has.
    assert [one.cidr for one in made] == [
        "10.9.0.0/26",
        "10.0.0.0/25",
        "10.9.0.64/26",
        "10.0.3.0/24",
        "10.0.1.64/26",
        "10.0.1.0/26",
    ]
    assert made[0].gateway_ip == "10.9.0.1"
    assert made[4].gateway_ip == "10.0.1.66"
    assert {one.subnetpool_id for one in made} == {pool.id}


def test_an_ipv6_subnet_of_a_pool_has_its_first_host_as_gateway(database: Database) -> None:
    """Neutron does so for prefixes it chose itself; of those it was given the gateway is the first address."""
    with database.write() as tx:
        pool = a_subnetpool(tx, "2001:db8::/48")
        any_one = a_subnet(tx, a_network(tx), subnetpool_id=pool.id, ip_version=6, **POOLED)
        named = a_subnet(tx, a_network(tx), subnetpool_id=pool.id, ip_version=6, cidr="2001:db8:0:7::/64")
        without = a_subnet(tx, a_network(tx), subnetpool_id=pool.id, ip_version=6, gateway_ip=None, **POOLED)
    assert (any_one.cidr, any_one.gateway_ip) == ("2001:db8::/64", "2001:db8::1")
    assert (named.gateway_ip, without.gateway_ip) == ("2001:db8:0:7::", None)


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (
            {"cidr": "10.0.0.0/24", "prefixlen": 24},
            "Bad subnets request: cidr and prefixlen must not be supplied together.",
        ),
        (
            {"cidr": None, "use_default_subnetpool": True},
            "Bad subnets request: subnetpool_id and use_default_subnetpool cannot both be specified.",
        ),
        (
            {"cidr": None, "allocation_pools": [("10.0.0.2", "10.0.0.3")]},
            "Bad subnets request: allocation_pools allowed only for specific subnet requests..",
        ),
        (
            {"cidr": None, "ip_version": 6},
            "Bad subnets request: Cannot allocate IPv6 subnet from IPv4 subnet pool.",
        ),
        (
            {"cidr": None, "prefixlen": 23},
            "Unable to allocate subnet with prefix length 23, minimum allowed prefix is 24.",
        ),
        (
            {"cidr": "10.0.0.0/29"},
            "Unable to allocate subnet with prefix length 29, maximum allowed prefix is 28.",
        ),
        (
            {"cidr": None, "prefixlen": 99},
            "Unable to allocate subnet with prefix length 99, maximum allowed prefix is 28.",
        ),
        (
            {"cidr": "10.1.0.0/28"},
            "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.",
        ),
        ({"cidr": None, "prefixlen": 24}, "Per-tenant subnet pool prefix quota exceeded."),
    ],
)
def test_what_a_pool_does_not_give_is_said_in_neutrons_words(
    database: Database, wanted: dict[str, Any], error: str
) -> None:
    with database.write() as tx:
        pool = a_subnetpool(tx, "10.0.0.0/23", min_prefixlen=24, max_prefixlen=28, default_quota=272)
        a_subnet(tx, a_network(tx), subnetpool_id=pool.id, **POOLED, prefixlen=27)
        network = a_network(tx)
    with pytest.raises(WeftError) as raised, database.write() as tx:
        a_subnet(tx, network, subnetpool_id=pool.id, **wanted)
    assert error == str(raised.value)


def test_a_quota_is_each_projects_own_and_counts_what_it_holds_now(database: Database) -> None:
    blue, red = a_member("blue"), a_member("red")
    wanted: dict[str, Any] = {"ip_version": 6, **POOLED}
    with database.write() as tx:
        pool = a_subnetpool(tx, "2001:db8::/32", shared=True, default_quota=4, min_prefixlen=62, default_prefixlen=64)
        wanted["subnetpool_id"] = pool.id
        held = a_subnet(tx, a_network(tx, blue), blue, **wanted)
        a_subnet(tx, a_network(tx, blue), blue, prefixlen=63, **wanted)
    for length in (62, 63):
        with pytest.raises(SubnetPoolQuotaExceeded), database.write() as tx:
            a_subnet(tx, a_network(tx, blue), blue, prefixlen=length, **wanted)
    with database.write() as tx:
        a_subnet(tx, a_network(tx, blue), blue, **wanted)
    with pytest.raises(SubnetPoolQuotaExceeded), database.write() as tx:
        a_subnet(tx, a_network(tx, blue), blue, prefixlen=80, **wanted)
    with database.write() as tx:
        a_subnet(tx, a_network(tx, red), red, prefixlen=62, **wanted)
        subnets.delete(tx, blue, held.id)
        a_subnet(tx, a_network(tx, blue), blue, **wanted)


def test_an_exhausted_pool_says_so_and_a_deleted_network_gives_its_prefixes_back(database: Database) -> None:
    with database.write() as tx:
        pool = a_subnetpool(tx, "10.0.0.0/25", "10.0.0.128/25", default_prefixlen=25)
        network = a_network(tx)
        for _ in range(2):
            a_subnet(tx, network, subnetpool_id=pool.id, **POOLED)
    with (
        pytest.raises(WeftError, match="Insufficient prefix space to allocate subnet size /25"),
        database.write() as tx,
    ):
        a_subnet(tx, network, subnetpool_id=pool.id, **POOLED)
    with pytest.raises(WeftError, match="Subnet pool has existing allocations"), database.write() as tx:
        subnetpools.delete(tx, ADMIN, pool.id)
    with database.write() as tx:
        networks.delete(tx, ADMIN, network.id)
        whole = a_subnet(tx, a_network(tx), subnetpool_id=pool.id, prefixlen=24, **POOLED)
        assert whole.cidr == "10.0.0.0/24"
        subnets.delete(tx, ADMIN, whole.id)
        subnetpools.delete(tx, ADMIN, pool.id)
        assert subnetpools.find(tx, ADMIN, Query()) == []


def test_the_default_pool_is_found_by_ip_version_and_only_where_it_may_be_used(database: Database) -> None:
    blue = a_member("blue")
    with database.write() as tx:
        pool = a_subnetpool(tx, is_default=True)
        a_subnetpool(tx, "2001:db8::/32", is_default=True, shared=True)
        made = a_subnet(tx, a_network(tx), use_default_subnetpool=True, prefixlen=24, **POOLED)
        six = a_subnet(tx, a_network(tx, blue), blue, use_default_subnetpool=True, ip_version=6, **POOLED)
    assert (made.subnetpool_id, six.cidr) == (pool.id, "2001:db8::/64")
    with pytest.raises(WeftError, match="No default subnetpool found for IPv4"), database.write() as tx:
        a_subnet(tx, a_network(tx, blue), blue, use_default_subnetpool=True, **POOLED)


def test_a_network_has_subnets_of_one_pool_for_each_ip_version_or_of_none(database: Database) -> None:
    with database.write() as tx:
        pool, other = a_subnetpool(tx), a_subnetpool(tx, "10.9.0.0/16")
        six = a_subnetpool(tx, "2001:db8::/32")
        network, free = a_network(tx), a_network(tx)
        a_subnet(tx, network, subnetpool_id=pool.id, prefixlen=24, **POOLED)
        a_subnet(tx, network, subnetpool_id=six.id, ip_version=6, **POOLED)
        a_subnet(tx, free, cidr="192.0.2.0/24")
    for where, wanted in (
        (network, {"cidr": None, "subnetpool_id": other.id, "prefixlen": 24}),
        (network, {"cidr": "192.0.2.0/24"}),
        (free, {"cidr": None, "subnetpool_id": pool.id, "prefixlen": 24}),
    ):
        with pytest.raises(WeftError, match="must be allocated from the same subnet pool"), database.write() as tx:
            a_subnet(tx, where, **wanted)


def test_pools_of_one_scope_share_a_network_and_the_network_shows_the_scope(database: Database) -> None:
    with database.write() as tx:
        scope, outside = an_address_scope(tx), a_subnetpool(tx, "10.0.0.0/16")
        one, other = (
            a_subnetpool(tx, prefix, address_scope_id=scope.id, default_prefixlen=24)
            for prefix in ("10.1.0.0/16", "10.2.0.0/16")
        )
        network, plain = a_network(tx), a_network(tx)
        for pool in (one, other):
            a_subnet(tx, network, subnetpool_id=pool.id, **POOLED)
        assert networks.get(tx, ADMIN, network.id).ipv4_address_scope == scope.id
        assert networks.get(tx, ADMIN, network.id).ipv6_address_scope is None
        for values, found in (((scope.id,), [network.id]), ((None,), [plain.id]), ((NOBODY,), [])):
            query = Query(filters=(Filter(name="ipv4_address_scope", values=values),))
            assert [one.id for one in networks.find(tx, ADMIN, query)] == found
    with pytest.raises(WeftError, match="must all participate in the same address scope"), database.write() as tx:
        a_subnet(tx, network, subnetpool_id=outside.id, prefixlen=24, **POOLED)
    with pytest.raises(WeftError, match="must all participate in the same address scope"), database.write() as tx:
        subnetpools.update(tx, ADMIN, one.id, {"address_scope_id": None})


def test_an_address_means_one_thing_in_a_scope(database: Database) -> None:
    with database.write() as tx:
        scope, six = an_address_scope(tx), an_address_scope(tx, ip_version=6)
        pool = a_subnetpool(tx, "10.1.0.0/16", address_scope_id=scope.id)
        other = a_subnetpool(tx, "10.0.0.0/8")
    for change in (
        lambda tx: a_subnetpool(tx, "10.1.2.0/24", address_scope_id=scope.id),
        lambda tx: subnetpools.update(tx, ADMIN, other.id, {"address_scope_id": scope.id}),
        lambda tx: (
            a_subnetpool(tx, "10.2.0.0/16", address_scope_id=scope.id),
            subnetpools.add_prefixes(tx, ADMIN, pool.id, ["10.2.3.0/24"]),
        ),
    ):
        with (
            pytest.raises(WeftError, match="within an address scope must have unique prefixes"),
            database.write() as tx,
        ):
            change(tx)
    with pytest.raises(WeftError, match="because subnetpool ip_version is not 6"), database.write() as tx:
        subnetpools.update(tx, ADMIN, pool.id, {"address_scope_id": six.id})
    with pytest.raises(WeftError, match="one or more subnet pools in use"), database.write() as tx:
        address_scopes.delete(tx, ADMIN, scope.id)
    with database.write() as tx:
        subnetpools.update(tx, ADMIN, pool.id, {"address_scope_id": None})
        address_scopes.delete(tx, ADMIN, scope.id)
    with pytest.raises(AddressScopeNotFound), database.read() as tx:
        address_scopes.get(tx, ADMIN, scope.id)


def test_prefixes_only_grow_by_an_update_and_leave_by_being_removed(database: Database) -> None:
    with database.write() as tx:
        pool = a_subnetpool(tx, "10.0.0.0/24")
    for prefixes in (["10.0.0.0/25"], ["2001:db8::/32"]):
        with pytest.raises(WeftError, match="Existing prefixes must be a subset"), database.write() as tx:
            subnetpools.update(tx, ADMIN, pool.id, {"prefixes": prefixes})
    with database.write() as tx:
        grown = subnetpools.update(tx, ADMIN, pool.id, {"prefixes": ["10.0.0.0/23"], "name": "wide"})
        assert (grown.prefixes, grown.name, grown.revision_number) == (("10.0.0.0/23",), "wide", 1)
        assert subnetpools.update(tx, ADMIN, pool.id, {"name": "wide"}) == grown
        a_subnet(tx, a_network(tx), cidr="10.0.0.0/26", subnetpool_id=pool.id)
        left = subnetpools.remove_prefixes(tx, ADMIN, pool.id, ["10.0.0.128/25", "192.0.2.0/24"])
        assert left.prefixes == ("10.0.0.0/25", "10.0.1.0/24")
    with pytest.raises(WeftError, match="One or more the prefixes to be removed is in use"), database.write() as tx:
        subnetpools.remove_prefixes(tx, ADMIN, pool.id, ["10.0.0.0/24"])
    with database.write() as tx:
        assert subnetpools.get(tx, ADMIN, pool.id) == left


def test_onboarding_moves_a_networks_subnets_from_one_pool_to_another(database: Database) -> None:
    with database.write() as tx:
        old, new = a_subnetpool(tx, "10.1.0.0/24"), a_subnetpool(tx, "10.2.0.0/24")
        network = a_network(tx)
        moved = [a_subnet(tx, network, subnetpool_id=old.id, prefixlen=26, **POOLED) for _ in range(2)]
        six = a_subnet(tx, network, cidr="2001:db8::/64", ip_version=6)
        assert [one.id for one in subnetpools.onboard(tx, ADMIN, new.id, network.id)] == [one.id for one in moved]
        found = [subnets.get(tx, ADMIN, one.id) for one in (*moved, six)]
        assert [one.subnetpool_id for one in found] == [new.id, new.id, None]
        assert [one.revision_number for one in found] == [1, 1, 0]
        assert subnetpools.get(tx, ADMIN, new.id).prefixes == ("10.1.0.0/25", "10.2.0.0/24")
        subnetpools.delete(tx, ADMIN, old.id)
    with (
        pytest.raises(WeftError, match=f"Onboarding subnet {moved[0].id}: 10.1.0.0/26 conflicts"),
        database.write() as tx,
    ):
        subnetpools.onboard(tx, ADMIN, new.id, network.id)


def test_a_project_uses_what_is_shared_and_changes_only_what_is_its_own(database: Database) -> None:
    blue, red = a_member("blue"), a_member("red")
    with database.write() as tx:
        scope = an_address_scope(tx, shared=True)
        own = a_subnetpool(tx, "10.1.0.0/16", caller=blue, address_scope_id=scope.id)
        shared = a_subnetpool(tx, "10.2.0.0/16", shared=True)
        network = a_network(tx, shared=True)
        a_subnet(tx, a_network(tx, red), red, subnetpool_id=shared.id, prefixlen=24, **POOLED)
        assert {one.id for one in subnetpools.find(tx, blue, Query())} == {own.id, shared.id}
        assert [one.id for one in subnetpools.find(tx, red, Query())] == [shared.id]
    with pytest.raises(SubnetPoolNotFound), database.write() as tx:
        a_subnet(tx, a_network(tx, red), red, subnetpool_id=own.id, prefixlen=24, **POOLED)
    for refused in (
        lambda tx: subnetpools.update(tx, red, shared.id, {"name": "mine"}),
        lambda tx: subnetpools.delete(tx, red, shared.id),
        lambda tx: subnetpools.add_prefixes(tx, red, shared.id, ["10.3.0.0/16"]),
        lambda tx: subnetpools.onboard(tx, blue, own.id, network.id),
        lambda tx: address_scopes.update(tx, blue, scope.id, {"name": "mine"}),
    ):
        with pytest.raises(PolicyNotAuthorized), database.write() as tx:
            refused(tx)
    with (
        pytest.raises(WeftError, match="cannot be updated when associated with shared address scope"),
        database.write() as tx,
    ):
        subnetpools.update(tx, blue, own.id, {"name": "other"})
    with pytest.raises(WeftError, match="Shared address scope can't be unshared"), database.write() as tx:
        address_scopes.update(tx, ADMIN, scope.id, {"shared": False})
