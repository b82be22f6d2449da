"""While a port migrates two hosts have it: both get its frames, and its rows are on both."""

from dataclasses import replace

import pytest

from controller.reconcile.ovsdb_rows import StatedRows, bridge_rows, port_row
from controller.reconcile.places import binding_on, hosts_of
from controller.records import HostName, OfPort
from flows import fields
from flows.flow import Load, Output
from flows.intent import LocalPortIntent, Moving, RemotePortIntent, Unit, UnitKind
from flows.pipeline import L2_LOOKUP, OUT_PORT, TABLE_BY_ID
from tests.unit.controller.reconcile.builders import (
    Cloud,
    a_group,
    a_host,
    a_network,
    a_port,
    a_segment,
    a_subnet,
)

H1, H2 = HostName("h1"), HostName("h2")
MOVING = a_port(1, "10.0.0.5", groups=["g16"], standby="h2")
ARRIVED = replace(
    MOVING,
    binding=MOVING.standby and replace(MOVING.standby, active=True),
    standby=MOVING.binding and replace(MOVING.binding, active=False),
)
MOVED = replace(ARRIVED, standby=None)


def a_cloud(*more: object, hosts: int = 3) -> Cloud:
    """Three hosts; port 1 on the first, others on the first and the third."""
    cloud = Cloud(hosts, physnets=("public",))
    cloud.put(a_network(), a_subnet(), a_group(16), a_port(1, "10.0.0.5", groups=["g16"]))
    cloud.put(a_port(2, "10.0.0.6"), a_port(3, "10.0.0.7", host="h3"))
    return cloud


def remote(cloud: Cloud, host: str) -> RemotePortIntent:
    intent = cloud.view(host).intent(Unit(UnitKind.REMOTE_PORT, 1))
    assert isinstance(intent, RemotePortIntent)
    return intent


def moving(cloud: Cloud) -> dict[str, Moving]:
    found = {}
    for name in ("h1", "h2"):
        intent = cloud.view(name).intent(Unit(UnitKind.LOCAL_PORT, 1))
        if isinstance(intent, LocalPortIntent):
            found[name] = intent.moving
    return found


def zones(cloud: Cloud, host: str) -> set[int]:
    """Return the numbers of the ports a host has wired."""
    view = cloud.view(host)
    found = (view.intent(unit) for unit in view.units())
    return {intent.number for intent in found if isinstance(intent, LocalPortIntent)}


def deliveries(cloud: Cloud, host: str) -> set[int]:
    """Return the OpenFlow ports that a frame for port 1 leaves a host by, as its table of receivers says."""
    flows = cloud.bridges[HostName(host)].state.tables().flows.values()
    found = set()
    for flow in flows:
        terms = {term.field: term.value for term in flow.match}
        if flow.table == L2_LOOKUP.id and terms.get(fields.ETH_DST) == 0xFA163E000001:
            for action in flow.actions:
                if isinstance(action, Load) and action.dst == OUT_PORT:
                    found.add(action.value)
                elif isinstance(action, Output):
                    found.add(action.ofport)
    return found


def test_both_hosts_wire_a_port_that_migrates() -> None:
    cloud = a_cloud()
    cloud.put(MOVING)
    assert moving(cloud) == {"h1": Moving.SOURCE, "h2": Moving.TARGET}
    assert [zones(cloud, name) for name in ("h1", "h2")] == [{32769, 32770}, {32869}]
    assert cloud.rules(16, "h2") == cloud.rules(16, "h1"), "its rules are there before it is"
    assert cloud.view("h2").intent(Unit(UnitKind.SEGMENT, 1)) is not None


def test_each_end_sends_to_the_other_and_third_hosts_to_both() -> None:
    cloud = a_cloud()
    cloud.put(MOVING)
    assert [remote(cloud, name).moving for name in ("h1", "h2", "h3")] == [True, True, False]
    assert [(remote(cloud, name).endpoint, remote(cloud, name).also) for name in ("h1", "h2", "h3")] == [
        (0x0A000002, None),
        (0x0A000001, None),
        (0x0A000001, 0x0A000002),
    ]
    assert deliveries(cloud, "h1") == {32769, 65279}
    assert deliveries(cloud, "h2") == {32869, 65279}


