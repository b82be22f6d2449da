"""Do sets of prefixes add up? Held against netaddr, which has sets of its own."""

import doctest
import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPNetwork, IPSet

from ipam import prefixes
from ipam.addresses import Cidr, parse_cidr
from ipam.prefixes import buddies, compact, containing, intersect, merged, subtract, without


def _near(version: int) -> st.SearchStrategy[Cidr]:
    """Prefixes of a small space, so that they meet."""
    base, bits = (0x0A000000, 32) if version == 4 else (0x20010DB8 << 96, 128)
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    return st.builds(
        lambda offset, length: parse_cidr(f"{make(base + offset)}/{length}"),
        st.integers(0, 255),
        st.one_of(st.integers(bits - 9, bits), st.integers(0, bits)),
    )


SETS = st.sampled_from((4, 6)).flatmap(
    lambda version: st.tuples(st.lists(_near(version), max_size=8), st.lists(_near(version), max_size=8))
)


def _oracle(cidrs: list[Cidr]) -> IPSet:
    return IPSet([IPNetwork(str(one)) for one in cidrs])


def _text(found: IPSet) -> list[str]:
    return [str(one) for one in sorted(found.iter_cidrs())]


@given(SETS)
def test_sets_agree_with_netaddr(both: tuple[list[Cidr], list[Cidr]]) -> None:
    one, other = both
    assert [str(cidr) for cidr in compact(one)] == _text(_oracle(one))
    assert [str(cidr) for cidr in subtract(one, other)] == _text(_oracle(one) - _oracle(other))
    assert [str(cidr) for cidr in intersect(one, other)] == _text(_oracle(one) & _oracle(other))


@given(SETS.filter(lambda both: bool(both[0]) and bool(both[1])))
def test_what_is_taken_and_what_is_left_are_the_whole(both: tuple[list[Cidr], list[Cidr]]) -> None:
    whole, taken = both[0][0], both[1][0]
    left = without(whole, taken)
    assert compact([*left, *intersect([whole], [taken])]) == (whole,)
    assert not intersect(left, [taken])


@given(SETS)
def test_giving_back_one_prefix_keeps_the_form_canonical(both: tuple[list[Cidr], list[Cidr]]) -> None:
    """Only the buddies of the prefix need be looked at."""
    for returned in both[1][:1]:
        free = set(subtract(both[0], [returned]))
        looked_at = free.intersection(buddies(returned))
        whole, absorbed = merged(returned, looked_at.__contains__)
        assert sorted((free - set(absorbed)) | {whole}, key=lambda cidr: cidr.first) == list(compact([*free, returned]))


@given(SETS)
def test_a_prefix_that_is_free_as_a_whole_is_in_one_free_prefix(both: tuple[list[Cidr], list[Cidr]]) -> None:
    free = compact(both[0])
    for wanted in both[1]:
        is_free = not subtract([wanted], free)
        assert is_free == any(one in free for one in containing(wanted))


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(prefixes).failed == 0
