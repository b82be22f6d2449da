"""Are guests told of what a network advertises no longer, a few times, and of nothing that still holds?"""

from dataclasses import replace
from typing import Any

import pytest

from controller.dhcp6.ra import PrefixFacts, RouterFacts, unsolicited
from controller.reconcile.withdrawals import ROUNDS, VALID_S, Withdrawals, ended
from controller.records import NetworkId

N1 = NetworkId("n1")


def facts(*cidrs: str, **changed: Any) -> RouterFacts:
    prefixes = tuple(PrefixFacts(cidr=cidr, autonomous=True) for cidr in cidrs)
    values: dict[str, Any] = {"service_mac": "02:57:45:46:54:01", "mtu": 1450, "managed": False, "other": True}
    return RouterFacts(prefixes=prefixes, **values | changed)


A, B = "fd00:a::/64", "fd00:b::/64"


def test_a_prefix_that_is_gone_is_deprecated_at_once_and_ends_in_two_hours() -> None:
    """RFC 4862 section 5.5.3 e."""
    [end] = ended([facts(A, B)], [facts(B)])
    assert [(one.cidr, one.preferred_s, one.valid_s) for one in end.prefixes] == [(A, 0, VALID_S)]
    assert end.other
    assert unsolicited(end)


def test_a_prefix_that_another_gateway_advertises_now_is_not_ended() -> None:
    moved = facts(A, gateway="fe80::2")
    [end] = ended([facts(A, gateway="fe80::1")], [moved])
    assert end.prefixes == ()
    assert (end.gateway, end.is_default) == ("fe80::1", False)
    assert unsolicited(end)[14 + 40 + 6 : 14 + 40 + 8] == b"\0\0"
    assert unsolicited(moved)[14 + 40 + 6 : 14 + 40 + 8] == (1800).to_bytes(2, "big")


def test_a_gateway_that_still_advertises_something_stays_a_router() -> None:
    [end] = ended([facts(A, B, gateway="fe80::1")], [facts(B, gateway="fe80::1")])
    assert end.is_default


def test_name_servers_and_search_domains_that_are_gone_end() -> None:
    """RFC 8106 section 5.1: a lifetime of zero."""
    before = facts(A, dns_servers=("fd00::53", "fd00::54"), search_domains=("a.org", "b.org"))
    [end] = ended([before], [facts(A, dns_servers=("fd00::54",), search_domains=("b.org",))])
    assert (end.dns_servers, end.search_domains, end.dns_lifetime_s) == (("fd00::53",), ("a.org",), 0)


@pytest.mark.parametrize("now", [facts(A), facts(A, B), facts(A, mtu=1400, other=False)])
def test_what_still_holds_is_not_ended(now: RouterFacts) -> None:
    assert ended([facts(A)], [now]) == ()


def test_what_is_gone_is_told_a_few_times() -> None:
    withdrawals = Withdrawals()
    assert not withdrawals.begin_round(N1, (facts(A, B),))
    assert withdrawals.of(N1) == ()
    again = [withdrawals.begin_round(N1, (facts(B),)) for _ in range(ROUNDS)]
    assert again == [True] * (ROUNDS - 1) + [False]
    assert withdrawals.of(N1)
    assert not withdrawals.begin_round(N1, (facts(B),))
    assert withdrawals.of(N1) == ()


def test_what_comes_back_meanwhile_is_not_ended_and_what_goes_too_is() -> None:
    withdrawals = Withdrawals()
    withdrawals.begin_round(N1, (facts(A, B),))
    withdrawals.begin_round(N1, (facts(B),))
    withdrawals.begin_round(N1, ())
    assert {prefix.cidr for one in withdrawals.of(N1) for prefix in one.prefixes} == {A, B}
    assert not withdrawals.begin_round(N1, (facts(A, B),))
    assert withdrawals.of(N1) == ()


def test_a_change_that_takes_nothing_away_lets_what_ends_end() -> None:
    withdrawals = Withdrawals()
    withdrawals.begin_round(N1, (facts(A, B),))
    withdrawals.begin_round(N1, (facts(B),))
    assert withdrawals.begin_round(N1, (replace(facts(B), mtu=1400),))
    assert [prefix.cidr for one in withdrawals.of(N1) for prefix in one.prefixes] == [A]


def test_a_network_that_is_gone_is_forgotten() -> None:
    withdrawals = Withdrawals()
    withdrawals.begin_round(N1, (facts(A),))
    withdrawals.forget(N1)
    assert not withdrawals.begin_round(N1, ())
