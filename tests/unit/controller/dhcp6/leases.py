"""Which leases and networks do the tests use?"""

from typing import Any

from controller.dhcp6.answer import Answer6
from controller.dhcp6.facts import Subnet6
from controller.dhcp6.lease import Lease6, LeasedAddress
from controller.dhcp6.ra import PrefixFacts, RouterFacts
from tests.unit.controller.dhcp6.scapy_wire import GUEST, GUEST_MAC, SECOND, SERVICE_MAC

PREFIX = "2001:db8:1::/64"
SECOND_PREFIX = "2001:db8:2::/64"
DNS = ("2001:db8::53", "2001:db8::54")


def a_lease(**changes: Any) -> Lease6:
    """Give an everyday stateful lease, changed where the test says."""
    values: dict[str, Any] = {
        "mac": GUEST_MAC,
        "server_mac": SERVICE_MAC,
        "addresses": (LeasedAddress(address=GUEST),),
        "on_link": (PREFIX, SECOND_PREFIX),
        "dns_servers": DNS,
        "search_domains": ("example.org",),
        "mtu": 1450,
    }
    return Lease6(**(values | changes))


def an_answer(**changes: Any) -> Answer6:
    """Give a compiled lease that has no invalid option."""
    answer, problems = Answer6.compile(a_lease(**changes))
    assert problems == ()
    return answer


def two_addresses() -> Answer6:
    return an_answer(addresses=(LeasedAddress(address=GUEST), LeasedAddress(address=SECOND)))


def stateless() -> Answer6:
    return an_answer(addresses=())


def router_facts(**changes: Any) -> RouterFacts:
    """Give the facts of an everyday SLAAC network without a gateway, changed where the test says."""
    values: dict[str, Any] = {
        "service_mac": SERVICE_MAC,
        "mtu": 1450,
        "prefixes": (PrefixFacts(cidr=PREFIX, autonomous=True),),
        "managed": False,
        "other": False,
        "dns_servers": DNS,
        "search_domains": ("example.org",),
    }
    return RouterFacts(**(values | changes))


def a_subnet(ra_mode: str | None = "slaac", address_mode: str | None = "slaac", **changes: Any) -> Subnet6:
    values: dict[str, Any] = {"cidr": PREFIX, "ra_mode": ra_mode, "address_mode": address_mode}
    return Subnet6(**(values | changes))
