"""Which segment of its network does a host realise, and by which way does it reach the ports of others?"""

import pytest

from controller.records import Segment
from flows.compiler import compile_unit
from flows.intent import (
    ISOLATED,
    PROMISCUOUS,
    LocalPortIntent,
    PeerIntent,
    RemotePortIntent,
    SegmentIntent,
    Unit,
    UnitKind,
    Wire,
)
from flows.pipeline import TABLE_BY_ID
from tests.unit.controller.reconcile.builders import Cloud, a_host, a_network, a_port, a_segment, a_subnet

VLAN = a_segment(1, "vlan", "public")
FLAT = a_segment(1, "flat", "lab", key=2)
OVERLAY = a_segment(1, "vxlan", key=3)
GENEVE = a_segment(1, "geneve", key=4)


def a_cloud(*segments: Segment, h1: tuple[str, ...] = ("public",), h2: tuple[str, ...] = ("public",)) -> Cloud:
    """A port on each of two hosts that have these physical networks."""
    cloud = Cloud()
    cloud.put_host(a_host(1, physnets=h1))
    cloud.put_host(a_host(2, physnets=h2))
    cloud.put(a_network(1, *segments), a_subnet(), a_port(1, "10.0.0.5"), a_port(2, "10.0.0.6", host="h2"))
    return cloud


def segments(cloud: Cloud, host: str) -> list[SegmentIntent]:
    view = cloud.view(host)
    return [intent for unit in view.units() if isinstance(intent := view.intent(unit), SegmentIntent)]


def remote(cloud: Cloud, number: int, host: str) -> RemotePortIntent | None:
    intent = cloud.view(host).intent(Unit(UnitKind.REMOTE_PORT, number))
    assert intent is None or isinstance(intent, RemotePortIntent)
    return intent


@pytest.mark.parametrize(
    ("asked", "physnets", "expected"),
    [
        ((VLAN,), ("public",), (1, Wire(ofport=65200, vlan=101))),
        ((FLAT,), ("public", "lab"), (2, Wire(ofport=65201, vlan=None))),
        ((OVERLAY, VLAN, FLAT), ("public", "lab"), (1, Wire(ofport=65200, vlan=101))),
        ((VLAN, FLAT, OVERLAY), ("lab",), (2, Wire(ofport=65200, vlan=None))),
        ((VLAN, FLAT, OVERLAY), (), (3, None)),
        ((VLAN,), (), (1, None)),
        ((VLAN,), ("a", "b", "public"), (1, None)),  # no patch is there for the third
    ],
)
def test_a_host_realises_the_first_segment_it_has_the_physical_network_of(
    asked: tuple[Segment, ...], physnets: tuple[str, ...], expected: tuple[int, Wire | None]
) -> None:
    cloud = a_cloud(*asked, h1=physnets)
    [segment] = segments(cloud, "h1")
    assert (segment.segment, segment.wire) == expected
    local = cloud.view("h1").intent(Unit(UnitKind.LOCAL_PORT, 1))
    assert isinstance(local, LocalPortIntent)
    assert local.segment == segment.segment


def test_ports_of_a_provider_network_are_reached_through_the_wire_alone() -> None:
    found = remote(a_cloud(VLAN), 2, "h1")
    assert found is not None
    assert (found.segment, found.wire, found.tunnel_ofport, found.vni) == (1, Wire(ofport=65200, vlan=101), 0, 0)


def test_ports_of_a_provider_network_are_reached_without_a_tunnel_endpoint() -> None:
    cloud = a_cloud(VLAN)
    for number in (1, 2):
        cloud.put_host(a_host(number, physnets=("public",), tunnel=False))
    assert remote(cloud, 2, "h1") is not None


@pytest.mark.parametrize(("segment", "tunnel", "vni"), [(OVERLAY, 65279, 103), (GENEVE, 65278, 104)])
def test_ports_of_an_overlay_are_reached_through_its_own_tunnel(segment: Segment, tunnel: int, vni: int) -> None:
    found = remote(a_cloud(segment), 2, "h1")
    assert found is not None
    assert (found.tunnel_ofport, found.vni, found.wire, found.endpoint) == (tunnel, vni, None, 0x0A000002)


@pytest.mark.parametrize("h2", [(), ("lab",)])
def test_nothing_joins_the_segments_of_one_network(h2: tuple[str, ...]) -> None:
    cloud = a_cloud(VLAN, FLAT, OVERLAY, h1=("public",), h2=h2)
    assert remote(cloud, 2, "h1") is None
    assert remote(cloud, 1, "h2") is None


def test_a_host_without_the_physical_network_is_not_on_it() -> None:
    cloud = a_cloud(VLAN, h2=())
    assert remote(cloud, 2, "h1") is None
    assert remote(cloud, 1, "h2") is None
    cloud.put_host(a_host(2, physnets=("public",)))
    assert cloud.bridges[cloud.hosts[0].name].known_units() >= {Unit(UnitKind.REMOTE_PORT, 2)}


def test_a_registered_host_may_send_by_either_tunnel() -> None:
    cloud = a_cloud(OVERLAY)
    peer = cloud.view("h1").intent(Unit(UnitKind.PEER, 0x0A000002))
    assert peer == PeerIntent(tunnel_ofport=65279, more_ofports=(65278,), endpoint=0x0A000002)
    flows = cloud.bridges[cloud.hosts[0].name].state.tables().flows.values()
    assert sum(f.why == "frames from the tunnel endpoint of a registered host are let in" for f in flows) == 2


