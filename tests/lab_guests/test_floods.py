"""A guest that floods is slowed down by the switch itself; its neighbours get their leases and answers as before."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab_guests.flooding import KINDS, Aim, Sender, flood, frames_of
from tests.lab_guests.stage import Guest, Stage, both, ingress

LEASE_S, ROUND_TRIP_MS = 1.5, 100.0
"""Generous: both processors of a small machine are busy with the flood itself. Without meters a flood of DHCP alone
makes a lease take longer than the client's patience."""
CONNECTIONS = 12_000
"""More than a port can begin within a flood of a second, burst included."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who floods, who suffers on the same host, and who is asked for on the other."""

    flooder: Guest
    neighbour: Guest
    far: Guest

    def frames(self, kind: str) -> list[bytes]:
        """Return what the flooder sends."""
        me, far = self.flooder, self.far
        sender = Sender(vm=me.vm, mac=me.mac, ip4=me.ip4, ip6=me.ip6, link_local=me.link_local)
        return frames_of(kind, sender, Aim(mac=far.mac, ip4=far.ip4, ip6=far.ip6))


@pytest.fixture(scope="module")
def cast(shared_stage: Stage) -> Iterator[Cast]:
    stage = shared_stage
    group = stage.group(*both(ingress(None)))
    flooder, neighbour, far = stage.guests(stage.dual(), [stage.h1, stage.h1, stage.h2], security_groups=[group])
    yield Cast(flooder, neighbour, far)
    stage.clear()


def datapath_flows(stage: Stage, guest: Guest) -> list[str]:
    """Return the datapath's flows for what a guest sends: those it enters by, and what follows after recirculation."""
    port = dict(re.findall(r"port (\d+): (\S+)", stage.h1.appctl("dpctl/show")))
    number = next(n for n, device in port.items() if device == guest.vm.device)
    shown = stage.h1.appctl("dpctl/dump-flows").splitlines()
    return [line for line in shown if f"in_port({number})" in line]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_does_not_keep_others_from_their_leases(stage: Stage, cast: Cast, kind: str) -> None:
    frames = cast.frames(kind)
    with flood(cast.flooder.vm, frames) as sent:
        began = time.monotonic()
        lease = cast.neighbour.vm.dhcp()
        taken = time.monotonic() - began
        ping = cast.neighbour.vm.ping(cast.far.ip4, count=5, interval_s=0.05)
    assert lease.address == cast.neighbour.ip4
    assert sent[0] > 2000, "it was a flood"
    assert taken < LEASE_S
    assert ping.lost <= 1, "what is for all members of the network fills their queues, too"
    assert sorted(ping.rtts)[2] < ROUND_TRIP_MS


@pytest.mark.parametrize("kind", ["DHCP", "ARP", "ND"])
def test_a_meter_stands_before_whatever_the_datapath_cannot_do_itself(stage: Stage, cast: Cast, kind: str) -> None:
    """A meter in front of an action of the slow path would be carried out there, after the upcall it should save."""
    ethertype = {"DHCP": "proto=17", "ARP": "eth_type(0x0806)", "ND": "icmpv6(type=135"}[kind]
    with flood(cast.flooder.vm, cast.frames(kind)):
        mine = [line for line in datapath_flows(stage, cast.flooder) if ethertype in line.partition("actions:")[0]]
    first = [line for line in mine if "recirc_id(0)" in line and "packets:0," not in line]
    assert first, "the flood is in the datapath's own flows"
    for line in first:
        actions = line.partition("actions:")[2]
        assert actions.startswith("meter("), line
        assert "slow_path" not in actions, line


def test_the_slow_path_is_asked_at_the_meters_rate_only(stage: Stage, cast: Cast) -> None:
    """What is behind the meter and needs the slow path counts what came through."""
    with flood(cast.flooder.vm, cast.frames("ARP")) as sent:
        time.sleep(1.0)
        slow = [line for line in datapath_flows(stage, cast.flooder) if "slow_path" in line and "0x0806" in line]
        first = sent[0]
        packets = sum(int(found) for line in slow for found in re.findall(r"packets:(\d+)", line))
    assert slow, "the network answers in the slow path"
    assert first > 3000
    assert packets < first / 2


def test_conntrack_entries_of_a_flooder_are_bounded_and_others_connect(stage: Stage, cast: Cast) -> None:
    stage.h1.appctl("dpctl/flush-conntrack")
    with flood(cast.flooder.vm, cast.frames("SYN")) as sent:
        time.sleep(0.7)
        assert cast.neighbour.vm.ping(cast.far.ip4, count=3).lost == 0
    begun = len(stage.h1.appctl("dpctl/dump-conntrack").splitlines())
    assert sent[0] > begun
    assert 100 < begun < CONNECTIONS
