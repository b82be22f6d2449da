"""Is each punted frame answered by what is known of its port, and by nothing else?"""

from typing import Any

import pytest
from scapy.layers.dhcp6 import DUID_LL, DHCP6_Advertise, DHCP6_Reply, DHCP6_Solicit, DHCP6OptClientId
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo

from controller.reconcile.directory import Directory, samples_of
from controller.records import NetworkId, PortKey, SubnetId
from flows.cookie import Feature, encode
from tests.unit.controller.dhcp.dhcp_wire import Sent, ip, read
from tests.unit.controller.dhcp6.scapy_wire import GUEST_MAC, ia_na, parsed, sent, solicitation
from tests.unit.controller.reconcile.builders import Cloud, a_network, a_port, a_subnet

PREFIX = "fd00::/64"
CLIENT = DHCP6OptClientId(duid=DUID_LL(lladdr=GUEST_MAC))
DISCOVER, DECLINE = 1, 4


def modes(ra_mode: str | None, address_mode: str | None) -> dict[str, Any]:
    return {"enable_dhcp": True, "ipv6_ra_mode": ra_mode, "ipv6_address_mode": address_mode}


class Stage:
    """A directory over one network with port 1, and what it told others."""

    def __init__(self, *records: Any) -> None:
        self.cloud = Cloud()
        self.sent: list[tuple[int, int, bytes]] = []
        self.arrived: list[tuple[int, PortKey]] = []
        self.directory = Directory(send=self._send, arrived=lambda dpid, key: self.arrived.append((dpid, key)))
        self.put(a_network(), a_subnet(), a_port(1, "10.0.0.5"), *records)

    def _send(self, dpid: int, ofport: int, frame: bytes) -> bool:
        self.sent.append((dpid, ofport, frame))
        return True

    def put(self, *records: Any) -> frozenset[NetworkId]:
        self.cloud.put(*records)
        return self.refresh()

    def refresh(self) -> frozenset[NetworkId]:
        model = self.cloud.model
        return self.directory.refresh(model, ["p1", "p2", "p3"], ["n1", "n2"])  # type: ignore[list-item]

    def punt(self, feature: Feature, frame: bytes, key: int = 1) -> bytes | None:
        return self.directory.packet_in(7, encode(feature, key), 33, frame)

    def count(self, metric: str, outcome: str) -> int:
        return samples_of(self.directory)[metric][outcome]


def test_a_dhcp_request_is_answered_by_the_ports_lease() -> None:
    stage = Stage()
    got = read(stage.punt(Feature.DHCP, Sent(kind=DISCOVER).frame()))
    assert got.yiaddr == "10.0.0.5"
    assert stage.count("weft_dhcp_requests_total", "offer") == 1


def test_a_guest_that_cannot_use_its_address_is_named_once_for_each_lease(caplog: pytest.LogCaptureFixture) -> None:
    """It may say so as often as it likes; the log is not its to fill."""
    stage = Stage()
    frame = Sent(kind=DECLINE, options=[(50, ip("10.0.0.5")), (54, stage_server(stage))]).frame()
    for _ in range(3):
        assert stage.punt(Feature.DHCP, frame) is None
    assert [one.getMessage() for one in caplog.records] == [f"dhcp_declined dpid={7:016x} ofport=33 port=p1"]
    stage.put(a_port(1, "10.0.0.6"))
    stage.put(a_port(1, "10.0.0.5"))
    stage.punt(Feature.DHCP, frame)
    assert len(caplog.records) == 2


def stage_server(stage: Stage) -> bytes:
    """Return the server identifier of the port's lease."""
    return read(stage.punt(Feature.DHCP, Sent(kind=DISCOVER).frame())).options[54]


def test_a_port_that_is_gone_is_answered_nothing() -> None:
    stage = Stage(a_subnet(cidr=PREFIX, **modes("slaac", "slaac")))
    stage.cloud.remove(a_port(1))
    stage.refresh()
    for feature, frame in (
        (Feature.DHCP, Sent(kind=DISCOVER).frame()),
        (Feature.DHCPV6, sent(DHCP6_Solicit, CLIENT, ia_na())),
        (Feature.ROUTER_SOLICITATION, solicitation()),
    ):
        assert stage.punt(feature, frame) is None


@pytest.mark.parametrize("cookie", [0, encode(Feature.BASE), encode(Feature.PORT_SECURITY, 1)])
def test_what_no_answering_flow_punted_is_not_answered(cookie: int) -> None:
    assert Stage().directory.packet_in(7, cookie, 33, Sent(kind=DISCOVER).frame()) is None


def test_a_dhcpv6_request_is_answered_with_the_ports_addresses() -> None:
    stage = Stage(a_subnet(cidr=PREFIX, **modes(*2 * ("dhcpv6-stateful",))), a_port(1, "fd00::5"))
    got = parsed(stage.punt(Feature.DHCPV6, sent(DHCP6_Solicit, CLIENT, ia_na())))
    assert DHCP6_Advertise in got
    assert b"\xfd" + bytes(14) + b"\x05" in bytes(got)
    assert stage.count("weft_dhcpv6_requests_total", "advertise") == 1
    stage.put(a_subnet(cidr=PREFIX, **modes("slaac", "slaac")))
    assert stage.punt(Feature.DHCPV6, sent(DHCP6_Solicit, CLIENT, ia_na())) is None
    assert DHCP6_Reply not in got


