"""What is switched off or deleted is off: traffic both ways, and whatever the switches held for it."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually
from tests.lab_guests.forged import honest
from tests.lab_guests.probes import udp
from tests.lab_guests.stage import FAMILIES, Guest, Stage, both, ingress
from tests.lab_guests.streams import all_stop, transfer
from tests.lab_guests.wire import Frames, arrived, passed, settles


@dataclass(frozen=True, slots=True)
class Left:
    """What a switch holds."""

    flows: list[str]
    groups: list[str]
    meters: list[str]
    connections: list[str]


def held(host: Hypervisor) -> Left:
    """Read what a switch holds; flows without what says how they were used."""
    flows = [re.sub(r"cookie=\S+, ", "", flow) for flow in host.flows() if "table=250" not in flow]
    groups = [line for line in host.ofctl("dump-groups", "br-int").splitlines() if "group_id=" in line]
    meters = [line for line in host.ofctl("dump-meters", "br-int").splitlines() if "meter=" in line]
    connections = host.appctl("dpctl/dump-conntrack").splitlines()
    return Left(flows, groups, meters, [line for line in connections if "zone=" in line])


def is_empty(left: Left) -> bool:
    """Whether nothing is left but what is static: a group, and the meter of the tunnel's probes."""
    return len(left.meters) <= 1 and not left.connections and len(left.groups) <= 1


@pytest.fixture
def pair(stage: Stage) -> Iterator[tuple[Guest, Guest, Guest]]:
    """Give a guest and two others, on its host and on the other; everything may pass between them."""
    group = stage.group(*both(ingress(None)))
    yield tuple(stage.guests(stage.dual(), [stage.h1, stage.h1, stage.h2], security_groups=[group]))  # type: ignore[misc]
    stage.clear()


def test_after_everything_is_deleted_only_the_static_flows_are_left(stage: Stage) -> None:
    """One group is static: the one that makes the switch look a frame up anew. Nothing else is, on either host."""
    hosts = (stage.h1, stage.h2)
    for host in hosts:  # what another test's last packets left behind is not this one's
        host.appctl("dpctl/flush-conntrack")
    eventually(lambda: all(is_empty(held(host)) for host in hosts), 5, "nothing of an earlier test is left")
    before = [held(host) for host in hosts]
    addresses = stage.address_group("10.10.0.0/28")
    members = stage.group()
    rules = [
        *both(ingress("tcp", 80, 5000)),
        *both(ingress("udp", remote_group_id=members)),
        ingress("icmp", remote_address_group_id=addresses),
    ]
    served = stage.group(*rules)
    stateless = stage.group(*both(ingress(None)), stateful=False)
    red, blue = stage.dual(), stage.dual()
    pairs = [{"ip_address": "10.10.0.128/25"}, {"ip_address": "fd00:10::100"}]
    one, two = stage.guests(red, hosts, security_groups=[served, members], allowed_address_pairs=pairs)
    stage.guests(red, hosts, first=21, security_groups=[stateless])
    (open_one,) = stage.guests(blue, [stage.h1])
    stage.unguard(open_one)
    assert one.vm.ping(two.ip4, count=2).received
    settles(lambda: passed(one, two, {f"v{v}": udp(one, two, v, 99) for v in FAMILIES}), {"v4", "v6"})
    for host in hosts:
        now = held(host)
        assert len(now.flows) > len(before[0].flows)
        assert now.groups
        assert now.meters
        assert now.connections
    stage.clear()
    for host, left in zip(hosts, before, strict=True):
        try:
            eventually(lambda h=host, b=left: held(h) == b, 5, "")  # type: ignore[misc]
        except TimeoutError:
            assert held(host) == left
    time.sleep(0.3)
    assert [held(host) for host in hosts] == before


def test_connections_of_a_port_are_in_its_own_zone_and_gone_with_it(stage: Stage, pair: tuple[Guest, ...]) -> None:
    one, near, far = pair
    for other in (near, far):
        assert one.vm.ping(other.ip4, count=1).received
    zones = {int(found) for found in re.findall(r"zone=(\d+)", stage.h1.appctl("dpctl/dump-conntrack"))}
    assert len(zones) == 2, "one of each port of the host"
    assert 0 not in zones
    stage.weft.api.delete(f"/v2.0/ports/{near.id}")
    eventually(
        lambda: len(set(re.findall(r"zone=(\d+)", stage.h1.appctl("dpctl/dump-conntrack")))) == 1,
        5,
        "the zone of the deleted port is empty",
    )


