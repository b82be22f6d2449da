"""Which hosts are probed, what is said when the underlay between them breaks, and who may say that a probe arrived?"""

import logging

import pytest

from controller.reconcile.probing import LEAST_S, MOST_WAITING, Probing
from controller.reconcile.underlay import INTERVAL_S, KEY_BYTES, MISSES, Path, Probe, Seal
from controller.reconcile.ways import GENEVE_OFPORT, TUNNEL_NAME, TUNNEL_OFPORT
from controller.records import HostName, PortId, PortStatus, Reason
from controller.services import ports
from controller.southbound.openflow.events import Connected, Disconnected, Synced
from flows.cookie import Feature, encode
from tests.unit.controller.reconcile.test_reconciler import create_network, create_port
from tests.unit.controller.reconcile.world import ADMIN, World

H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
UNTIL_DEAD_S = int((MISSES + 1) * INTERVAL_S)
PUNTED = encode(Feature.PROBE)


def register(world: World, *names: str) -> None:
    for name in names:
        world.register(name, int(name[1:]))


def a_port_on(world: World, network_id: str, host: str) -> PortId:
    """Create a port and plug it; one a host."""
    with world.database.write() as tx:
        port = create_port(tx, network_id, host)
    world.settle()
    assert port.binding is not None
    world.see(host, (f"tap{port.id[:11]}", port.id, port.binding.ofport))
    return port.id


def a_joint_network(world: World, *hosts: str) -> list[PortId]:
    """Create a network with a port on each host."""
    with world.database.write() as tx:
        network = create_network(tx)
    return [a_port_on(world, network.id, host) for host in hosts]


def cut(world: World, source: str, target: str) -> None:
    world.broken.add((world.dpids[source], world.dpids[target]))


def paths(world: World) -> dict[str, int]:
    return dict(world.reconciler.ask(world.probing.paths, 5))


def test_only_hosts_that_share_a_segment_are_probed_each_way(world: World) -> None:
    register(world, "h1", "h2", "h3")
    world.pass_time(3)
    assert paths(world) == {"unproved": 0, "alive": 0, "dead": 0}
    a_joint_network(world, "h1", "h2")
    world.pass_time(3)
    assert paths(world) == {"unproved": 0, "alive": 2, "dead": 0}
    counts = world.probing.counts()
    assert counts["sent"] == counts["arrived"] > 0
    assert (world.host_states[H1].problem, world.host_states[H1].programmed) == (None, True)


def test_hosts_on_two_segments_of_one_network_are_not_probed(world: World) -> None:
    """Segments of one network are not joined; only hosts on the same overlay segment are."""
    world.register("h1", 1, "blue")
    register(world, "h2", "h3")
    segments = (("flat", "blue", None), ("vxlan", None, None))
    wanted = [
        {"network_type": kind, "physical_network": physnet, "segmentation_id": vlan} for kind, physnet, vlan in segments
    ]
    with world.database.write() as tx:
        network = create_network(tx, segments=wanted)
    here = a_port_on(world, network.id, "h1")
    there = a_port_on(world, network.id, "h2")
    world.pass_time(3)
    assert paths(world) == {"unproved": 0, "alive": 0, "dead": 0}
    a_port_on(world, network.id, "h3")
    world.pass_time(3)
    assert paths(world)["alive"] == 2
    cut(world, "h2", "h3")
    world.pass_time(UNTIL_DEAD_S)
    assert "reach h3" in world.port_states[there].detail
    assert "h3" not in world.port_states[here].detail


def test_a_host_is_no_longer_probed_once_it_shares_no_segment(world: World) -> None:
    register(world, "h1", "h2")
    _, there = a_joint_network(world, "h1", "h2")
    world.pass_time(3)
    with world.database.write() as tx:
        ports.delete(tx, ADMIN, there)
    world.pass_time(2)
    assert paths(world) == {"unproved": 0, "alive": 0, "dead": 0}


