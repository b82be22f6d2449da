"""Which rows must a host have, which numbers do its ways bear, and which of them has the switch given?"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.reconcile.ovsdb_rows import (
    GENEVE_OFPORT,
    PATCH_OFPORTS,
    TUNNEL_OFPORT,
    Ways,
    bridge_rows,
    patch_name,
    patch_ofport,
    patch_rows,
    tunnel_ofport,
)
from controller.records import Host, HostName
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = "tcp:192.0.2.100:6653"


def a_host(*physnets: tuple[str, str], tunnel_ip: str | None = "192.0.2.1") -> Host:
    return Host(
        id="h1",
        name=HostName("h1"),
        ovsdb="unix:/none",
        tunnel_ip=tunnel_ip,
        datapath_type="netdev",
        datapath_id=1,
        physnets=physnets,
        created_at=NOW,
        updated_at=NOW,
        revision_number=1,
    )


HOST = a_host(("blue", "br-blue"), ("red", "br-red"))


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


RED = a_row("wi-br-red", "patch", 65201, 65201, "wp-br-red")


def test_every_physical_network_has_a_pair_whose_number_says_its_place_in_the_list() -> None:
    pairs = bridge_rows(HOST, TARGET).patches
    assert [(pair.name, pair.far_name, pair.bridge, pair.physical_network, pair.ofport) for pair in pairs] == [
        ("wi-br-blue", "wp-br-blue", "br-blue", "blue", 65200),
        ("wi-br-red", "wp-br-red", "br-red", "red", 65201),
    ]
    assert (patch_ofport(HOST, "red"), patch_ofport(HOST, "green")) == (65201, None)


def test_names_of_ends_fit_a_device_name_and_differ() -> None:
    bridges = [f"br-physical{number:04d}" for number in range(1000)] + ["br-blue", "b"]
    names = {
        name for pair in patch_rows(a_host(*((b, b) for b in bridges[:78]))) for name in (pair.name, pair.far_name)
    }
    assert len(names) == 2 * 78
    assert len({patch_name(bridge) for bridge in bridges}) == len(bridges)
    assert max(len(patch_name(bridge)) for bridge in bridges) <= 15


def test_no_patch_gets_the_number_of_a_binding_or_a_tunnel() -> None:
    host = a_host(*((f"net{number}", f"br-{number}") for number in range(100)))
    numbers = [pair.ofport for pair in patch_rows(host)]
    assert numbers == list(range(65200, 65278)) == list(PATCH_OFPORTS)
    assert {TUNNEL_OFPORT, GENEVE_OFPORT}.isdisjoint(numbers)
    assert patch_ofport(host, "net78") is None


@pytest.mark.parametrize(
    ("tunnel_ip", "geneve", "expected"),
    [
        ("192.0.2.1", False, [("weft-vxlan", "vxlan", 65279)]),
        ("192.0.2.1", True, [("weft-vxlan", "vxlan", 65279), ("weft-geneve", "geneve", 65278)]),
        (None, True, []),
    ],
)
def test_the_geneve_tunnel_stands_beside_the_vxlan_one_when_it_is_wanted(
    tunnel_ip: str | None, expected: list[tuple[str, str, int]], *, geneve: bool
) -> None:
    tunnels = bridge_rows(a_host(tunnel_ip=tunnel_ip), TARGET, geneve=geneve).tunnels
    assert [(tunnel.name, tunnel.type, tunnel.ofport_request) for tunnel in tunnels] == expected
    assert all(("local_ip", tunnel_ip) in tunnel.options for tunnel in tunnels)


def test_only_overlays_have_a_tunnel() -> None:
    found = [tunnel_ofport(kind) for kind in ("vxlan", "geneve", "vlan", "flat")]
    assert found == [65279, 65278, None, None]


def test_a_way_that_was_given_the_number_asked_for_may_be_used() -> None:
    seen = ways(RED, a_row("weft-geneve", "geneve", 65278, 65278))
    assert (seen.patch(HOST, "red"), seen.patch(HOST, "blue"), seen.patch(HOST, "green")) == (65201, None, None)
    assert (seen.tunnel("geneve"), seen.tunnel("vxlan"), seen.tunnel("flat")) == (65278, None, None)


@pytest.mark.parametrize(
    "row",
    [
        replace(RED, ofport=None),
        replace(RED, ofport=-1),
        replace(RED, ofport=1),
        replace(RED, ofport_request=65200, ofport=65200),
        replace(RED, ofport_request=None),
        replace(RED, type="internal"),
        replace(RED, name="wi-br-blue"),
        replace(RED, options=(("peer", "somebody"),)),
    ],
    ids=["not yet", "failed", "another", "of another place", "by chance", "type", "name", "peer"],
)
def test_a_way_that_is_not_as_asked_for_may_not_be_used(row: InterfaceRow) -> None:
    assert ways(row).patch(HOST, "red") is None


def test_a_network_that_moved_in_the_list_has_no_way_until_its_number_is_given() -> None:
    seen, moved = ways(RED), replace(HOST, physnets=HOST.physnets[1:])
    assert seen.patch(moved, "red") is None
    row = replace(RED, ofport=65200, ofport_request=65200)
    assert seen.update(RowChanges(view=HostView(), rows={row.uuid: row}))
    assert seen.patch(moved, "red") == 65200


def test_only_news_of_ways_is_news() -> None:
    seen = ways(RED)
    tap = replace(RED, uuid="tap", name="tap", type="", options=())
    assert not seen.update(RowChanges(view=HostView(), rows={"tap": tap, RED.uuid: RED}))
    assert seen.update(RowChanges(view=HostView(), rows={RED.uuid: None}))
    assert seen.count == 0


def test_what_is_not_in_a_whole_reading_is_gone() -> None:
    seen = ways(RED)
    assert seen.update(RowChanges(view=HostView(), whole=True, rows={}))
    assert seen.patch(HOST, "red") is None
