"""Is the address arithmetic right, also at the edges?"""

import doctest
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam import addresses
from ipam.addresses import (
    Cidr,
    Pool,
    check_pools,
    default_gateway,
    default_pools,
    eui64,
    is_overlapping,
    parse_address,
    parse_cidr,
    parse_pool,
    text,
    usable,
)
from ipam.errors import CidrError, GatewayInPool, PoolInvalid, PoolOutOfBounds, PoolsOverlap

PREFIXES = st.one_of(
    st.builds(
        lambda address, length: parse_cidr(f"{ipaddress.IPv4Address(address)}/{length}"),
        st.integers(0, 2**32 - 1),
        st.integers(1, 32),
    ),
    st.builds(
        lambda address, length: parse_cidr(f"{ipaddress.IPv6Address(address)}/{length}"),
        st.integers(0, 2**128 - 1),
        st.integers(1, 128),
    ),
)


@given(PREFIXES)
def test_a_prefix_agrees_with_the_standard_library(cidr: Cidr) -> None:
    network = ipaddress.ip_network(str(cidr))
    assert (int(network[0]), int(network[-1])) == (cidr.first, cidr.last)
    assert cidr == parse_cidr(str(cidr))


@pytest.mark.parametrize("value", ["10.300.0.0/24", "10.0.0.0", "10.0.0.0/33", "2001:db8::/129", "x/24", "", "/"])
def test_what_is_no_prefix_is_refused(value: str) -> None:
    with pytest.raises(CidrError):
        parse_cidr(value)


@given(PREFIXES, st.data())
def test_default_pools_hold_every_usable_address_but_the_gateway(cidr: Cidr, data: st.DataObject) -> None:
    gateway = data.draw(st.one_of(st.none(), st.just(default_gateway(cidr)), st.integers(cidr.first, cidr.last)))
    pools = default_pools(cidr, gateway)
    whole = usable(cidr)
    outside = gateway is None or gateway not in whole or whole.size == 1
    assert whole.size - (0 if outside else 1) == sum(pool.size for pool in pools)
    assert all(pool.first >= whole.first and pool.last <= whole.last for pool in pools)
    assert outside or not any(gateway in pool for pool in pools)
    check_pools(cidr, pools, None if outside else gateway)


@given(PREFIXES, PREFIXES)
def test_overlap_is_mutual_and_agrees_with_the_standard_library(one: Cidr, other: Cidr) -> None:
    assert is_overlapping(one, other) == is_overlapping(other, one)
    if one.version == other.version:
        expected = ipaddress.ip_network(str(one)).overlaps(ipaddress.ip_network(str(other)))
        assert expected == is_overlapping(one, other)
    else:
        assert not is_overlapping(one, other)


@pytest.mark.parametrize(
    ("mac", "address"),
    [
        ("fa:16:3e:46:0f:2e", "2001:db8::f816:3eff:fe46:f2e"),
        ("02:00:00:00:00:77", "2001:db8::ff:fe00:77"),
        ("fa:16:3e:02:2f:dd", "2001:db8::f816:3eff:fe02:2fdd"),
    ],
)
def test_a_host_makes_its_address_from_its_mac_address(mac: str, address: str) -> None:
    """Samples 010, 011, 100; RFC 4291 appendix A."""
    assert address == text(6, eui64(parse_cidr("2001:db8::/64"), mac))


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1))
def test_different_mac_addresses_make_different_addresses(one: int, other: int) -> None:
    prefix = parse_cidr("2001:db8::/64")

    def made(mac: int) -> int:
        return eui64(prefix, ":".join(f"{mac >> shift & 0xFF:02x}" for shift in range(40, -8, -8)))

    assert (one == other) == (made(one) == made(other))
    assert made(one) in prefix


@pytest.mark.parametrize(
    ("pools", "gateway", "error"),
    [
        ([("10.0.0.0", "10.0.0.9")], None, PoolOutOfBounds),
        ([("10.0.0.9", "10.0.0.255")], None, PoolOutOfBounds),
        ([("10.0.0.5", "10.0.0.12"), ("10.0.0.2", "10.0.0.5")], None, PoolsOverlap),
        ([("10.0.0.2", "10.0.0.9")], "10.0.0.9", GatewayInPool),
        ([("2001:db8::1", "2001:db8::9")], None, PoolInvalid),
    ],
)
def test_pools_that_break_a_rule_are_refused(
    pools: list[tuple[str, str]], gateway: str | None, error: type[Exception]
) -> None:
    number = None if gateway is None else parse_address(gateway)[1]
    with pytest.raises(error):
        check_pools(parse_cidr("10.0.0.0/24"), [parse_pool(*pool) for pool in pools], number)


@pytest.mark.parametrize("pool", [("10.0.0.9", "10.0.0.2"), ("10.0.0.1", "2001:db8::1"), ("x", "10.0.0.1")])
def test_a_pool_has_two_ends_in_order(pool: tuple[str, str]) -> None:
    with pytest.raises(PoolInvalid):
        parse_pool(*pool)


def test_touching_pools_do_not_overlap() -> None:
    check_pools(
        parse_cidr("10.0.0.0/24"),
        [Pool(version=4, first=167772162, last=167772165), parse_pool("10.0.0.6", "10.0.0.9")],
        None,
    )


def test_the_examples_in_the_documentation_are_true() -> None:
    assert doctest.testmod(addresses).failed == 0


@pytest.mark.parametrize("prefix", ["10.0.0.1/32", "2001:db8::/128"])
def test_the_usual_pools_of_a_single_address_may_be_asked_for_by_name(prefix: str) -> None:
    """So that what is exported can be imported."""
    cidr = parse_cidr(prefix)
    check_pools(cidr, default_pools(cidr, cidr.first), cidr.first)