def test_a_broken_path_is_told_of_both_hosts_and_of_the_ports_it_cuts_off(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    register(world, "h1", "h2", "h3")
    here, there = a_joint_network(world, "h1", "h2")
    (other,) = a_joint_network(world, "h3")
    world.pass_time(3)
    cut(world, "h1", "h2")
    world.pass_time(UNTIL_DEAD_S)
    advice = "check the underlay between them (address, route, firewall)"
    assert world.host_states[H1].problem == f"no VXLAN frames reach h2: {advice}"
    assert world.host_states[H2].problem == f"no VXLAN frames arrive from h1: {advice}"
    assert world.host_states[H3].problem is None
    for port_id, what in ((here, "but no VXLAN frames reach h2"), (there, "but no VXLAN frames arrive from h1")):
        state = world.port_states[port_id]
        assert (state.status, state.reason) == (PortStatus.ACTIVE, Reason.WIRED)
        assert what in state.detail
    assert "VXLAN" not in world.port_states[other].detail
    assert "underlay_broken host=h1 dead_paths=1" in caplog.text

    world.broken.clear()
    world.pass_time(int(INTERVAL_S) + 1)
    assert (world.host_states[H1].problem, world.host_states[H2].problem) == (None, None)
    assert "VXLAN" not in world.port_states[here].detail + world.port_states[there].detail
    assert "underlay_unbroken host=h1" in caplog.text


def test_a_port_of_another_network_on_the_same_hosts_is_told_only_if_it_is_cut_off_too(world: World) -> None:
    register(world, "h1", "h2")
    with world.database.write() as tx:
        joint, alone = create_network(tx), create_network(tx)
        pairs = [create_port(tx, joint.id, "h1"), create_port(tx, joint.id, "h2"), create_port(tx, alone.id, "h1")]
    world.settle()
    for host in ("h1", "h2"):
        mine = [p for p in pairs if p.binding and p.binding.host == host]
        world.see(host, *[(f"tap{p.id[:11]}", p.id, p.binding.ofport) for p in mine if p.binding])
    cut(world, "h1", "h2")
    world.pass_time(UNTIL_DEAD_S)
    assert "VXLAN" in world.port_states[pairs[0].id].detail
    assert "VXLAN" not in world.port_states[pairs[2].id].detail
    with world.database.write() as tx:
        create_port(tx, alone.id, "h2")
    world.pass_time(2)
    assert "VXLAN" in world.port_states[pairs[2].id].detail, "a member over there has joined its network"


def test_nothing_is_concluded_while_a_switch_is_away(world: World) -> None:
    register(world, "h1", "h2")
    a_joint_network(world, "h1", "h2")
    world.pass_time(3)
    world.reconciler.switch_event(world.dpids["h2"], Disconnected())
    cut(world, "h1", "h2")
    world.pass_time(UNTIL_DEAD_S)
    assert world.host_states[H1].problem is None
    world.reconciler.switch_event(world.dpids["h2"], Connected())
    world.pass_time(3)
    assert paths(world)["unproved"] == 0, "it may not have its flows yet"
    world.reconciler.switch_event(world.dpids["h2"], Synced(0))
    world.pass_time(UNTIL_DEAD_S)
    assert paths(world) == {"unproved": 0, "alive": 1, "dead": 1}


def test_a_host_whose_tunnel_port_is_gone_is_not_probed(world: World) -> None:
    register(world, "h1", "h2")
    a_joint_network(world, "h1", "h2")
    world.pass_time(3)
    del world.rows["h2"][TUNNEL_NAME]
    world.reconciler.view_changed("h2")
    world.pass_time(2)
    assert sum(paths(world).values()) == 0


def test_a_removed_host_leaves_no_dead_path(world: World) -> None:
    register(world, "h1", "h2")
    a_joint_network(world, "h1", "h2")
    cut(world, "h1", "h2")
    world.pass_time(UNTIL_DEAD_S)
    assert world.host_states[H1].problem
    world.unregister("h2")
    world.pass_time(2)
    assert world.host_states[H1].problem is None
    assert sum(paths(world).values()) == 0


# probes that were punted ----------------------------------------------------------------------------------------------


class Sent:
    """A probing of its own, without a reconciler."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seal = Seal(bytes(KEY_BYTES))
        self.probing = Probing(offer=lambda *_: False, seal=self.seal, monotonic=lambda: self.now)
        self.frame = self.seal.frame(Probe(Path(TUNNEL_OFPORT, 1, 2), 1))


def test_what_another_flow_punted_is_no_probe() -> None:
    sent = Sent()
    assert not sent.probing.packet_in(2, encode(Feature.DHCP, 9), TUNNEL_OFPORT, sent.frame)
    assert not sent.probing.packet_in(2, 0x77, TUNNEL_OFPORT, sent.frame)
    assert set(sent.probing.counts().values()) == {0}


def test_a_probe_with_a_wrong_mark_or_out_of_another_tunnel_does_not_count() -> None:
    sent = Sent()
    assert sent.probing.packet_in(2, PUNTED, TUNNEL_OFPORT, Seal(b"x" * KEY_BYTES).frame(Probe(Path(1, 1, 2), 1)))
    assert sent.probing.packet_in(2, PUNTED, GENEVE_OFPORT, sent.frame)
    assert sent.probing.packet_in(2, PUNTED, TUNNEL_OFPORT, b"")
    assert sent.probing.counts()["forged"] == 3


def test_replayed_probes_fill_no_memory() -> None:
    sent = Sent()
    for _ in range(MOST_WAITING + 5):
        sent.probing.packet_in(2, PUNTED, TUNNEL_OFPORT, sent.frame)
    assert sent.probing.counts()["dropped"] == 5


def test_a_probe_that_no_switch_takes_says_nothing(world: World) -> None:
    register(world, "h1", "h2")
    world.refuses = True
    a_joint_network(world, "h1", "h2")
    world.pass_time(UNTIL_DEAD_S)
    assert paths(world) == {"unproved": 2, "alive": 0, "dead": 0}
    assert world.probing.counts()["unsent"] > 0


def test_the_reconciler_wakes_when_a_probe_is_due_and_not_for_each_alone(world: World) -> None:
    sent = Sent()
    assert sent.probing.wait_s(1.0) == 1.0, "there is nothing to probe"
    register(world, "h1", "h2")
    a_joint_network(world, "h1", "h2")
    world.pass_time(3)
    assert LEAST_S <= world.reconciler.ask(lambda: world.probing.wait_s(60.0), 5) <= INTERVAL_S


def test_the_journal_is_read_once_a_tick_however_often_the_reconciler_wakes(world: World) -> None:
    register(world, "h1", "h2")
    with world.database.write() as tx:
        network = create_network(tx)

    def is_known() -> bool:
        return network.id in world.reconciler.model.networks

    assert not world.reconciler.ask(is_known, 5), "nobody has hinted at it, and no time has passed"
    world.now += 1.0
    world.reconciler.ask(lambda: None, 5)
    assert world.reconciler.ask(is_known, 5)
