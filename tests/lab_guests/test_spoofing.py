"""A guest forges every field it can; two guests without any filter, on its host and on another, count what arrives."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from tests.lab.guest import PingResult
from tests.lab_guests import forged
from tests.lab_guests.forged import DISCARD, REPLY, advertisement, arp, udp4, udp6
from tests.lab_guests.stage import Guest, Stage
from tests.lab_guests.wire import BROADCAST, FENCE_TYPE, Frames, arrived, counted, passed, settles

VIRTUAL_MAC = "00:00:5e:00:01:07"
"""RFC 5798 section 7.3."""
TOGGLES = 2


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays what. `near` and `far` have no port security, so what they do not see was stopped at the sender."""

    liar: Guest
    victim: Guest
    near: Guest
    far: Guest

    @property
    def receivers(self) -> tuple[Guest, Guest]:
        return self.near, self.far


@pytest.fixture(scope="module")
def cast(shared_stage: Stage) -> Iterator[Cast]:
    stage = shared_stage
    red = stage.dual()
    liar, victim, near, far = stage.guests(red, [stage.h1, stage.h2, stage.h1, stage.h2])
    for open_one in (near, far):
        stage.unguard(open_one)
    yield Cast(liar, victim, near, far)
    stage.clear()


@pytest.fixture
def liar(stage: Stage, cast: Cast) -> Iterator[Guest]:
    """Give the liar, guarded and with its own addresses only, as every test finds it."""
    settles(lambda: passed(cast.liar, cast.far, {"own": udp4(cast.liar, cast.far)}), {"own"})
    yield cast.liar
    stage.change(
        cast.liar,
        port_security_enabled=True,
        allowed_address_pairs=[],
        security_groups=[default_group(stage)],
    )


def default_group(stage: Stage) -> str:
    """Return the id of the default project's default group."""
    groups = stage.weft.api.get("/v2.0/security-groups", name="default")["security_groups"]
    return str(next(group["id"] for group in groups if group["project_id"] == "fake_project_id"))


def reached(liar: Guest, cast: Cast, lies: forged.Lies) -> dict[str, set[str]]:
    """Tell both receivers the same lies, and return for each who got it."""
    found: dict[str, set[str]] = {}
    for receiver in cast.receivers:
        for name, who in arrived(liar, lies(liar, cast.victim, receiver), cast.receivers).items():
            found.setdefault(name, set()).update(who)
    return found


def everybody(cast: Cast, names: dict[str, set[str]]) -> dict[str, set[str]]:
    return {name: {guest.name for guest in cast.receivers} for name in names}


LIES: dict[str, forged.Lies] = {
    "addresses": forged.lies_of_address,
    "ARP": forged.lies_of_arp,
    "neighbour discovery": forged.lies_of_discovery,
    "services": lambda liar, _, to: forged.lies_of_services(liar, to),
    "fragmented discovery": lambda liar, *_: forged.fragmented_discovery(liar),
    "tags": lambda liar, _, to: forged.tagged(liar, to),
}


@pytest.mark.parametrize("kind", LIES)
def test_a_guarded_guest_cannot_forge(liar: Guest, cast: Cast, kind: str) -> None:
    found = reached(liar, cast, LIES[kind])
    assert found == {name: set() for name in found}


def test_a_guest_with_stateless_rules_cannot_forge_either(stage: Stage, liar: Guest, cast: Cast) -> None:
    """Nothing puts its fragments together on the way (RFC 7112: the first one must show what they are)."""
    stateless = stage.group(stateful=False)
    stage.change(liar, security_groups=[stateless])
    answer = {"RST": Ether(src=liar.mac, dst=cast.far.mac) / IP(src=liar.ip4, dst=cast.far.ip4) / TCP(flags="RA")}
    settles(lambda: passed(liar, cast.far, answer), {"RST"})
    found = reached(liar, cast, forged.all_lies)
    in_parts = set(forged.fragmented_discovery(liar))
    assert {name: who for name, who in found.items() if who and name not in in_parts} == {}
    assert {name for name, most in halves(liar, cast).items() if most > 1} == set(), "no datagram arrives whole"


def halves(liar: Guest, cast: Cast) -> dict[str, int]:
    """Return how many of a datagram's two fragments reached whoever got most of them."""
    found = counted(liar, forged.fragmented_discovery(liar), cast.receivers)
    return {name: max(tally.values(), default=0) for name, tally in found.items()}


