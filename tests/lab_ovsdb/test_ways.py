"""Do the ways out of a real Open vSwitch appear, carry frames, and go: patch pairs to provider bridges, and tunnels?"""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter

import pytest

from controller.reconcile.ovsdb_rows import bridge_rows
from controller.reconcile.ways import GENEVE_OFPORT, TUNNEL_OFPORT, Ways, patch_name
from controller.records import Host, HostName
from controller.southbound.ovsdb.model import HostDesired
from controller.store.physnets import numbered
from tests.lab.packets import Capture, open_socket
from tests.lab_ovsdb.switch import DATAPATH_ID, TARGET, Switch, Watch, interface, is_live, run, wait_until

pytestmark = pytest.mark.lab
VLAN = 7
ADDRESSES = bytes.fromhex("ffffffffffff" + "fa163e000001")
PAYLOAD = bytes.fromhex("88b5") + b"Z" * 50
"""IEEE 802 local experimental EtherType 1: nobody else sends it."""


def a_host(*physnets: tuple[str, str]) -> Host:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Host(
        id="h1",
        name=HostName("h1"),
        ovsdb="unix:/none",
        tunnel_ip="127.0.0.1",
        datapath_type="netdev",
        datapath_id=DATAPATH_ID,
        physnets=numbered(physnets),
        created_at=now,
        updated_at=now,
        revision_number=1,
    )


def changed(host: Host, *physnets: tuple[str, str]) -> Host:
    """Return a host whose physical networks were changed."""
    return replace(host, physnets=numbered(physnets, host.physnets))


BLUE, RED = ("blue", "br-blue"), ("red", "br-of-red-net")
"""The second name is too long for an end to bear it whole."""


def a_desire(host: Host, *, geneve: bool = False) -> HostDesired:
    return HostDesired(bridge=bridge_rows(host, TARGET, geneve=geneve))


def a_tag(vlan: int) -> bytes:
    return bytes.fromhex("8100") + vlan.to_bytes(2)


def add_provider(switch: Switch, name: str, datapath_type: str = "netdev") -> None:
    switch.vsctl("add-br", name, "--", "set", "bridge", name, f"datapath_type={datapath_type}")


def until_patched(watch: Watch, host: Host, bridge: str) -> None:
    watch.until(lambda view: is_live(view, patch_name(bridge)), f"the patch to {bridge} is there")
    wait_until(lambda: watch.service.write_error("h1") is None, "no problem is left")


@pytest.fixture
def outside(switch: Switch) -> Iterator[str]:
    """A namespace on the physical network: its device ``wire`` is plugged into br-blue as ``card``."""
    name = "weft-" + uuid.uuid4().hex[:10]
    run("ip", "netns", "add", name)
    switch.ip("link", "add", "card", "type", "veth", "peer", "name", "wire", "netns", name)
    switch.ip("link", "set", "card", "up")
    run("ip", "-n", name, "link", "set", "wire", "up")
    add_provider(switch, "br-blue")
    switch.vsctl("add-port", "br-blue", "card")
    yield name
    run("ip", "netns", "del", name)


def arrives(sender: tuple[str, str], frame: bytes, receiver: tuple[str, str]) -> bytes | None:
    """Send a frame from a device in a namespace until something with its payload comes out; return that.

    Sent again for a while: OVS loses what waits in a socket when it arranges its receive queues anew.
    """
    with Capture(*receiver) as capture, open_socket(*sender) as out:
        for _ in range(8):
            out.send(frame)
            with suppress(TimeoutError):
                return capture.wait_for(lambda seen: seen.endswith(PAYLOAD), 0.25)
    return None


