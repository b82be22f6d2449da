"""Which hosts a packet comes to, and what is said of the way: over a physical network and inside a private VLAN."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest

from controller.records import HostName, PortId
from controller.trace.question import Probe, parse, probe
from controller.trace.reasons import Known
from controller.trace.route import Hop, Site, follow
from controller.trace.verdict import describe
from flows.compiler import compile_bridge
from flows.intent import ISOLATED, BaseIntent, LocalPortIntent, RemotePortIntent, SegmentIntent, UnitIntent, Wire
from tests.unit.controller.trace.desk import Desk, a_desk

TRUNK, TAGGED, FLAT = 65_200, Wire(ofport=65_200, vlan=7), Wire(ofport=65_200, vlan=None)
FIRST, SECOND, THIRD = 0xFA163E000001, 0xFA163E000002, 0xFA163E000003
COMMUNITY = 30


def here(number: int, mac: int, *, role: int = 0, guarded: bool = True) -> LocalPortIntent:
    return LocalPortIntent(
        port=number,
        segment=1,
        ofport=32_768 + number,
        mac=mac,
        number=32_768 + number,
        guarded=guarded,
        guards=(),
        owned=(),
        ruleset=0,
        groups=(),
        dhcp=False,
        role=role,
    )


def there(number: int, mac: int, wire: Wire, *, role: int = 0) -> RemotePortIntent:
    return RemotePortIntent(
        port=number,
        segment=1,
        vni=0,
        mac=mac,
        endpoint=0,
        tunnel_ofport=0,
        owned=(),
        ruleset=0,
        groups=(),
        wire=wire,
        role=role,
    )


def a_site(name: str, wire: Wire, ports: dict[int, PortId], *intents: UnitIntent) -> Site:
    segment = SegmentIntent(segment=1, service_mac=0x025745465401, service_addresses=(), wire=wire)
    tables = compile_bridge([BaseIntent(), segment, *intents]).tables()
    return Site(host=HostName(name), tables=tables, tunnels={}, endpoint=0, ports=ports, wires={TRUNK: "physnet1"})


@dataclass
class Others:
    """Hosts on one physical network."""

    sites: tuple[Site, ...]

    def at(self, endpoint: int) -> Site | None:
        """No tunnel leads anywhere."""
        raise AssertionError(f"nobody asked for {endpoint}")

    def on(self, physical_network: str) -> Iterable[Site]:
        """Return them."""
        return self.sites if physical_network == "physnet1" else ()


@pytest.fixture
def desk() -> Desk:
    return a_desk()


def the_way(
    desk: Desk, wire: Wire, *, to: str = "p3", roles: tuple[int, int] = (0, 0), arriving: Wire | None = None
) -> tuple[Probe, tuple[Hop, ...]]:
    """Port p1 on h1, p3 on h2, and h3 with p2: all on one physical network."""
    one, two = roles
    back = arriving or wire
    sites = (
        a_site(
            "h1",
            wire,
            {32_769: PortId("p1")},
            here(1, FIRST, role=one, guarded=False),
            there(3, THIRD, wire, role=two),
            there(2, SECOND, wire),
        ),
        a_site(
            "h2",
            back,
            {32_771: PortId("p3")},
            here(3, THIRD, role=two),
            there(1, FIRST, back, role=one),
            there(2, SECOND, back),
        ),
        a_site(
            "h3",
            back,
            {32_770: PortId("p2")},
            here(2, SECOND),
            there(1, FIRST, back, role=one),
            there(3, THIRD, back, role=two),
        ),
    )
    asked = probe(desk.model, parse({"from": "p1", "to": to}))
    return asked, follow(asked, 32_769, sites[0], Others(sites))


def said(desk: Desk, way: tuple[Probe, tuple[Hop, ...]]) -> str:
    known = Known(model=desk.model, states={}, bound_here={})
    return str(describe(known, *way, live=False)["sentence"])


@pytest.mark.parametrize("wire", [TAGGED, FLAT])
def test_a_physical_network_brings_the_packet_to_the_receiver_s_host(desk: Desk, wire: Wire) -> None:
    way = the_way(desk, wire)
    assert [hop.site.host for hop in way[1]] == ["h1", "h2", "h3"]
    assert said(desk, way) == (
        "delivered: it reaches port web-3 (p3) on host h2, through physical network physnet1 from host h1"
    )
    shown = describe(Known(model=desk.model, states={}, bound_here={}), *way, live=False)["hosts"]
    assert isinstance(shown, list)
    assert shown[0]["ends"][0]["text"] == (
        f"leaves host h1 for physical network physnet1, {'VLAN 7' if wire.vlan else 'untagged'}"
    )
    assert shown[1]["entered"] == "through physical network physnet1 from host h1"


def test_who_is_nowhere_known_is_looked_for_on_the_physical_network(desk: Desk) -> None:
    assert said(desk, the_way(desk, TAGGED, to="10.0.0.99")) == (
        "delivered: it leaves host h1 for physical network physnet1, VLAN 7, on which no port of Weft's is concerned"
    )


def test_a_broadcast_comes_to_every_host_on_the_physical_network(desk: Desk) -> None:
    sentence = said(desk, the_way(desk, TAGGED, to="10.0.0.255"))
    assert "port web-3 (p3) on host h2" in sentence
    assert "port web-2 (p2) on host h3" in sentence


def test_a_host_that_expects_another_vlan_takes_nothing(desk: Desk) -> None:
    way = the_way(desk, TAGGED, arriving=Wire(ofport=TRUNK, vlan=8))
    assert said(desk, way).endswith("takes no frames of VLAN 7 from physical network physnet1")


def test_ports_that_a_private_vlan_keeps_apart_are_named_with_their_types(desk: Desk) -> None:
    """RFC 5517 section 3."""
    for port_id, kind, community in (("p1", "isolated", None), ("p3", "community", "blue")):
        desk.cloud.put(replace(desk.model.ports[PortId(port_id)], pvlan_type=kind, pvlan_community=community))
    assert said(desk, the_way(desk, TAGGED, roles=(ISOLATED, COMMUNITY))) == (
        "dropped on host h2: port web-1 (p1) (isolated) may not talk to port web-3 (p3) (community blue): "
        "isolated ports, and ports of different communities, may not talk (RFC 5517 section 3)"
    )
    assert said(desk, the_way(desk, TAGGED, roles=(COMMUNITY, COMMUNITY))).startswith("delivered")