def test_no_step_of_a_migration_leaves_a_host_without_delivery() -> None:
    """Both get the frames until the old binding is deleted, whichever of them is the active one."""
    cloud = a_cloud()
    cloud.put(MOVING)
    before = {name: deliveries(cloud, name) for name in ("h1", "h2")}
    cloud.put(ARRIVED)
    assert moving(cloud) == {"h1": Moving.TARGET, "h2": Moving.SOURCE}
    assert {name: deliveries(cloud, name) for name in ("h1", "h2")} == before
    assert {remote(cloud, "h3").endpoint, remote(cloud, "h3").also} == {0x0A000001, 0x0A000002}
    for delta in cloud.deltas.values():
        assert not delta.flushed_zones, "connections of the guest live on"
        gone = {TABLE_BY_ID[flow.table].name for flow in delta.deleted_flows}
        assert not gone & {"l2_lookup", "classify", "tunnel"}
    cloud.put(MOVED)
    assert moving(cloud) == {"h2": Moving.NOT}
    assert (deliveries(cloud, "h1"), deliveries(cloud, "h2")) == ({65279}, {32869})


def test_after_a_migration_nothing_is_left_but_what_a_port_made_there_has() -> None:
    cloud, fresh = a_cloud(), a_cloud()
    cloud.put(MOVING)
    cloud.put(ARRIVED)
    cloud.put(MOVED)
    fresh.put(MOVED)
    for name, bridge in cloud.bridges.items():
        assert bridge.state.tables() == fresh.bridges[name].state.tables()


def test_a_migration_that_is_given_up_leaves_nothing() -> None:
    cloud = a_cloud()
    before = {name: bridge.state.tables() for name, bridge in cloud.bridges.items()}
    cloud.put(MOVING)
    cloud.put(a_port(1, "10.0.0.5", groups=["g16"]))
    assert {name: bridge.state.tables() for name, bridge in cloud.bridges.items()} == before


def test_a_port_on_a_physical_network_migrates_through_one_wire() -> None:
    cloud = a_cloud()
    cloud.put(a_network(1, a_segment(1, "vlan", "public")), MOVING)
    assert [remote(cloud, name).moving for name in ("h1", "h2", "h3")] == [True, True, False]
    assert remote(cloud, "h3").also is None
    assert remote(cloud, "h3").wire is not None


def test_a_host_that_is_not_registered_gets_nothing_and_takes_nothing() -> None:
    cloud = a_cloud()
    cloud.put(a_port(1, "10.0.0.5", standby="nowhere"))
    assert moving(cloud) == {"h1": Moving.SOURCE}
    assert remote(cloud, "h3").also is None
    assert deliveries(cloud, "h1") == {32769}


def test_a_port_without_an_active_binding_is_nowhere() -> None:
    port = a_port(1, host=None, standby="h2")
    assert hosts_of(port) == ()
    assert binding_on(port, H2) is None
    cloud = a_cloud()
    cloud.put(port)
    assert moving(cloud) == {}


# rows -----------------------------------------------------------------------------------------------------------------


def test_rows_are_on_both_hosts_each_with_its_own_number() -> None:
    rows = StatedRows()
    for number, name in enumerate((H1, H2), start=1):
        rows.whole(name, bridge_rows(a_host(number), "tcp:192.0.2.9:6653"), ())
    news = rows.ports({MOVING.id: MOVING})
    assert news == {H1: {"p1": port_row(MOVING, H1)}, H2: {"p1": port_row(MOVING, H2)}}
    assert (rows.holder(H1, OfPort(32769)), rows.holder(H2, OfPort(32869))) == ("p1", "p1")
    assert rows.ports({ARRIVED.id: ARRIVED}) == {}, "they stay as they are when the guest has arrived"
    assert rows.ports({MOVED.id: MOVED}) == {H1: {"p1": None}}


@pytest.mark.parametrize(("geneve", "names"), [(False, ["weft-vxlan"]), (True, ["weft-vxlan", "weft-geneve"])])
def test_the_geneve_tunnel_is_made_when_there_is_something_to_carry(*, geneve: bool, names: list[str]) -> None:
    tunnels = bridge_rows(a_host(), "tcp:192.0.2.9:6653", geneve=geneve).tunnels
    assert [tunnel.name for tunnel in tunnels] == names