def test_frames_pass_both_ways_with_their_tag(switch: Switch, watch: Watch, outside: str) -> None:
    host = a_host(RED, BLUE)
    add_provider(switch, RED[1])
    columns = "controller", "fail_mode", "other_config", "external_ids", "flow_tables", "protocols", "datapath_type"
    before = [switch.vsctl("get", "bridge", "br-blue", column) for column in columns]
    flows = run("ovs-ofctl", "--no-stats", "dump-flows", f"unix:{switch.directory}/br-blue.mgmt")
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    until_patched(watch, host, "br-blue")
    until_patched(watch, host, RED[1])
    patch = next(physnet.ofport for physnet in host.physnets if physnet.name == "blue")
    assert patch == 65201
    switch.add_device("tap")
    switch.vsctl("add-port", "br-int", "tap", "--", "set", "interface", "tap", "ofport_request=40000")
    tag = f"push_vlan:0x8100,set_field:{4096 + VLAN}->vlan_vid"
    switch.ofctl("add-flow", f"in_port=40000,dl_type=0x88b5,actions={tag},output:{patch}")
    switch.ofctl("add-flow", f"in_port={patch},dl_vlan={VLAN},actions=pop_vlan,output:40000")

    untagged, tagged, other = (ADDRESSES + tag + PAYLOAD for tag in (b"", a_tag(VLAN), a_tag(VLAN + 1)))
    inside, wire = (switch.netns, "far"), (outside, "wire")
    assert arrives(inside, untagged, wire) == tagged
    assert arrives(wire, tagged, inside) == untagged
    assert arrives(wire, other, inside) is None
    assert [switch.vsctl("get", "bridge", "br-blue", column) for column in columns] == before
    assert run("ovs-ofctl", "--no-stats", "dump-flows", f"unix:{switch.directory}/br-blue.mgmt") == flows


def test_a_provider_bridge_that_comes_later_mends_the_host(switch: Switch, watch: Watch) -> None:
    host = a_host(BLUE)
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    wait_until(lambda: watch.service.write_error("h1") is not None, "the missing bridge is reported")
    error = watch.service.write_error("h1") or ""
    assert "provider bridge br-blue of physical network blue does not exist: make it" in error
    view = watch.until(lambda view: is_live(view, "weft-vxlan"), "the rest is there")
    assert interface(view, patch_name("br-blue")) is None

    add_provider(switch, "br-blue")
    until_patched(watch, host, "br-blue")

    switch.vsctl("--no-wait", "del-br", "br-blue")
    watch.until(lambda view: interface(view, patch_name("br-blue")) is None, "no half is left")
    wait_until(lambda: watch.service.write_error("h1") is not None, "the missing bridge is reported again")


def test_bridges_of_two_datapath_types_are_not_joined(switch: Switch, watch: Watch) -> None:
    host = a_host(BLUE)
    switch.vsctl("--no-wait", "add-br", "br-blue")  # its type is "system", which this switch cannot even open
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    wait_until(lambda: watch.service.write_error("h1") is not None, "the refusal is reported")
    assert "has datapath type system and br-int has netdev, which no patch joins" in (
        watch.service.write_error("h1") or ""
    )
    assert switch.vsctl("list-ports", "br-blue") == ""

    switch.vsctl("--no-wait", "set", "bridge", "br-blue", "datapath_type=netdev")
    until_patched(watch, host, "br-blue")


