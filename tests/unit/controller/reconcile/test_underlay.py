"""Who is probed when, what counts as an answer, and when is a path dead?"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.reconcile.underlay import (
    ANSWER_S,
    FIRST_MISSES,
    INTERVAL_S,
    MISSES,
    MOST_PATHS,
    RATE_PPS,
    ROUND_MOST_S,
    Path,
    Probe,
    Prober,
    Seal,
    Verdict,
    choose_paths,
    way,
)
from controller.reconcile.ways import GENEVE_OFPORT, TUNNEL_OFPORT
from flows import fields
from flows.flow import Output, SetField

A, B, C = 0xA, 0xB, 0xC
THERE, BACK = Path(TUNNEL_OFPORT, A, B), Path(TUNNEL_OFPORT, B, A)
KEY = bytes(range(32))


class Net:
    """Hosts whose probes arrive at once, except on paths that are cut; time passes in steps."""

    def __init__(self, *paths: Path, rate_pps: float = RATE_PPS) -> None:
        self.prober = Prober(0.0, rate_pps=rate_pps)
        self.now = 0.0
        self.cut: set[Path] = set()
        self.sent: list[tuple[float, Path]] = []
        self.prober.want(paths, self.now)

    def run(self, seconds: float, step: float = 0.25) -> None:
        for _ in range(round(seconds / step)):
            for probe in self.prober.due(self.now):
                self.sent.append((self.now, probe.path))
                if probe.path not in self.cut:
                    self.prober.arrived(probe, probe.path.target)
            self.now += step

    def times(self, path: Path) -> list[float]:
        return [at for at, sent in self.sent if sent == path]


# frames ---------------------------------------------------------------------------------------------------------------

numbers = st.integers(0, (1 << 64) - 1)
probes = st.builds(Probe, st.builds(Path, st.integers(0, 65535), numbers, numbers), numbers)


@given(probe=probes, padding=st.binary(max_size=8))
def test_a_probe_is_read_as_it_was_written_whatever_follows_it(probe: Probe, padding: bytes) -> None:
    frame = Seal(KEY).frame(probe)
    assert len(frame) == 60
    assert Seal(KEY).read(frame + padding) == probe


@given(probe=probes, bit=st.integers(0, 60 * 8 - 1))
def test_no_bit_of_a_probe_may_be_another(probe: Probe, bit: int) -> None:
    frame = bytearray(Seal(KEY).frame(probe))
    frame[bit // 8] ^= 1 << bit % 8
    assert Seal(KEY).read(bytes(frame)) is None


def test_a_probe_with_the_mark_of_another_key_or_cut_short_is_none() -> None:
    frame = Seal(KEY).frame(Probe(THERE, 7))
    assert Seal(KEY[::-1]).read(frame) is None
    assert [Seal(KEY).read(frame[:length]) for length in range(60)] == [None] * 60


def test_a_key_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 32 octets, not 31"):
        Seal(KEY[:31])


def test_a_probe_leaves_through_its_tunnel_with_a_network_identifier_no_segment_has() -> None:
    assert way(THERE, 0xC0000202) == (
        SetField(fields.TUN_DST, 0xC0000202),
        SetField(fields.TUN_ID, 0),
        Output(TUNNEL_OFPORT),
    )


# who probes whom ------------------------------------------------------------------------------------------------------

hosts = st.frozensets(st.integers(1, 12), max_size=8)
meetings = st.lists(st.tuples(st.sampled_from([TUNNEL_OFPORT, GENEVE_OFPORT]), hosts), max_size=6)


@given(meetings)
def test_every_two_hosts_that_meet_probe_each_other_and_nobody_else(met: list[tuple[int, frozenset[int]]]) -> None:
    choice = choose_paths(met)
    assert choice.is_complete
    assert choice.paths == {Path(tunnel, *pair) for tunnel, group in met for pair in itertools.permutations(group, 2)}


@given(meetings, st.integers(0, 40))
def test_too_many_paths_are_cut_to_what_is_allowed_in_pairs(met: list[tuple[int, frozenset[int]]], most: int) -> None:
    everything, choice = choose_paths(met).paths, choose_paths(met, most)
    assert choice.paths <= everything
    assert len(choice.paths) <= most
    assert choice.is_complete is (choice.paths == everything)
    assert {Path(p.tunnel, p.target, p.source) for p in choice.paths} == choice.paths


def test_of_a_thousand_hosts_in_one_segment_every_one_is_probed_from_several() -> None:
    choice = choose_paths([(TUNNEL_OFPORT, range(1000))])
    assert (len(choice.paths), choice.is_complete) == (MOST_PATHS, False)
    assert {sum(path.target == host for path in choice.paths) for host in range(1000)} == {6}


def test_a_round_of_all_paths_allowed_takes_no_longer_than_promised() -> None:
    prober = Prober(0.0)
    prober.want(choose_paths([(TUNNEL_OFPORT, range(1000))]).paths, 0.0)
    assert prober.interval_s == ROUND_MOST_S


# when -----------------------------------------------------------------------------------------------------------------


def test_a_new_path_is_probed_at_once_once_more_soon_and_then_every_few_seconds() -> None:
    net = Net(THERE, BACK)
    net.run(16)
    regularly = [ANSWER_S + count * INTERVAL_S for count in range(3)]
    assert net.times(THERE) == net.times(BACK) == [0, *regularly]


def test_a_path_that_has_not_answered_yet_is_asked_again_soon() -> None:
    """Open vSwitch loses the first frame to a peer whose MAC address it does not know."""
    net = Net(THERE)
    net.cut = {THERE}
    net.run(ANSWER_S)
    assert net.prober.verdict(THERE) is Verdict.UNPROVED
    net.cut = set()
    net.run(ANSWER_S)
    assert net.times(THERE) == [0, ANSWER_S]
    assert net.prober.verdict(THERE) is Verdict.ALIVE


@given(st.integers(2, 40), st.integers(1, 50), st.sampled_from([0.01, 0.25, 1.0, 3.0]))
def test_no_more_than_the_rate_is_ever_sent(count: int, rate: int, step: float) -> None:
    net = Net(*choose_paths([(TUNNEL_OFPORT, range(count))]).paths, rate_pps=rate)
    net.run(6, step)
    for since, _ in net.sent:
        window = [at for at, _ in net.sent if since <= at < since + 2]
        assert len(window) <= rate * 3, "one second's allowance at the start, and two seconds"


def test_a_quiet_time_saves_up_one_second_of_probes_and_no_more() -> None:
    prober = Prober(0.0, rate_pps=10)
    prober.want(choose_paths([(TUNNEL_OFPORT, range(8))]).paths, 100.0)
    assert len(prober.due(100.0)) == 10


def test_a_path_wanted_again_is_probed_no_more_often_than_before() -> None:
    net = Net(THERE)
    net.run(3)
    net.prober.want([], net.now)
    net.prober.want([THERE], net.now)
    net.run(9)
    assert net.times(THERE) == [0, 1, 3, 4, 9]


def test_everybody_has_a_turn_when_the_rate_is_not_enough() -> None:
    paths = choose_paths([(TUNNEL_OFPORT, range(8))]).paths
    net = Net(*paths, rate_pps=4)
    net.run(2 * len(paths) / 4 + 1)
    assert {len(net.times(path)) for path in paths} <= {2, 3}


def test_the_deadline_is_when_the_next_probe_may_go() -> None:
    assert Prober(0.0).deadline is None
    net = Net(THERE, BACK, rate_pps=1)
    assert net.prober.deadline == 0.0
    assert len(net.prober.due(0.0)) == 1
    assert net.prober.deadline == 1.0
    assert net.prober.due(0.5) == []
    assert len(net.prober.due(1.0)) == 1


# what is dead ---------------------------------------------------------------------------------------------------------


def test_three_probes_in_a_row_that_do_not_arrive_make_a_path_dead_and_one_that_does_alive() -> None:
    net = Net(THERE, BACK)
    net.run(1)
    assert net.prober.take_turned() == {THERE, BACK}
    net.cut = {THERE}
    net.run(MISSES * INTERVAL_S)
    assert net.prober.verdict(THERE) is Verdict.ALIVE
    assert net.prober.take_turned() == frozenset()
    net.run(INTERVAL_S)
    assert (net.prober.verdict(THERE), net.prober.verdict(BACK)) == (Verdict.DEAD, Verdict.ALIVE)
    assert net.prober.take_turned() == {THERE}

    net.cut = set()
    net.run(INTERVAL_S)
    assert net.prober.verdict(THERE) is Verdict.ALIVE
    assert net.prober.take_turned() == {THERE}


def test_a_path_that_never_worked_is_dead_after_three_probes() -> None:
    net = Net(THERE)
    net.cut = {THERE}
    net.run(FIRST_MISSES * ANSWER_S)
    assert net.prober.verdict(THERE) is Verdict.UNPROVED
    net.run(ANSWER_S)
    assert net.prober.verdict(THERE) is Verdict.DEAD


def test_probes_lost_now_and_then_kill_no_path() -> None:
    net = Net(THERE)
    net.run(1)
    net.prober.take_turned()
    for _ in range(10):
        net.cut = {THERE}
        net.run((MISSES - 1) * INTERVAL_S)
        net.cut = set()
        net.run(INTERVAL_S)
    assert net.prober.verdict(THERE) is Verdict.ALIVE
    assert net.prober.take_turned() == frozenset()


def test_a_probe_counts_once_at_its_target_and_only_if_it_was_sent() -> None:
    prober = Prober(0.0)
    prober.want([THERE], 0.0)
    (probe,) = prober.due(0.0)
    for at, astray in ((C, probe), (A, probe), (B, probe._replace(number=probe.number + 1)), (A, Probe(BACK, 1))):
        prober.arrived(astray, at)
        assert prober.verdict(THERE) is Verdict.UNPROVED

    prober.arrived(probe, B)
    assert prober.verdict(THERE) is Verdict.ALIVE
    for now in (10.0, 20.0, 30.0, 40.0):
        prober.due(now)
        prober.arrived(probe, B)  # somebody plays it again
    assert prober.verdict(THERE) is Verdict.DEAD


def test_a_late_probe_is_a_sign_of_life_still() -> None:
    net = Net(THERE)
    net.run(ANSWER_S)
    net.cut = {THERE}
    (late,) = net.prober.due(net.now)
    net.run(MISSES * INTERVAL_S + 1)
    assert net.prober.verdict(THERE) is Verdict.DEAD
    net.prober.arrived(late, B)
    assert net.prober.verdict(THERE) is Verdict.ALIVE


def test_probes_the_switch_of_their_source_did_not_take_kill_no_path() -> None:
    prober = Prober(0.0)
    prober.want([THERE], 0.0)
    for second in range(20):
        for probe in prober.due(float(second)):
            prober.unsent(probe)
    assert prober.verdict(THERE) is Verdict.UNPROVED


def test_nothing_is_said_of_a_path_that_is_not_probed_any_more() -> None:
    net = Net(THERE, BACK)
    net.cut = {THERE}
    net.run(10)
    assert net.prober.dead(A) == net.prober.dead(B) == {THERE}
    net.prober.take_turned()
    net.prober.want([BACK], net.now)
    assert net.prober.take_turned() == {THERE}
    assert net.prober.dead(A) == frozenset()
    sent = len(net.times(THERE))
    net.run(10)
    assert len(net.times(THERE)) == sent

    net.cut = set()
    net.prober.want([THERE, BACK], net.now)
    net.run(1)
    assert net.prober.verdict(THERE) is Verdict.ALIVE


# what is said ---------------------------------------------------------------------------------------------------------


def test_a_host_is_told_from_whom_nothing_comes_and_to_whom_nothing_goes() -> None:
    others = range(1, 8)
    paths = choose_paths([(TUNNEL_OFPORT, [0, *others]), (GENEVE_OFPORT, [0, 1])]).paths
    net = Net(*paths)
    net.cut = {Path(TUNNEL_OFPORT, 0, 2), Path(GENEVE_OFPORT, 1, 0)}
    net.cut |= {Path(TUNNEL_OFPORT, other, 0) for other in others}
    net.run(10)

    assert net.prober.problem(0, name) == (
        "no VXLAN frames arrive from h1, h2, h3, h4 and 3 more, no VXLAN frames reach h2, no Geneve frames arrive from "
        "h1: check the underlay between them (address, route, firewall)"
    )
    assert net.prober.counts(0) == {"unproved": 0, "alive": 7, "dead": 9}
    assert "no VXLAN frames reach h0" in (net.prober.problem(7, name) or "")
    net.cut = set()
    net.run(10)
    assert net.prober.problem(0, name) is None


def name(dpid: int) -> str:
    return f"h{dpid}"
