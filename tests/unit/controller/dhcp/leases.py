"""Which leases do the tests use?"""

from typing import Any

from controller.dhcp.answer import Answer
from controller.dhcp.lease import Lease
from tests.unit.controller.dhcp.dhcp_wire import GUEST, GUEST_MAC, SERVER, SERVER_MAC


def a_lease(**changes: Any) -> Lease:
    """Give an everyday lease, changed where the test says."""
    values: dict[str, Any] = {
        "mac": GUEST_MAC,
        "address": GUEST,
        "prefix_length": 24,
        "server_id": SERVER,
        "server_mac": SERVER_MAC,
        "router": SERVER,
        "dns_servers": ("8.8.8.8", "9.9.9.9"),
        "mtu": 1450,
        "hostname": "vm-1",
        "domain": "example.org",
    }
    return Lease(**(values | changes))


def an_answer(**changes: Any) -> Answer:
    """Give a compiled lease that has no invalid option."""
    answer, problems = Answer.compile(a_lease(**changes))
    assert problems == ()
    return answer