def test_the_gateway_of_any_provider_segment_may_be_outside() -> None:
    cloud = a_cloud(OVERLAY, VLAN, h1=(), h2=())
    cloud.put(a_subnet(gateway_ip="10.0.0.5"))
    assert [one.answered for one in cloud.local(a_port(1, "10.0.0.5")).owned] == [False]


# private VLANs --------------------------------------------------------------------------------------------------------


def test_a_role_counts_in_a_private_vlan_only() -> None:
    cloud = a_cloud(OVERLAY)
    isolated = a_port(1, "10.0.0.5", role=ISOLATED)
    cloud.put(isolated)
    assert (cloud.local(isolated).role, cloud.remote(isolated).role) == (PROMISCUOUS, PROMISCUOUS)
    cloud.put(a_network(1, OVERLAY, pvlan=True))
    assert (cloud.local(isolated).role, cloud.remote(isolated).role) == (ISOLATED, ISOLATED)
    cloud.put(a_port(1, "10.0.0.5", role=ISOLATED, device_owner="network:dhcp"))
    assert cloud.local(isolated).role == PROMISCUOUS


@pytest.mark.parametrize(("role", "answered"), [(PROMISCUOUS, True), (ISOLATED, False), (30, False)])
def test_the_network_answers_for_promiscuous_ports_only(role: int, *, answered: bool) -> None:
    """RFC 5517: whom one may not talk to one does not learn; promiscuous ports ask the others themselves."""
    cloud = a_cloud(OVERLAY)
    port = a_port(1, "10.0.0.5", role=role)
    cloud.put(a_network(1, OVERLAY, pvlan=True), port)
    for intent in (cloud.local(port), cloud.remote(port)):
        assert [one.answered for one in intent.owned] == [answered]


@pytest.mark.parametrize(("old", "new"), [(PROMISCUOUS, ISOLATED), (ISOLATED, PROMISCUOUS), (30, 31), (31, ISOLATED)])
def test_another_role_is_one_atomic_change_on_every_host(old: int, new: int) -> None:
    """Flows and groups share a bundle (plan.py); meters cannot be in one, and no zone has to forget anything."""
    cloud = a_cloud(OVERLAY)
    cloud.put(a_network(1, OVERLAY, pvlan=True), a_port(1, "10.0.0.5", role=old))
    cloud.put(a_port(1, "10.0.0.5", role=new))
    for delta in cloud.deltas.values():
        assert (*delta.meters, *delta.deleted_meters) == ()
        assert (*delta.flushed_zones, *delta.revoked_zones) == ()
        assert len([*delta.flows, *delta.deleted_flows, *delta.groups]) < 20
    told = {TABLE_BY_ID[flow.table].name for flow in cloud.deltas["h1"].flows}
    assert {"classify", "l2_lookup"} <= told, "as sender and as receiver at once"
    assert cloud.deltas["h1"].groups, "as receiver of broadcasts too"
    there = cloud.deltas["h2"]
    sender = [f for f in (*there.flows, *there.deleted_flows) if TABLE_BY_ID[f.table].name == "sender"]
    assert len(sender) == 1, "elsewhere its role is one flow"


def test_ports_without_port_security_take_frames_for_unknown_addresses() -> None:
    cloud = a_cloud(OVERLAY)
    assert not cloud.remote(a_port(1)).takes_unknown
    cloud.put(a_port(1, "10.0.0.5", port_security_enabled=False))
    assert cloud.remote(a_port(1)).takes_unknown


@pytest.mark.parametrize(
    ("segment", "role", "host", "expected"),
    [
        (VLAN, ISOLATED, None, True),
        (VLAN, 20, "h3", True),
        (VLAN, PROMISCUOUS, None, False),
        (VLAN, ISOLATED, "h1", False),
        (OVERLAY, ISOLATED, None, False),
    ],
)
def test_hosts_on_a_vlan_know_the_role_of_a_port_before_it_is_on_any_of_them(
    segment: Segment, role: int, host: str | None, *, expected: bool
) -> None:
    """Whom they do not know there is taken for the router outside, which is promiscuous."""
    cloud = a_cloud(segment)
    cloud.put(a_network(1, segment, pvlan=True), a_port(3, "10.0.0.7", host=host, role=role))
    found = remote(cloud, 3, "h1")
    assert (found is not None and found.awaited) == expected
    if found is not None:
        flows = compile_unit(found).flows
        assert [TABLE_BY_ID[flow.table].name for flow in flows] == ["sender"]
        assert not compile_unit(found).members


def test_the_gateway_of_a_provider_network_answers_for_itself() -> None:
    """It is a router outside: whoever answered in its stead would cut the network off."""
    for segment, gateway_ip, expected in (
        (VLAN, "10.0.0.1", (0xA9FE0001,)),
        (VLAN, None, (0xA9FE0001,)),
        (OVERLAY, "10.0.0.1", (0x0A000001,)),
    ):
        cloud = a_cloud(segment)
        cloud.put(a_subnet(gateway_ip=gateway_ip))
        [found] = segments(cloud, "h1")
        assert found.service_addresses == expected