@pytest.mark.parametrize(
    "damage",
    [
        ("del-port", "wi-br-blue"),
        ("del-port", "wp-br-blue"),
        ("set", "interface", "wp-br-blue", "options:peer=nobody"),
        ("set", "interface", "wi-br-blue", "ofport_request=5"),
        ("set", "interface", "wi-br-blue", "type=internal"),
        ("del-br", "br-int"),
    ],
    ids=["near", "far", "peer", "number", "type", "bridge"],
)
def test_drift_of_a_patch_is_repaired(
    switch: Switch, watch: Watch, damage: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    host = a_host(BLUE)
    add_provider(switch, "br-blue")
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    until_patched(watch, host, "br-blue")
    caplog.set_level(logging.INFO)

    switch.vsctl("--no-wait", *damage)

    wait_until(lambda: "ovsdb_drift host=h1" in caplog.text, "the drift is logged")
    wait_until(lambda: _is_patched(switch), "the pair is as it was")


def _is_patched(switch: Switch) -> bool:
    found = []
    for name in ("wi-br-blue", "wp-br-blue"):
        row = switch.vsctl("--bare", "--columns=type,options,ofport", "find", "interface", f"name={name}")
        found.append(row.split("\n"))
    return found[0] == ["patch", "peer=wp-br-blue", "65200"] and found[1][:2] == ["patch", "peer=wi-br-blue"]


def test_patches_go_when_they_are_not_wanted_any_more(
    switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host = a_host(BLUE, RED)
    for bridge in ("br-blue", RED[1]):
        add_provider(switch, bridge)
    switch.vsctl("add-port", "br-blue", "theirs", "--", "set", "interface", "theirs", "type=internal")
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    until_patched(watch, host, "br-blue")
    until_patched(watch, host, RED[1])

    watch.service.set_bridge("h1", a_desire(changed(host, RED)).bridge)
    view = watch.until(lambda view: interface(view, patch_name("br-blue")) is None, "the first is gone")
    assert (row := interface(view, patch_name(RED[1])))
    assert row.ofport == 65201, "the second keeps its number"
    assert switch.vsctl("list-ports", "br-blue") == "theirs"

    watch.service.remove_host("h1", clear=True)
    wait_until(lambda: "ovsdb_host_removed host=h1 cleared=True" in caplog.text, "the host is cleared")
    assert switch.vsctl("list-ports", RED[1]) == ""
    assert switch.vsctl("list-ports", "br-int") == ""


def test_ways_keep_their_numbers_whatever_becomes_of_the_list(switch: Switch, watch: Watch) -> None:
    for bridge in ("br-blue", RED[1], "br-new"):
        add_provider(switch, bridge)
    watch.add(switch)
    ways, host = Ways(), a_host(BLUE, RED)
    watch.service.set_desired("h1", a_desire(host))
    wait_until(lambda: _took(watch, ways) and _numbers(ways, host) == [65200, 65201], "both ways are there")
    made = switch.vsctl("get", "interface", patch_name(RED[1]), "_uuid")
    for physnets, wanted in (
        ([("new", "br-new"), RED, BLUE], [65202, 65201, 65200]),
        ([("new", "br-blue"), ("red", "br-of-red-net"), ("blue", "br-new")], [65200, 65201, 65202]),
        ([RED], [65201]),
        ([BLUE, RED], [65200, 65201]),
    ):
        host = changed(host, *physnets)
        watch.service.set_desired("h1", a_desire(host))
        wait_until(lambda h=host, w=wanted: _took(watch, ways) and _numbers(ways, h) == w, f"the ways are {wanted}")
        wait_until(lambda: watch.service.write_error("h1") is None, "no problem is left")
        assert switch.vsctl("get", "interface", patch_name(RED[1]), "_uuid") == made, "it was never made anew"
    assert watch.service.view("h1").drift_count == 0


def test_ways_that_must_swap_their_numbers_do(switch: Switch, watch: Watch) -> None:
    """A database of before, put back, may have them the other way round."""
    for bridge in ("br-blue", RED[1]):
        add_provider(switch, bridge)
    watch.add(switch)
    ways = Ways()
    for host in (a_host(BLUE, RED), a_host(RED, BLUE), a_host(BLUE), a_host(RED, BLUE)):
        watch.service.set_desired("h1", a_desire(host))
        wanted = [65200 + index for index in range(len(host.physnets))]
        wait_until(lambda h=host, w=wanted: _took(watch, ways) and _numbers(ways, h) == w, f"the ways are {wanted}")
        wait_until(lambda: watch.service.write_error("h1") is None, "no problem is left")
    assert watch.service.view("h1").drift_count == 0


def test_a_restarted_ovs_vswitchd_gives_every_way_its_number_again(switch: Switch, watch: Watch) -> None:
    host, ways = a_host(BLUE), Ways()
    add_provider(switch, "br-blue")
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host, geneve=True))
    wait_until(lambda: _took(watch, ways) and ways.patch(host, "blue") == 65200, "the patch has its number")
    wait_until(lambda: watch.service.write_error("h1") is None, "no problem is left")
    before = switch.vsctl("get", "open_vswitch", ".", "next_cfg")

    switch.kill("ovs-vswitchd")
    switch.start_vswitchd()

    numbers = {patch_name("br-blue"): 65200, "weft-vxlan": TUNNEL_OFPORT, "weft-geneve": GENEVE_OFPORT}
    wait_until(lambda: _shows(switch, numbers), "the switch itself says so")
    wait_until(lambda: _took(watch, ways) and ways.patch(host, "blue") == 65200, "and so does the database")
    assert switch.vsctl("get", "open_vswitch", ".", "next_cfg") == before
    assert (watch.service.view("h1").drift_count, watch.service.write_error("h1")) == (0, None)