def test_a_guarded_guest_may_say_everything_that_is_true(liar: Guest, cast: Cast) -> None:
    found = reached(liar, cast, lambda me, _, to: forged.honest(me, to))
    assert found == everybody(cast, found)


@pytest.mark.parametrize("kind", LIES)
def test_without_port_security_the_same_frames_arrive(stage: Stage, liar: Guest, cast: Cast, kind: str) -> None:
    """It is what makes the drops above mean something: the frames themselves are well formed and deliverable."""
    stage.unguard(liar)
    foreign = {"foreign MAC": Ether(src=forged.STRANGER_MAC, dst=cast.far.mac, type=FENCE_TYPE)}
    settles(lambda: passed(liar, cast.far, foreign), {"foreign MAC"})
    found = reached(liar, cast, LIES[kind])
    assert found == everybody(cast, found)


def test_gratuitous_arp_requests_for_another_guest_reach_nobody(liar: Guest, cast: Cast) -> None:
    """RFC 5227 section 3: an announcement looks like a request for the sender's own address."""
    victim = cast.victim.ip4
    claims = {
        "announcement": arp(liar, BROADCAST, forged.REQUEST, liar.mac, victim, victim),
        "the victim's MAC inside": arp(liar, BROADCAST, forged.REQUEST, cast.victim.mac, victim, victim),
    }
    own = {"own": arp(liar, BROADCAST, forged.REQUEST, liar.mac, liar.ip4, liar.ip4)}
    found = arrived(liar, claims | own, [liar, cast.victim, *cast.receivers])
    assert found == {
        "announcement": set(),
        "the victim's MAC inside": set(),
        "own": {cast.victim.name, cast.near.name, cast.far.name},
    }


def test_a_poisoned_neighbour_table_stays_clean(stage: Stage, liar: Guest, cast: Cast) -> None:
    """What the frames are for: a kernel believes them when port security is off, and never sees them else."""
    far, victim = cast.far, cast.victim
    lie = arp(liar, far, REPLY, liar.mac, victim.ip4, far.ip4, tha=far.mac)
    lie6 = advertisement(liar, far, victim.ip6, liar.mac)
    far.vm.forget_neighbours()
    far.vm.ping(victim.ip4, count=1)
    far.vm.ping(victim.ip6, count=1)
    arrived(liar, {"lie": lie, "lie6": lie6}, [far])
    assert [far.vm.neighbour(a) for a in (victim.ip4, victim.ip6)] == [victim.mac, victim.mac]
    stage.unguard(liar)

    def poisoned() -> list[str | None]:
        arrived(liar, {"lie": lie, "lie6": lie6}, [far])
        return [far.vm.neighbour(a) for a in (victim.ip4, victim.ip6)]

    settles(poisoned, [liar.mac, liar.mac])
    far.vm.forget_neighbours()


def test_a_guest_that_lies_in_between_keeps_its_honest_traffic(liar: Guest, cast: Cast) -> None:
    for receiver in cast.receivers:
        honest = {f"honest {n}": udp4(liar, receiver) for n in range(20)}
        lies = forged.lies_of_address(liar, cast.victim, receiver)
        mixed: dict[str, Frames] = {}
        for (name, truth), (lie, frame) in zip(honest.items(), lies.items(), strict=False):
            mixed |= {name: truth, lie: frame}
        assert passed(liar, receiver, mixed) == set(honest)