def test_a_solicitation_is_answered_by_what_the_ports_own_network_advertises() -> None:
    stage = Stage(a_subnet(cidr=PREFIX, **modes("slaac", "slaac")))
    stage.put(a_network(2), a_subnet(2, "fd02::/64", **modes("slaac", "slaac")), a_port(2, network=2))
    for key, prefix in ((1, "fd00::"), (2, "fd02::")):
        got = parsed(stage.punt(Feature.ROUTER_SOLICITATION, solicitation(), key))
        assert (got[ICMPv6NDOptPrefixInfo].prefix, got[ICMPv6ND_RA].routerlifetime) == (prefix, 0)
    assert stage.count("weft_router_solicitations_total", "answered") == 2
    assert stage.punt(Feature.ROUTER_SOLICITATION, b"\0" * 60) is None
    assert stage.count("weft_router_solicitations_total", "ignored") == 1


def router(number: int, address: str, **more: Any) -> Any:
    return a_port(number, address, device_owner="network:router_interface", **more)


def test_every_gateway_is_advertised_in_its_own_name() -> None:
    """One message has one source: the second goes out beside the answer."""
    second = a_subnet(cidr="fd01::/64", id=SubnetId("n1-b"), gateway_ip="fd01::1", **modes("slaac", "slaac"))
    stage = Stage(a_subnet(cidr=PREFIX, gateway_ip="fd00::1", **modes("slaac", "slaac")), second, router(2, "fd00::1"))
    first = parsed(stage.punt(Feature.ROUTER_SOLICITATION, solicitation()))
    [(dpid, ofport, frame)] = stage.sent
    assert (dpid, ofport) == (7, 33)
    lifetimes = {p[ICMPv6NDOptPrefixInfo].prefix: p[ICMPv6ND_RA].routerlifetime for p in (first, parsed(frame))}
    assert lifetimes == {"fd00::": 1800, "fd01::": 0}


def test_a_router_is_advertised_nothing() -> None:
    stage = Stage(a_subnet(cidr=PREFIX, gateway_ip="fd00::1", **modes("slaac", "slaac")), router(2, "fd00::1"))
    assert stage.punt(Feature.ROUTER_SOLICITATION, solicitation(eth_src="fa:16:3e:00:00:02"), 2) is None
    assert stage.cloud.local(router(2, "fd00::1")).router is False
    assert stage.cloud.local(a_port(1)).router is True


def test_networks_that_say_something_else_are_named_once() -> None:
    stage = Stage()
    advertised = a_subnet(cidr=PREFIX, gateway_ip="fd00::1", **modes("slaac", "slaac"))
    assert stage.put(advertised) == {"n1"}
    assert stage.refresh() == frozenset()
    assert stage.put(router(2, "fd00::1")) == {"n1"}, "the gateway's link-local address is known now"
    assert stage.put(a_network(name="renamed")) == frozenset()
    assert stage.put(a_network(mtu=1400)) == {"n1"}
    assert stage.put(a_network(admin_state_up=False)) == {"n1"}
    assert stage.directory.facts(NetworkId("n1")) == ()


def test_a_prefix_that_cannot_be_advertised_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(a_subnet(cidr="fd00::/80", **modes("slaac", "slaac")))
    assert stage.directory.facts(NetworkId("n1")) == ()
    assert "router_facts_invalid network=n1" in caplog.text


def test_a_guest_that_shows_itself_is_told_with_its_switch() -> None:
    stage = Stage()
    assert stage.punt(Feature.MIGRATION, b"\xff" * 60) is None
    assert stage.arrived == [(7, 1)]
    assert stage.count("weft_guest_arrivals_total", "arrived") == 1


@pytest.mark.parametrize(
    ("ra_mode", "address_mode", "router_", "dhcp6"),
    [
        (None, None, False, True),
        (None, "slaac", False, False),
        ("slaac", "slaac", True, False),
        ("dhcpv6-stateless", "dhcpv6-stateless", True, True),
        ("dhcpv6-stateful", None, True, False),
        (None, "dhcpv6-stateful", False, True),
    ],
)
def test_only_what_is_answered_is_punted(
    ra_mode: str | None, address_mode: str | None, *, router_: bool, dhcp6: bool
) -> None:
    """controller.dhcp6.facts has the table."""
    port = a_port(1, "fd00::5")
    stage = Stage(a_subnet(cidr=PREFIX, **modes(ra_mode, address_mode)), port)
    local = stage.cloud.local(port)
    assert (local.router, local.dhcp6) == (router_, dhcp6)
    stage.put(a_subnet(cidr=PREFIX, **{**modes(ra_mode, address_mode), "enable_dhcp": False}))
    local = stage.cloud.local(port)
    assert (local.router, local.dhcp6) == (False, False)
