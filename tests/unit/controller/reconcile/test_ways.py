"""Which numbers do the ways of a host bear, and which of them has the switch given?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.reconcile.ways import GENEVE_OFPORT, TUNNEL_OFPORT, Ways, patch_name, patch_rows, tunnel_ofport
from controller.records import Host, HostName
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges
from controller.store.physnets import MOST_PHYSNETS, PATCH_OFPORTS, numbered

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_host(*physnets: tuple[str, str], tunnel_ip: str | None = "192.0.2.1") -> Host:
    return Host(
        id="h1",
        name=HostName("h1"),
        ovsdb="unix:/none",
        tunnel_ip=tunnel_ip,
        datapath_type="netdev",
        datapath_id=1,
        physnets=numbered(physnets),
        created_at=NOW,
        updated_at=NOW,
        revision_number=1,
    )


HOST = a_host(("blue", "br-blue"), ("red", "br-red"))


def changed(host: Host, *physnets: tuple[str, str]) -> Host:
    """Return a host whose physical networks were changed."""
    return replace(host, physnets=numbered(physnets, host.physnets))


def a_row(name: str, kind: str, ofport: int | None, request: int | None, peer: str = "") -> InterfaceRow:
    return InterfaceRow(
        uuid=name,
        name=name,
        bridge="br-int",
        port_name=name,
        type=kind,
        ofport=ofport,
        ofport_request=request,
        iface_id=None,
        iface_status=None,
        attached_mac=None,
        link_state=None,
        error=None,
        mtu=None,
        options=(("peer", peer),) if peer else (),
        prewired=False,
        tag=None,
    )


def ways(*rows: InterfaceRow) -> Ways:
    made = Ways()
    made.update(RowChanges(view=HostView(), whole=True, rows={row.uuid: row for row in rows}))
    return made


def numbers(seen: Ways, host: Host, physnets: Sequence[str] = ("blue", "red")) -> list[int | None]:
    return [seen.patch(host, physnet) for physnet in physnets]


RED = a_row("wi-br-red", "patch", 65201, 65201, "wp-br-red")
BLUE = a_row("wi-br-blue", "patch", 65200, 65200, "wp-br-blue")


def test_names_of_ends_fit_a_device_name_and_differ() -> None:
    bridges = [f"br-physical{number:04d}" for number in range(1000)] + ["br-blue", "b"]
    host = a_host(*((bridge, bridge) for bridge in bridges[:MOST_PHYSNETS]))
    names = {name for pair in patch_rows(host) for name in (pair.name, pair.far_name)}
    assert len(names) == 2 * MOST_PHYSNETS
    assert len({patch_name(bridge) for bridge in bridges}) == len(bridges)
    assert max(len(patch_name(bridge)) for bridge in bridges) <= 15


def test_no_patch_gets_the_number_of_a_tunnel() -> None:
    assert {TUNNEL_OFPORT, GENEVE_OFPORT}.isdisjoint(PATCH_OFPORTS)


def test_only_overlays_have_a_tunnel() -> None:
    found = [tunnel_ofport(kind) for kind in ("vxlan", "geneve", "vlan", "flat")]
    assert found == [65279, 65278, None, None]


def test_a_way_that_was_given_the_number_asked_for_may_be_used() -> None:
    seen = ways(RED, a_row("weft-geneve", "geneve", 65278, 65278))
    assert numbers(seen, HOST, ("red", "blue", "green")) == [65201, None, None]
    assert (seen.tunnel("geneve"), seen.tunnel("vxlan"), seen.tunnel("flat")) == (65278, None, None)
    assert seen.tunnels == {"geneve": 65278}


@pytest.mark.parametrize(
    "row",
    [
        replace(RED, ofport=None),
        replace(RED, ofport=-1),
        replace(RED, ofport=1),
        replace(RED, device_gone=True),
        replace(RED, ofport_request=65200, ofport=65200),
        replace(RED, ofport_request=None),
        replace(RED, type="internal"),
        replace(RED, name="wi-br-blue"),
        replace(RED, options=(("peer", "somebody"),)),
    ],
    ids=["not yet", "failed", "another", "gone", "of another place", "by chance", "type", "name", "peer"],
)
def test_a_way_that_is_not_as_asked_for_may_not_be_used(row: InterfaceRow) -> None:
    assert ways(row).patch(HOST, "red") is None


@pytest.mark.parametrize(
    "physnets",
    [
        (("green", "br-green"), ("blue", "br-blue"), ("red", "br-red")),
        (("red", "br-red"), ("blue", "br-blue")),
        (("red", "br-red"),),
    ],
    ids=["added before", "other order", "removed before"],
)
def test_a_way_keeps_its_number_whatever_becomes_of_the_list(physnets: tuple[tuple[str, str], ...]) -> None:
    assert ways(BLUE, RED).patch(changed(HOST, *physnets), "red") == 65201


def test_bridges_that_change_their_physical_networks_keep_their_numbers() -> None:
    """Flows change in one bundle; patches that changed numbers would lead them astray until the flows follow."""
    assert numbers(ways(BLUE, RED), changed(HOST, ("blue", "br-red"), ("red", "br-blue"))) == [65201, 65200]


def test_a_physical_network_with_another_bridge_has_no_way_until_the_new_one_is_there() -> None:
    seen, moved = ways(BLUE, RED), changed(HOST, ("blue", "br-blue"), ("red", "br-other"))
    assert numbers(seen, moved) == [65200, None]
    row = a_row("wi-br-other", "patch", 65202, 65202, "wp-br-other")
    assert seen.update(RowChanges(view=HostView(), rows={row.uuid: row, RED.uuid: None}))
    assert numbers(seen, moved) == [65200, 65202]


def test_only_news_of_ways_is_news() -> None:
    seen = ways(RED)
    tap = replace(RED, uuid="tap", name="tap", type="", options=())
    assert not seen.update(RowChanges(view=HostView(), rows={"tap": tap, RED.uuid: replace(RED, mtu=1400)}))
    assert seen.update(RowChanges(view=HostView(), rows={RED.uuid: None}))
    assert seen.count == 0


def test_what_is_not_in_a_whole_reading_is_gone() -> None:
    seen = ways(RED)
    assert seen.update(RowChanges(view=HostView(), whole=True, rows={}))
    assert seen.patch(HOST, "red") is None


def test_a_tunnel_with_another_number_than_asked_for_is_told() -> None:
    seen = ways(a_row("weft-vxlan", "vxlan", 7, 65279))
    assert seen.tunnel("vxlan") is None
    assert "weft-vxlan has OpenFlow port 7 instead of 65279" in (seen.problem or "")
    assert ways(a_row("weft-vxlan", "vxlan", None, 65279)).problem is None
    assert ways(a_row("theirs", "vxlan", 7, 65279)).problem is None
