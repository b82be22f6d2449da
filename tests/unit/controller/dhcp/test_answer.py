"""Does a lease, with the user's own options, become the right options on the wire?"""

import struct

import pytest

from controller.dhcp.answer import Answer
from controller.dhcp.errors import InvalidLease
from controller.dhcp.responder import respond
from tests.unit.controller.dhcp.dhcp_wire import SERVER, Got, Sent, ip, read
from tests.unit.controller.dhcp.leases import a_lease, an_answer

DEFAULT_ROUTE = b"\x00" + ip(SERVER)


def offered(**changes: object) -> Got:
    """Give what a client with room for everything is offered."""
    sent = Sent(kind=1, options=[(57, struct.pack("!H", 1450))])
    return read(respond(an_answer(**changes), sent.frame()).frame)


def test_routes_bring_the_default_route_along_and_keep_option_3() -> None:
    """RFC 3442: destinations take their significant octets only, and a client that takes 121 ignores 3."""
    options = offered(routes=(("10.17.0.0/16", "10.0.0.2"), ("192.0.2.128/25", "10.0.0.3"))).options

    expected = b"\x10\x0a\x11" + ip("10.0.0.2") + b"\x19\xc0\x00\x02\x80" + ip("10.0.0.3") + DEFAULT_ROUTE
    assert options[121] == expected
    assert options[3] == ip(SERVER)


def test_a_default_route_of_the_user_is_not_doubled() -> None:
    options = offered(routes=(("0.0.0.0/0", "10.0.0.2"),)).options

    assert options[121] == b"\x00" + ip("10.0.0.2")


def test_without_a_router_there_is_no_default_route() -> None:
    options = offered(router=None, routes=(("10.17.0.0/16", "10.0.0.2"),)).options

    assert options[121] == b"\x10\x0a\x11" + ip("10.0.0.2")
    assert 3 not in options


def test_without_routes_there_is_no_option_121() -> None:
    assert 121 not in offered().options


def test_a_lease_for_ever_is_never_renewed() -> None:
    """RFC 2131 section 3.3."""
    options = offered(lease_s=0xFFFFFFFF).options

    assert options[51] == b"\xff" * 4
    assert not options.keys() & {58, 59}


@pytest.mark.parametrize(
    ("name", "value", "code", "octets"),
    [
        ("mtu", "1400", 26, struct.pack("!H", 1400)),
        ("router", "10.0.0.2", 3, ip("10.0.0.2")),
        ("dns-server", "1.1.1.1, 1.0.0.1", 6, ip("1.1.1.1") + ip("1.0.0.1")),
        ("domain-name", "corp.example", 15, b"corp.example"),
        ("hostname", "other", 12, b"other"),
        ("tftp-server", "10.0.0.3", 66, b"10.0.0.3"),
        ("tftp-server-address", "10.0.0.3,10.0.0.4", 150, ip("10.0.0.3") + ip("10.0.0.4")),
        ("ntp-server", "10.0.0.3", 42, ip("10.0.0.3")),
        ("netbios-ns", "10.0.0.3", 44, ip("10.0.0.3")),
        ("domain-search", "a.example,b", 119, b"\x01a\x07example\x00\x01b\x00"),
        ("classless-static-route", "10.17.0.0/16,10.0.0.2", 121, b"\x10\x0a\x11" + ip("10.0.0.2") + DEFAULT_ROUTE),
        ("vendor-class", "PXEClient", 60, b"PXEClient"),
        ("vendor-encap", "06:01:08", 43, b"\x06\x01\x08"),
        ("netbios-nodetype", "8", 46, b"\x08"),
        ("lease-time", "12h", 51, struct.pack("!I", 43200)),
        ("T1", "60", 58, struct.pack("!I", 60)),
        ("T2", "80000", 59, struct.pack("!I", 80000)),
        ("42", "10.0.0.3", 42, ip("10.0.0.3")),
        ("option:42", "10.0.0.3", 42, ip("10.0.0.3")),
        ("option:ntp-server", "10.0.0.3", 42, ip("10.0.0.3")),
        ("26", "1400", 26, struct.pack("!H", 1400)),
        ("200", "10.0.0.3,10.0.0.4", 200, ip("10.0.0.3") + ip("10.0.0.4")),
        ("200", "7", 200, b"\x07"),
        ("200", "256", 200, b"\x01\x00"),
        ("200", "65536", 200, b"\x00\x01\x00\x00"),
        ("200", "01:ff", 200, b"\x01\xff"),
        ("200", "http://boot/script", 200, b"http://boot/script"),
    ],
)
def test_an_extra_option_is_sent_in_the_form_its_name_demands(name: str, value: str, code: int, octets: bytes) -> None:
    """Neutron API reference, ports, extra_dhcp_opts; names and forms of dnsmasq(8)."""
    assert offered(extra_options=((name, value),)).options[code] == octets


