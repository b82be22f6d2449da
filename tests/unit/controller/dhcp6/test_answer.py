"""Is a lease compiled into what DHCPv6 may say, and a wrong one refused by name?"""

import ipaddress
import struct
from typing import Any

import pytest

from controller.dhcp6.answer import Answer6
from controller.dhcp6.errors import InvalidLease
from controller.dhcp6.lease import LeasedAddress
from tests.unit.controller.dhcp6.leases import a_lease, an_answer
from tests.unit.controller.dhcp6.scapy_wire import GUEST, SECOND, SERVICE_LINK_LOCAL

INFINITE = 0xFFFFFFFF


def test_the_server_is_named_after_its_mac() -> None:
    """RFC 8415 section 11.4 and RFC 4291 appendix A."""
    answer = an_answer()

    assert answer.server_id == bytes.fromhex("0003 0001 025745465401")
    assert answer.server_address == ipaddress.IPv6Address(SERVICE_LINK_LOCAL).packed


@pytest.mark.parametrize(
    ("preferred", "timers"),
    [
        ([86400], (43200, 69120)),
        ([86400, 1000], (500, 800)),
        ([1000, 0], (500, 800)),
        ([0], (0, 0)),
        ([INFINITE], (INFINITE, INFINITE)),
        ([INFINITE, 1000], (500, 800)),
    ],
)
def test_renewal_is_due_by_the_shortest_preferred_lifetime(preferred: list[int], timers: tuple[int, int]) -> None:
    """RFC 8415 section 21.4: half of it, and four fifths."""
    addresses = tuple(
        LeasedAddress(address=f"2001:db8:1::{number}", preferred_s=seconds, valid_s=INFINITE)
        for number, seconds in enumerate(preferred, 1)
    )

    assert struct.unpack("!II", an_answer(addresses=addresses).timers) == timers


def test_a_users_option_takes_the_place_of_the_default_one() -> None:
    answer = an_answer(extra_options=(("23", "2001:db8::99"), ("domain-search", None)))

    assert answer.options == ((23, b"\0\x17\0\x10" + ipaddress.IPv6Address("2001:db8::99").packed),)


def test_a_users_refresh_time_takes_the_place_of_the_default_one_or_removes_it() -> None:
    assert an_answer(extra_options=(("32", "1h"),)).refresh == struct.pack("!HHI", 32, 4, 3600)
    assert an_answer(extra_options=(("32", ""),)).refresh == b""
    assert an_answer(refresh_s=INFINITE).refresh == struct.pack("!HHI", 32, 4, INFINITE)


def test_an_option_that_cannot_be_sent_is_reported_and_the_others_stand() -> None:
    extra = (("router", "2001:db8::1"), ("ntp-server", "2001:db8::1"), ("56", "other.example"))

    answer, problems = Answer6.compile(a_lease(extra_options=extra, dns_servers=("192.0.2.1",)))

    assert [code for code, _ in answer.options] == [24, 56]
    assert [(problem.name, problem.value) for problem in problems] == [
        ("dns-server", "192.0.2.1"),
        ("router", "2001:db8::1"),
        ("56", "other.example"),
    ]
    assert "twice" in problems[2].reason


def test_an_address_is_on_link_within_any_prefix_of_the_network() -> None:
    answer = an_answer(on_link=("2001:db8:1::/64", "2001:db8:2::/80"))

    inside = ["2001:db8:1::", "2001:db8:1::ffff:ffff:ffff:ffff", "2001:db8:2::1"]
    outside = ["2001:db8:2:0:1::", "2001:db8:3::1", "::"]
    assert [answer.is_on_link(ipaddress.IPv6Address(a).packed) for a in inside + outside] == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mac": "FA:16:3E:00:00:01"}, "mac"),
        ({"server_mac": ""}, "server_mac"),
        ({"addresses": (LeasedAddress(address="10.0.0.1"),)}, "addresses"),
        ({"addresses": (LeasedAddress(address="fe80::1%eth0"),)}, "addresses"),
        ({"addresses": (LeasedAddress(address=GUEST), LeasedAddress(address=GUEST))}, "addresses"),
        ({"addresses": (LeasedAddress(address=SECOND, valid_s=1),)}, "addresses"),
        ({"addresses": (LeasedAddress(address=SECOND, preferred_s=0, valid_s=0),)}, "addresses"),
        ({"addresses": (LeasedAddress(address=SECOND, valid_s=INFINITE + 1),)}, "addresses"),
        ({"on_link": ("2001:db8::1/64",)}, "on_link"),
        ({"mtu": 1279}, "mtu"),
        ({"mtu": 65536}, "mtu"),
        ({"refresh_s": 599}, "refresh_s"),
    ],
)
def test_a_lease_that_cannot_be_answered_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidLease) as caught:
        Answer6.compile(a_lease(**changes))

    assert caught.value.field == field