def pair_cases(liar: Guest, to: Guest) -> dict[str, Frames]:
    """Return what allowed pairs decide about; the names say whether they allow it in the test below."""

    def from_virtual(address: str) -> Frames:
        return Ether(src=VIRTUAL_MAC, dst=to.mac) / IP(src=address, dst=to.ip4) / UDP(sport=4000, dport=DISCARD)

    def reply(sha: str, spa: str) -> Frames:
        head = Ether(src=sha, dst=to.mac)
        return head / ARP(op=REPLY, hwsrc=sha, psrc=spa, hwdst=to.mac, pdst=to.ip4)

    mac = liar.mac
    return {
        "yes: address": udp4(liar, to, "10.10.0.100"),
        "no: next address": udp4(liar, to, "10.10.0.101"),
        "yes: first of the CIDR": udp4(liar, to, "10.10.0.208"),
        "yes: last of the CIDR": udp4(liar, to, "10.10.0.223"),
        "no: before the CIDR": udp4(liar, to, "10.10.0.207"),
        "no: after the CIDR": udp4(liar, to, "10.10.0.224"),
        "yes: other MAC with its address": from_virtual("10.10.0.150"),
        "no: other MAC with the own address": from_virtual(liar.ip4),
        "no: other MAC with another pair's address": from_virtual("10.10.0.100"),
        "no: own MAC with the other MAC's address": udp4(liar, to, "10.10.0.150"),
        "yes: IPv6 address": udp6(liar, to, "fd00:10::100"),
        "no: next IPv6 address": udp6(liar, to, "fd00:10::101"),
        "yes: IPv6 within the prefix": udp6(liar, to, "fd00:10:0:0:aaaa::1"),
        "no: IPv6 outside the prefix": udp6(liar, to, "fd00:10:0:0:aaab::1"),
        "yes: ARP for the address": reply(mac, "10.10.0.100"),
        "yes: ARP within the CIDR": reply(mac, "10.10.0.210"),
        "no: ARP outside the CIDR": reply(mac, "10.10.0.225"),
        "yes: ARP for the other MAC": reply(VIRTUAL_MAC, "10.10.0.150"),
        "no: ARP mixes the pairs": reply(VIRTUAL_MAC, "10.10.0.100"),
        "no: ARP of the own MAC for the other MAC's address": reply(mac, "10.10.0.150"),
        "yes: advertisement of the IPv6 address": advertisement(liar, to, "fd00:10::100", mac),
        "no: advertisement of the next IPv6 address": advertisement(liar, to, "fd00:10::101", mac),
        "yes: own address": udp4(liar, to),
        "yes: own IPv6 address": udp6(liar, to),
        "no: another guest's address": udp4(liar, to, "10.10.0.12"),
    }


PAIRS = [
    {"ip_address": "10.10.0.100"},
    {"ip_address": "10.10.0.208/28"},
    {"ip_address": "10.10.0.150", "mac_address": VIRTUAL_MAC},
    {"ip_address": "fd00:10::100"},
    {"ip_address": "fd00:10:0:0:aaaa::/80"},
]


def test_allowed_pairs_let_exactly_themselves_through(stage: Stage, liar: Guest, cast: Cast) -> None:
    def seen() -> set[str]:
        near, far = (passed(liar, receiver, pair_cases(liar, receiver)) for receiver in cast.receivers)
        return near if near == far else near | {f"only near or far: {name}" for name in near ^ far}

    names = set(pair_cases(liar, cast.near))
    own = {name for name in names if name.startswith("yes: own")}
    settles(seen, own)
    stage.change(liar, allowed_address_pairs=PAIRS)
    settles(seen, {name for name in names if name.startswith("yes")})
    stage.change(liar, allowed_address_pairs=[])
    settles(seen, own)


def toggled_under_traffic(stage: Stage, liar: Guest, cast: Cast, group: str) -> PingResult:
    """Switch port security off and on twice, seen by what gets through, while the guest pings."""
    lie = {"lie": udp4(liar, cast.near, cast.victim.ip4)}
    settles(lambda: passed(liar, cast.near, lie), set())
    with liar.vm.pinging(cast.far.ip4, interval_s=0.01) as going:
        for _ in range(TOGGLES):
            stage.unguard(liar)
            settles(lambda: passed(liar, cast.near, lie), {"lie"})
            stage.guard(liar, group)
            settles(lambda: passed(liar, cast.near, lie), set())
        return going.stop()


def test_port_security_toggled_under_traffic_loses_no_more_than_what_is_under_way(
    stage: Stage, liar: Guest, cast: Cast
) -> None:
    """An answer to a request that no connection was tracked for, when security comes back, is nobody's.

    A second round is for a cached flow of Open vSwitch 3.1 that stays stale while it is hit (docs/operations.md): one
    round in some hundred loses what is sent until the next change. A fault of Weft's would show in both.
    """
    group = default_group(stage)
    balances = []
    for _ in range(2):
        balances.append(toggled_under_traffic(stage, liar, cast, group))
        assert balances[-1].sent > 50
        if balances[-1].lost <= TOGGLES:
            return
    raise AssertionError(balances)


def test_each_frame_arrives_once(liar: Guest, cast: Cast) -> None:
    for receiver in cast.receivers:
        shots = {"IPv4": udp4(liar, receiver), "IPv6": udp6(liar, receiver)}
        assert counted(liar, shots, [receiver]) == {name: {receiver.name: 1} for name in shots}
