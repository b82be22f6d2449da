"""Who owns, who claims an address: does the index say what looking at all ports says?"""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.reconcile.addresses import Addresses, claims_of, contains, prefix_of
from controller.records import NetworkId, Port
from flows.intent import Prefix
from tests.unit.controller.reconcile.builders import a_port

N1 = NetworkId("n1")
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.130", "10.0.1.1", "fd00::1", "fd00::2", "fd00:1::1", "0.0.0.1"]
CIDRS = [*ADDRESSES, "10.0.0.0/24", "10.0.0.0/25", "10.0.0.0/31", "0.0.0.0/0", "::/0", "fd00::/64", "fd00::/127"]


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("10.0.0.1", Prefix(4, 0x0A000001, 32)),
        ("10.0.0.9/24", Prefix(4, 0x0A000000, 24)),
        ("fd00::1", Prefix(6, 0xFD << 120 | 1, 128)),
        ("fd00::1/64", Prefix(6, 0xFD << 120, 64)),
        ("0.0.0.0/0", Prefix(4, 0, 0)),
    ],
)
def test_an_address_or_cidr_becomes_a_prefix_without_host_bits(text: str, prefix: Prefix) -> None:
    assert prefix_of(text) == prefix


@given(st.sampled_from(CIDRS), st.sampled_from(CIDRS))
def test_one_prefix_contains_another_as_ipaddress_says(outer: str, inner: str) -> None:
    wide, narrow = ip_network(outer), ip_network(inner)
    expected = wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]
    assert contains(prefix_of(outer), prefix_of(inner)) is expected


def claims(prefix: Prefix, address: Prefix) -> bool:
    """Whether a port with this pair is to be taken for one that has the address."""
    return prefix.length > 0 and contains(prefix, address)


@st.composite
def ports(draw: st.DrawFn) -> Port:
    pairs = draw(st.lists(st.sampled_from(CIDRS), max_size=3))
    return a_port(
        draw(st.integers(1, 4)),
        *draw(st.sets(st.sampled_from(ADDRESSES), max_size=3)),
        network=draw(st.integers(1, 2)),
        pairs=[("fa:16:3e:00:00:99", pair) for pair in pairs],
    )


@given(st.lists(st.tuples(st.booleans(), ports()), max_size=12), st.sampled_from(CIDRS), st.sampled_from(ADDRESSES))
def test_any_history_says_what_looking_at_all_ports_says(
    history: list[tuple[bool, Port]], asked: str, address: str
) -> None:
    index, there = Addresses(), dict[str, Port]()
    for is_gone, port in history:
        old = there.pop(port.id, None)
        if old is not None:
            index.remove(old)
        if not is_gone:
            there[port.id] = port
            index.add(port)
        index.owners_within(N1, prefix_of("10.0.0.0/24"))  # from now on the order is kept
    of_network = [port for port in there.values() if port.network_id == N1]
    owned = {p.id: {prefix_of(f.ip_address) for f in p.fixed_ips} for p in of_network}

    inside = {i for i, addresses in owned.items() if any(claims(prefix_of(asked), a) for a in addresses)}
    assert set(index.owners_within(N1, prefix_of(asked))) == inside
    assert index.is_owned(N1, prefix_of(address)) is any(prefix_of(address) in a for a in owned.values())
    assert index.is_pair(N1, prefix_of(asked)) is any(prefix_of(asked) in claims_of(p) for p in of_network)
    for besides in (None, *owned):
        others = [claims_of(p) for p in of_network if p.id != besides]
        expected = any(claims(claim, prefix_of(address)) for theirs in others for claim in theirs)
        assert index.is_claimed(N1, prefix_of(address), besides=besides) is expected


def test_nothing_is_left_of_ports_that_are_gone() -> None:
    index = Addresses()
    port = a_port(1, "10.0.0.1", pairs=[("fa:16:3e:00:00:99", "10.0.0.0/24")])
    index.add(port)
    index.remove(port)
    assert not vars(index)["_networks"]