@pytest.mark.parametrize("what", ["port", "network"])
def test_admin_state_down_cuts_both_directions_and_established_traffic(
    stage: Stage, pair: tuple[Guest, ...], what: str
) -> None:
    one, near, far = pair
    path = f"/v2.0/{what}s/{one.id if what == 'port' else one.port['network_id']}"

    def through() -> set[str]:
        """Return what passes, by name; no frame closes the count, as none may arrive."""
        out: dict[str, Frames] = {}
        for other in (near, far):
            out |= {f"out to {other.name} v{v}": udp(one, other, v, 9) for v in FAMILIES}
            out |= {f"out to {other.name}, no IP": honest(one, other)["neither IP nor ARP"]}
        found = {name for name, who in arrived(one, out, (near, far), fenced=False).items() if who}
        for other in (near, far):
            back = {f"in from {other.name} v{v}": udp(other, one, v, 9) for v in FAMILIES}
            found |= {name for name, who in arrived(other, back, (one,), fenced=False).items() if who}
        return found

    with one.vm.pinging(far.ip4) as four, far.vm.pinging(one.ip6) as six, transfer(one, near, 4, 7100) as stream:
        eventually(lambda: four.received() > 3 and six.received() > 3, 5, "both pings are answered")
        assert stream.arrives()
        everything = through()
        assert len(everything) == 10
        stage.weft.api.put(path, {what: {"admin_state_up": False}})
        settles(through, set())
        assert all_stop([stream])
        before = four.received(), six.received()
        time.sleep(0.3)
        assert (four.received(), six.received()) == before
        stage.weft.api.put(path, {what: {"admin_state_up": True}})
        settles(lambda: through_afresh(stage, through), everything)
        eventually(lambda: four.received() > before[0] and six.received() > before[1], 5, "the pings go on")
        assert stream.arrives()


def through_afresh(stage: Stage, through: Callable[[], set[str]]) -> set[str]:
    """Count with an empty datapath.

    Open vSwitch 3.1's userspace datapath looks the megaflow to be changed up by its packet, not by its id: while a wide
    one ("nothing passes from this port") covers a narrow one, the wide one is changed in its place, and the narrow one
    goes on to drop for as long as it is used. The tables are right all the time.
    """
    for host in (stage.h1, stage.h2):
        host.appctl("revalidator/purge")
    return through()


def test_a_tag_left_by_os_vif_is_cleared_and_traffic_flows(stage: Stage) -> None:
    """os-vif's isolate_vif parks a device in VLAN 4095 and leaves it to the agent to take it out."""
    group = stage.group(*both(ingress(None)))
    red = stage.dual()
    (peer,) = stage.guests(red, [stage.h1], security_groups=[group])
    port = stage.port(red, stage.h1, fixed_ips=stage.addresses(red, 31), security_groups=[group])
    vm = stage.boot(stage.h1, port, device="vnet31")
    vm.address_set("10.10.0.31/24", "fd00:10::1f/64")
    stage.h1.vsctl(
        *("--", "add-port", "br-int", vm.device, "tag=4095", "vlan_mode=trunk", "trunks=4095"),
        *("--", "set", "Interface", vm.device, f"external_ids:iface-id={port['id']}"),
    )
    stage.weft.wait_for_port(port["id"])

    def row() -> list[str]:
        return stage.h1.vsctl("get", "Port", vm.device, "tag", "vlan_mode", "trunks").split()

    settles(row, ["[]", "[]", "[]"])
    assert peer.vm.ping_until_answered("10.10.0.31", 5) < 5
    assert vm.ping(peer.ip6, count=2).lost == 0
    stage.h1.vsctl("set", "Port", vm.device, "tag=4095")
    settles(row, ["[]", "[]", "[]"])
    assert peer.vm.ping_until_answered("10.10.0.31", 5) < 5
    stage.h1.unplug(vm)
    stage.clear()