def test_a_boot_file_goes_into_option_67_and_the_file_field() -> None:
    got = offered(extra_options=(("bootfile-name", "pxelinux.0"), ("server-ip-address", "10.0.0.3")))

    assert (got.options[67], got.file, got.siaddr) == (b"pxelinux.0", b"pxelinux.0", "10.0.0.3")


def test_a_boot_file_too_long_for_the_field_is_sent_as_option_only() -> None:
    """RFC 2131 section 2: file is a closed string of at most 127 characters."""
    got = offered(extra_options=(("bootfile-name", "b" * 128),))

    assert (got.options[67], got.file) == (b"b" * 128, b"")


@pytest.mark.parametrize("blank", [None, ""])
@pytest.mark.parametrize(("name", "code"), [("router", 3), ("mtu", 26), ("option:6", 6), ("T1", 58), ("netmask", 1)])
def test_a_blank_value_leaves_a_default_option_out(name: str, code: int, blank: str | None) -> None:
    assert code not in offered(extra_options=((name, blank),)).options


def test_the_renewal_times_follow_a_chosen_lease_time() -> None:
    """RFC 2131 section 4.4.5."""
    options = offered(extra_options=(("lease-time", "800"),)).options

    assert (options[58], options[59]) == (struct.pack("!I", 400), struct.pack("!I", 700))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no-such-option", "1"),
        ("", "1"),
        ("tag:ipxe,67", "x"),
        ("255", "1"),
        ("0", "1"),
        ("999", "1"),
        ("53", "5"),
        ("54", "10.0.0.2"),
        ("61", "01:02"),
        ("249", "10.17.0.0/16,10.0.0.2"),
        ("mtu", "big"),
        ("mtu", "67"),
        ("mtu", "65536"),
        ("mtu", "-1"),
        ("router", "fe80::1"),
        ("router", "10.0.0.2,"),
        ("lease-time", ""),
        ("lease-time", "7"),
        ("lease-time", "9999999999w"),
        ("lease-time", "soon"),
        ("domain-search", "a..b"),
        ("domain-search", "a" * 64),
        ("domain-search", ".".join(["abcdefgh"] * 30)),
        ("classless-static-route", "10.17.0.0/16"),
        ("classless-static-route", "10.17.0.0/33,10.0.0.2"),
        ("static-route", "10.17.0.1"),
        ("hostname", "a\nb"),
        ("hostname", "caf\u00e9"),
        ("hostname", "h" * 256),
        ("vendor-encap", "6:1:xx"),
        ("server-ip-address", "tftp.example"),
        ("200", "4294967296"),
        ("T1", "86400"),
        ("T2", "100"),
    ],
)
def test_an_option_that_cannot_be_sent_is_reported_and_changes_nothing(name: str, value: str) -> None:
    """The caller's port keeps its lease; the sentence names option, value and reason."""
    answer, problems = Answer.compile(a_lease(extra_options=((name, value),)))

    assert answer == an_answer()
    assert [(problem.name, problem.value) for problem in problems] == [(name, value)]
    assert repr(name) in str(problems[0])
    assert problems[0].reason


def test_of_one_option_given_twice_the_first_stands() -> None:
    answer, problems = Answer.compile(a_lease(extra_options=(("42", "10.0.0.3"), ("ntp-server", "10.0.0.4"))))

    assert answer == an_answer(extra_options=(("42", "10.0.0.3"),))
    assert [problem.name for problem in problems] == ["ntp-server"]


@pytest.mark.parametrize(
    ("field", "value", "option"),
    [
        ("router", "fe80::1", "router"),
        ("dns_servers", ("2001:db8::1",), "dns-server"),
        ("mtu", 70000, "mtu"),
        ("hostname", "a\x00b", "hostname"),
        ("routes", (("x", "10.0.0.2"),), "classless-static-route"),
    ],
)
def test_a_default_option_that_cannot_be_sent_is_reported_too(field: str, value: object, option: str) -> None:
    _, problems = Answer.compile(a_lease(**{field: value}))

    assert [problem.name for problem in problems] == [option]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mac", "FA:16:3E:00:00:01"),
        ("server_mac", ""),
        ("address", "10.0.0.256"),
        ("server_id", "fe80::1"),
        ("prefix_length", 33),
        ("lease_s", 7),
        ("lease_s", 1 << 32),
    ],
)
def test_a_lease_without_its_essentials_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidLease) as caught:
        Answer.compile(a_lease(**{field: value}))

    assert (caught.value.field, caught.value.value) == (field, value)