def test_a_restart_finds_patches_as_they_should_be(
    switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    host = a_host(BLUE)
    add_provider(switch, "br-blue")
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host, geneve=True))
    until_patched(watch, host, "br-blue")
    caplog.set_level(logging.INFO)

    second = Watch()
    second.add(switch)
    second.service.set_desired("h1", a_desire(host, geneve=True))
    wait_until(lambda: "ovsdb_in_sync" in caplog.text, "the second service found the host in sync")
    second.service.stop()

    assert "ovsdb_written" not in caplog.text


def test_the_geneve_tunnel_is_there_when_it_is_wanted(switch: Switch, watch: Watch) -> None:
    host = a_host()
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    view = watch.until(lambda view: is_live(view, "weft-vxlan"), "the VXLAN tunnel is there")
    assert interface(view, "weft-geneve") is None

    watch.service.set_bridge("h1", a_desire(host, geneve=True).bridge)
    view = watch.until(lambda view: is_live(view, "weft-geneve"), "the Geneve tunnel is there")
    geneve = interface(view, "weft-geneve")
    assert geneve
    assert (geneve.type, geneve.ofport, geneve.error) == ("geneve", GENEVE_OFPORT, None)
    assert geneve.options == (("key", "flow"), ("local_ip", "127.0.0.1"), ("remote_ip", "flow"))
    vxlan = interface(view, "weft-vxlan")
    assert vxlan
    assert vxlan.ofport == TUNNEL_OFPORT

    watch.service.set_bridge("h1", a_desire(host).bridge)
    watch.until(lambda view: interface(view, "weft-geneve") is None, "the Geneve tunnel is gone")


def test_a_way_has_its_number_once_the_switch_has_given_it(make_switch: Callable[[], Switch], watch: Watch) -> None:
    switch = make_switch()
    switch.start(vswitchd=False)
    switch.vsctl("--no-wait", "add-br", "br-blue", "--", "set", "bridge", "br-blue", "datapath_type=netdev")
    host, ways = a_host(BLUE), Ways()
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(host))
    wait_until(lambda: _took(watch, ways) and ways.count == 2, "the rows are written")
    assert (ways.patch(host, "blue"), ways.tunnel("vxlan")) == (None, None)

    switch.start_vswitchd()
    wait_until(lambda: _took(watch, ways) and ways.patch(host, "blue") == 65200, "the patch has its number")
    wait_until(lambda: _took(watch, ways) and ways.tunnel("vxlan") == TUNNEL_OFPORT, "the tunnel has its number")
    assert ways.patch(a_host(RED, BLUE), "blue") is None, "it asks for another number now"


def _shows(switch: Switch, numbers: dict[str, int]) -> bool:
    ports = switch.ofctl("show")
    return all(f" {number}({name}):" in ports for name, number in numbers.items())


def _took(watch: Watch, ways: Ways) -> bool:
    ways.update(watch.service.take_changes("h1"))
    return True


def _numbers(ways: Ways, host: Host) -> list[int | None]:
    return [ways.patch(host, physnet) for physnet in map(attrgetter("name"), host.physnets)]
