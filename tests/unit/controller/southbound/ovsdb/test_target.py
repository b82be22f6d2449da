"""Which OVSDB addresses are accepted?"""

import socket

import pytest

from controller.southbound.ovsdb.errors import TargetError
from controller.southbound.ovsdb.target import parse_target


@pytest.mark.parametrize(
    ("text", "family", "address"),
    [
        ("tcp:192.0.2.7:6640", socket.AF_INET, ("192.0.2.7", 6640)),
        ("tcp:[2001:DB8:0::7]:6640", socket.AF_INET6, ("2001:db8::7", 6640)),
        ("unix:/run/openvswitch/db.sock", socket.AF_UNIX, "/run/openvswitch/db.sock"),
    ],
)
def test_addresses_are_parsed(text: str, family: socket.AddressFamily, address: object) -> None:
    target = parse_target(text)
    assert (target.family, target.address, target.text) == (family, address, text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ssl:192.0.2.7:6640", "not supported yet"),
        ("192.0.2.7:6640", "no known method"),
        ("", "no known method"),
        ("ptcp:6640", "no known method"),
        ("unix:", "no path"),
        ("unix:/" + "x" * 107, "not usable"),
        ("unix:/a\0b", "not usable"),
        ("tcp:192.0.2.7", "no port"),
        ("tcp:192.0.2.7:0", "no port"),
        ("tcp:192.0.2.7:65536", "no port"),
        ("tcp:192.0.2.7:٣", "no port"),
        ("tcp:hypervisor:6640", "IP address"),
        ("tcp::6640", "IP address"),
        ("tcp:2001:db8::7:6640", "brackets"),
        ("tcp:[192.0.2.7]:6640", "brackets"),
    ],
)
def test_wrong_addresses_are_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(TargetError, match=why) as caught:
        parse_target(text)
    assert repr(text) in str(caught.value)
