"""Does anything ever reach a network it does not belong to, whatever moves and dies meanwhile?"""

import time

import pytest

from tests.lab_faults.membership import History, Kind, Sighting, is_breach
from tests.lab_faults.stage import Stage
from tests.lab_faults.story import TARGETS, Story
from tests.lab_faults.watch import Guest, Watch

SEEDS = (1, 2)
STEPS = 8


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_leaks_while_guests_change_networks_and_processes_die(stage: Stage, seed: int) -> None:
    outcome = Story(stage, seed, steps=STEPS).run()
    assert outcome.is_good, "\n".join([str(outcome), *outcome.steps, *map(str, outcome.breaches[:20])])
    assert outcome.sightings > 200, outcome


def test_the_watch_sees_a_hole_made_on_purpose(stage: Stage) -> None:
    """The measure of the test above is not blind: one foreign flow opens a way between two networks."""
    with Watch(TARGETS) as watch:
        ports = []
        for number, target in enumerate(TARGETS[:2], 1):
            network = stage.network("10.50.0.0/24")
            guest = Guest(number=number, mac=target.mac, address=target.address)
            guest.history.become([network], time.time())
            fixed = [{"ip_address": target.address}]
            port = stage.port(network, "h1", mac_address=target.mac, fixed_ips=fixed)
            vm = stage.boot("h1", port)
            stage.weft.wait_for_port(port["id"])
            watch.join(guest, vm)
            ports.append(stage.hosts["h1"].ofport(vm.device))
        time.sleep(0.3)
        assert watch.breaches() == []
        hole = f"table=0,priority=65535,in_port={ports[0]}"
        stage.hosts["h1"].ofctl("add-flow", "br-int", f"cookie=0x1,{hole},actions=output:{ports[1]}")
        time.sleep(0.3)
        stage.hosts["h1"].ofctl("--strict", "del-flows", "br-int", hole)
        found = watch.breaches()
    assert {(seen.sender, seen.receiver) for seen in found} == {(1, 2)}
    assert {seen.kind for seen in found} == set(Kind)


def seen(sent: float, received: float, kind: Kind = Kind.UNICAST) -> Sighting:
    return Sighting(sender=1, receiver=2, kind=kind, sent=sent, received=received)


@pytest.fixture
def histories() -> dict[int, History]:
    """Give a sender that goes from red to blue between 10 and 12, and a receiver that is always blue."""
    sender, receiver = History(), History()
    for networks, at in ((["red"], 0.0), (["red", "blue"], 10.0), (["blue"], 12.0)):
        sender.become(networks, at)
    receiver.become(["blue"], 0.0)
    return {1: sender, 2: receiver}


def test_a_frame_of_another_network_is_a_breach(histories: dict[int, History]) -> None:
    assert is_breach(seen(9.0, 9.1), histories)


def test_a_frame_that_arrives_while_its_sender_joins_is_none(histories: dict[int, History]) -> None:
    assert not is_breach(seen(9.9, 10.1), histories)
    assert not is_breach(seen(11.0, 11.0), histories)
    assert not is_breach(seen(13.0, 13.0), histories)


def test_a_frame_to_the_old_network_after_the_change_is_a_breach(histories: dict[int, History]) -> None:
    histories[2] = History()
    histories[2].become(["red"], 0.0)
    assert not is_breach(seen(11.9, 12.5), histories)
    assert is_breach(seen(12.1, 12.2), histories)


def test_a_forged_source_is_always_a_breach(histories: dict[int, History]) -> None:
    assert is_breach(seen(13.0, 13.0, Kind.FORGED), histories)
