"""Is each of Neutron's extra_dhcp_opts for IPv6 written as its RFC says, and a wrong one refused?"""

import struct

import pytest
from scapy.layers.dhcp6 import (
    DHCP6OptBootFileUrl,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptInfoRefreshTime,
    DHCP6OptNISDomain,
    DHCP6OptNISPServers,
    DHCP6OptNISServers,
    DHCP6OptSIPDomains,
    DHCP6OptSIPServers,
    DHCP6OptSNTPServers,
)
from scapy.packet import Packet

from controller.dhcp6.errors import InvalidOption
from controller.dhcp6.names import OPTION_NAMES
from controller.dhcp6.options import option, parse_extra

A, B = "2001:db8::1", "2001:db8::2"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dns-server", f"{A}, [{B}]", DHCP6OptDNSServers(dnsservers=[A, B])),
        ("23", A, DHCP6OptDNSServers(dnsservers=[A])),
        ("option6:dns-server", A, DHCP6OptDNSServers(dnsservers=[A])),
        ("Option:23", A, DHCP6OptDNSServers(dnsservers=[A])),
        ("domain-search", "example.org,b.example", DHCP6OptDNSDomains(dnsdomains=["example.org", "b.example"])),
        ("sip-server-domain", "sip.example", DHCP6OptSIPDomains(sipdomains=["sip.example"])),
        ("sip-server", A, DHCP6OptSIPServers(sipservers=[A])),
        ("nis-server", A, DHCP6OptNISServers(nisservers=[A])),
        ("nis+-server", A, DHCP6OptNISPServers(nispservers=[A])),
        ("nis-domain", "nis.example", DHCP6OptNISDomain(nisdomain="nis.example.")),
        ("sntp-server", f"{A},{B}", DHCP6OptSNTPServers(sntpservers=[A, B])),
        ("information-refresh-time", "2h", DHCP6OptInfoRefreshTime(reftime=7200)),
        ("information-refresh-time", "infinite", DHCP6OptInfoRefreshTime(reftime=0xFFFFFFFF)),
        ("bootfile-url", "tftp://[2001:db8::9]/ipxe", DHCP6OptBootFileUrl(optdata="tftp://[2001:db8::9]/ipxe")),
    ],
)
def test_an_option_is_written_as_scapy_writes_it(name: str, value: str, expected: Packet) -> None:
    code, octets = parse_extra(name, value)

    assert octets is not None
    assert option(code, octets) == bytes(expected)


@pytest.mark.parametrize(
    ("name", "value", "code", "expected"),
    [
        ("ntp-server", f"{A}, ntp.example", 56, b"\0\1\0\x10" + bytes.fromhex("20010db8" + "0" * 23 + "1")
         + b"\0\3\0\x0d" + b"\3ntp\7example\0"),
        ("bootfile-param", "root=/dev/vda, quiet", 60, b"\0\x0droot=/dev/vda\0\5quiet"),
        ("posix-timezone", "EST5EDT4", 41, b"EST5EDT4"),
        ("82", "3600", 82, struct.pack("!I", 3600)),
        ("250", "7", 250, b"\7"),
        ("250", "256", 250, b"\1\0"),
        ("250", "65536", 250, b"\0\1\0\0"),
        ("250", "01:0a:ff", 250, b"\1\x0a\xff"),
        ("250", A, 250, bytes.fromhex("20010db8" + "0" * 23 + "1")),
        ("250", "some text", 250, b"some text"),
        ("250", "http://x", 250, b"http://x"),
        ("250", "ab", 250, b"ab"),
        ("65535", "x", 65535, b"x"),
        ("dns-server", None, 23, None),
        ("dns-server", "  ", 23, None),
    ],
)  # fmt: skip
def test_an_option_is_written_octet_for_octet(name: str, value: str | None, code: int, expected: bytes | None) -> None:
    assert parse_extra(name, value) == (code, expected)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("router", A, "unknown option"),
        ("0", "x", "does not exist"),
        ("65536", "x", "does not exist"),
        ("1", "x", "sets this option itself"),
        ("3", "x", "sets this option itself"),
        ("25", "x", "sets this option itself"),
        ("dns-server", "192.0.2.1", "192.0.2.1"),
        ("dns-server", f"[{A}", "Expected|Only|At|not permitted"),
        ("dns-server", "fe80::1%eth0", "names a zone"),
        ("dns-server", ",".join([A] * 4096), "longer than 65535"),
        ("domain-search", "a..b", "is no domain name"),
        ("domain-search", "x" * 64, "is no domain name"),
        ("domain-search", ".".join(["x" * 63] * 5), "longer than 255"),
        ("information-refresh-time", "599", "600 to 4294967295"),
        ("information-refresh-time", "soon", "must be seconds"),
        ("sol-max-rt", "59", "60 to 86400"),
        ("83", "86401", "60 to 86400"),
        ("ntp-server", "not a name", "is no domain name"),
        ("bootfile-url", "tftp://x\ny", "printable"),
        ("250", "9999999999", "decimal number"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(InvalidOption, match=reason) as caught:
        parse_extra(name, value)

    assert (caught.value.name, caught.value.value) == (name, value)


def test_every_name_is_known_by_its_number_too() -> None:
    for name, code, _ in OPTION_NAMES:
        assert parse_extra(name, None) == parse_extra(str(int(code)), None) == (code, None)


@pytest.mark.parametrize("code", [*range(1, 10), 11, 12, 13, 14, 18, 19, 20, 25, 26])
def test_what_the_protocol_itself_uses_cannot_be_chosen(code: int) -> None:
    """RFC 8415 section 21."""
    with pytest.raises(InvalidOption, match="sets this option itself"):
        parse_extra(str(code), "01:02")
