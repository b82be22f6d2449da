"""Do pre-wired rows and the devices that come and go get along on real Open vSwitch?"""

import logging
import statistics
import time

import pytest

from tests.lab_ovsdb.switch import PORT_ID, Switch, Watch, a_desire, a_port, interface, is_live

pytestmark = pytest.mark.lab
_log = logging.getLogger(__name__)

SEND = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("far", 0))
for _ in range(5):
    s.send(bytes.fromhex("ffffffffffff" + "fa163e000001" + "88b5") + bytes(50))
"""
FAR_AWAY = "0x88b5"
"""IEEE 802 local experimental EtherType 1: nobody else sends it."""


def a_prewired_host(switch: Switch, watch: Watch) -> str:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())
    switch.ofctl("add-flow", f"priority=9,in_port={a_port().ofport},dl_type={FAR_AWAY},actions=drop")
    return a_port().name


def is_heard(switch: Switch) -> bool:
    """Whether frames sent from the far end of the device reach the pipeline.

    Sent again for a while: OVS loses what waits in a socket when it arranges its receive queues anew.
    """
    before = _count(switch)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        switch.inside("python3", "-c", SEND)
        for _ in range(8):
            if _count(switch) > before:
                return True
            time.sleep(0.1)
    return False


def _count(switch: Switch) -> int:
    flow = switch.ofctl("dump-flows", f"dl_type={FAR_AWAY}")
    return int(flow.partition("n_packets=")[2].partition(",")[0])


def test_a_device_that_appears_is_adopted_with_the_requested_number(switch: Switch, watch: Watch) -> None:
    """Decision C3: no transaction and no controller in the way of a plug."""
    name = a_prewired_host(switch, watch)
    before = switch.vsctl("get", "open_vswitch", ".", "next_cfg")

    switch.add_device(name)
    view = watch.until(lambda view: is_live(view, name), "the device is adopted")

    row = interface(view, name)
    assert row
    assert (row.ofport, row.error, row.prewired) == (a_port().ofport, None, True)
    assert switch.vsctl("get", "open_vswitch", ".", "next_cfg") == before
    assert is_heard(switch)


def test_a_device_that_goes_and_comes_again_carries_frames(switch: Switch, watch: Watch) -> None:
    """OVS 3.1 netdev keeps the old device's dead socket unless the row is made anew."""
    name = a_prewired_host(switch, watch)
    for _ in range(3):
        switch.add_device(name)
        watch.until(lambda view: is_live(view, name), "the device is adopted")
        assert is_heard(switch)

        switch.ip("link", "del", name)
        watch.until(lambda view: not is_live(view, name), "the device is seen to be gone")
        watch.until(lambda view: (row := interface(view, name)) and row.ofport == -1, "the row is made anew")


def test_a_device_replaced_at_once_carries_frames(switch: Switch, watch: Watch) -> None:
    name = a_prewired_host(switch, watch)
    switch.add_device(name)
    first = watch.until(lambda view: is_live(view, name), "the device is adopted")

    switch.ip("link", "del", name)
    switch.add_device(name)

    old = interface(first, name)
    assert old
    watch.until(
        lambda view: is_live(view, name) and interface(view, name).uuid != old.uuid, "the row is made anew and live"
    )
    assert is_heard(switch)


def test_a_live_device_under_another_name_wins_until_it_goes(switch: Switch, watch: Watch) -> None:
    name = a_prewired_host(switch, watch)
    switch.add_device("vnet7")

    switch.vsctl("add-port", "br-int", "vnet7", "--", "set", "interface", "vnet7", f"external_ids:iface-id={PORT_ID}")
    view = watch.until(lambda view: interface(view, name) is None, "the pre-wired row gives way")
    assert is_live(view, "vnet7")

    switch.vsctl("--no-wait", "del-port", "vnet7")
    watch.until(lambda view: interface(view, name) is not None, "the pre-wired row is back")


def test_a_row_of_the_same_name_made_by_somebody_else_is_left_as_it_is(switch: Switch, watch: Watch) -> None:
    """What libvirt does: drop the row and add its own, in one transaction."""
    name = a_prewired_host(switch, watch)
    switch.add_device(name)
    libvirt = ("--if-exists", "del-port", name, "--", "add-port", "br-int", name, "--", "set", "interface", name)
    switch.vsctl(*libvirt, f"external_ids:iface-id={PORT_ID}")
    view = watch.until(
        lambda view: (row := interface(view, name)) and not row.prewired and row.link_state == "up",
        "libvirt's row is there",
    )
    row = interface(view, name)
    assert row
    assert (row.iface_id, row.ofport_request) == (PORT_ID, None)
    assert row.ofport == a_port().ofport, "OVS keeps the number of a device it has open"

    watch.service.set_desired("h1", a_desire())
    watch.service.set_desired("h1", a_desire(a_port(1)))
    view = watch.until(lambda view: interface(view, a_port(1).name) is not None, "the next desire is applied")
    assert interface(view, name) == row


def test_a_port_no_longer_desired_is_taken_off(switch: Switch, watch: Watch) -> None:
    name = a_prewired_host(switch, watch)
    watch.service.set_desired("h1", a_desire())
    watch.until(lambda view: interface(view, name) is None, "the row is gone")


def test_the_isolation_of_os_vif_is_undone_for_known_ports_only(switch: Switch, watch: Watch) -> None:
    a_prewired_host(switch, watch)
    for device, iface_id in (("vnet7", PORT_ID), ("vnet8", "somebody-else")):
        switch.vsctl(
            *("--no-wait", "add-port", "br-int", device, "tag=4095", "vlan_mode=trunk", "trunks=4095"),
            *("--", "set", "interface", device, f"external_ids:iface-id={iface_id}"),
        )
    watch.until(lambda view: (row := interface(view, "vnet7")) and row.tag is None, "the port is released")
    assert watch.service.view("h1").last_drift == "vnet7 taken out of VLAN 4095"
    columns = [switch.vsctl("get", "port", "vnet7", column) for column in ("tag", "vlan_mode", "trunks")]
    assert columns == ["[]", "[]", "[]"]
    assert switch.vsctl("get", "port", "vnet8", "tag") == "4095"


def test_a_plug_is_seen_within_milliseconds(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()
    taken, after = [], []
    for number in range(20):
        name = f"dev{number}"
        switch.ip("link", "add", name, "type", "veth", "peer", "name", f"far{number}")
        begun = time.monotonic()
        switch.vsctl("add-port", "br-int", name, "--", "set", "interface", name, f"external_ids:iface-id=port-{number}")
        returned = time.monotonic()
        watch.until(lambda view, name=name: is_live(view, name), "the plug is seen")
        taken.append((time.monotonic() - begun) * 1000)
        after.append((time.monotonic() - returned) * 1000)

    _log.info("plug seen: p50 %.1f ms from the start of ovs-vsctl", statistics.median(taken))
    _log.info("plug seen: p50 %.2f ms from its end", statistics.median(after))
    assert statistics.median(taken) < 1000, "nobody polls"
