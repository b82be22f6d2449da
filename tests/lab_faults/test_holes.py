"""Does what Weft has not heard of yet open a hole? Two connections a host, and either may be late or cut.

Each test is one story, with the fault chosen so that the moment which is short in life lasts.
"""

import time
from typing import Any

from tests.lab.guest import Vm
from tests.lab.process import eventually
from tests.lab_faults.membership import Kind
from tests.lab_faults.stage import Stage
from tests.lab_faults.watch import Guest, Target, Watch

SPEAKER = Target(mac="02:00:00:00:bb:01", address="10.60.0.11")
LISTENER = Target(mac="02:00:00:00:bb:02", address="10.60.0.12")
THIRD = Target(mac="02:00:00:00:bb:03", address="10.60.0.13")
TARGETS = (SPEAKER, LISTENER, THIRD)
CIDR = "10.60.0.0/24"
LOOK_S = 0.6
LATE_S = 1.5
VNI = 4711


class Cast:
    """Guests that send and are looked at from their first frame on."""

    def __init__(self, stage: Stage, watch: Watch) -> None:
        self._stage, self._watch = stage, watch

    def guest(self, name: str, network: str, host: str, target: Target, *, device: str | None = None) -> dict[str, Any]:
        """Create a port and its VM, wait for ACTIVE, and let it speak; `device` is one of compute's own naming."""
        fixed = [{"ip_address": target.address}]
        port = self._stage.port(network, host, mac_address=target.mac, fixed_ips=fixed)
        if device is None:
            vm: Vm = self._stage.boot(host, port)
        else:
            vm = self._stage.hosts[host].boot_vm(name, device=device, mac=target.mac, ipv6=False)
            self._stage.hosts[host].plug(vm, port["id"])
        self._stage.weft.wait_for_port(port["id"])
        guest = Guest(number=len(self._watch.guests) + 1, mac=target.mac, address=target.address)
        guest.history.become([network], time.time())
        self._watch.join(guest, vm)
        return port

    def check(self, *heard: tuple[int, int]) -> None:
        """Wait until the pairs are heard, so that silence means something, and see that nobody else is.

        The userspace datapath of Open vSwitch 3.1 can keep what it has cached of a guest that sends before others are
        there (docs/operations.md), so it is told to forget that first.
        """
        for host in self._stage.hosts.values():
            host.appctl("revalidator/purge")
        since = time.time()
        eventually(
            lambda: set(heard) <= self._watch.pairs(since, (Kind.UNICAST, Kind.BROADCAST)),
            10,
            lambda: f"{heard} are heard; {self._watch.pairs(since, set(Kind))} are",
        )
        time.sleep(LOOK_S)
        assert self._watch.breaches() == []


def test_devices_that_a_restarted_switch_numbers_otherwise_open_no_way(stage: Stage) -> None:
    """OpenFlow is there at once and OVSDB late: flows may not be written for numbers devices had in another life."""
    host = stage.hosts["h1"]
    with Watch(TARGETS) as watch:
        cast = Cast(stage, watch)
        red, blue = stage.network(CIDR), stage.network(CIDR)
        one = cast.guest("one", red, "h1", SPEAKER, device="xone")
        two = cast.guest("two", blue, "h1", SPEAKER, device="xtwo")
        cast.guest("three", red, "h1", LISTENER)
        cast.guest("four", blue, "h1", LISTENER)
        cast.check((1, 3), (2, 4))
        numbers = {name: host.ofport(name) for name in ("xone", "xtwo")}
        stage.database("h1").delay_s = LATE_S
        host.kill_vswitchd()
        # As after a reboot, when compute plugs in another order: each device gets the other's number.
        for device, port, number in (("xone", one, numbers["xtwo"]), ("xtwo", two, numbers["xone"])):
            host.vsctl(
                *("--no-wait", "del-port", "br-int", device, "--", "add-port", "br-int", device),
                *("--", "set", "Interface", device, f"external_ids:iface-id={port['id']}", f"ofport_request={number}"),
            )
        host.start_vswitchd()
        stage.lab.warm_up()
        time.sleep(2 * LATE_S)
        stage.database("h1").heal()
        stage.settle()
        assert {name: host.ofport(name) for name in numbers} == {"xone": numbers["xtwo"], "xtwo": numbers["xone"]}
        cast.check((1, 3), (2, 4))


def test_a_tunnel_number_given_again_while_a_host_is_away_opens_no_way(stage: Stage) -> None:
    """The host that is away still has the deleted network, and its guests still speak with its VNI."""
    with Watch(TARGETS) as watch:
        cast = Cast(stage, watch)
        vni = {"provider:network_type": "vxlan", "provider:segmentation_id": VNI}
        red = stage.network(CIDR, **vni)
        gone = [cast.guest("one", red, "h3", SPEAKER), cast.guest("two", red, "h1", LISTENER)]
        cast.check((1, 2), (2, 1))
        stage.part_from("h3")
        for port in gone:
            stage.delete_port(port["id"])
        stage.weft.api.delete(f"/v2.0/networks/{red}")
        watch.leave(watch.guests[2])
        green = stage.network(CIDR, **vni)
        cast.guest("three", green, "h1", LISTENER)
        cast.guest("four", green, "h2", THIRD)
        cast.check((3, 4), (4, 3))


def test_a_port_moved_from_a_host_that_is_away_is_not_heard_from_there(stage: Stage) -> None:
    """A switch that missed the move still has the old port's flows; its guest is the twin of another network's."""
    with Watch(TARGETS) as watch:
        cast = Cast(stage, watch)
        red, blue = stage.network(CIDR), stage.network(CIDR)
        moved = cast.guest("one", red, "h3", SPEAKER)
        cast.guest("two", red, "h1", LISTENER)
        cast.guest("three", blue, "h1", LISTENER)
        cast.check((1, 2))
        stage.part_from("h3")
        stage.delete_port(moved["id"])
        cast.guest("four", blue, "h2", SPEAKER)
        cast.check((4, 3))
