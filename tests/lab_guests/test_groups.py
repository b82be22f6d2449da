"""Security groups by packets: every rule lets through exactly what it says, on one host and across two."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from tests.lab_guests import probes
from tests.lab_guests.probes import KINDS, echo, of_each_kind, udp, unasked_answers
from tests.lab_guests.stage import FAMILIES, Guest, Stage, both, egress, ingress
from tests.lab_guests.streams import datagram_arrives
from tests.lab_guests.wire import Frames, passed, settles


@dataclass(frozen=True, slots=True)
class Cast:
    """The target's groups are what each test is about; the others may send anything and get nothing."""

    target: Guest
    near: Guest
    far: Guest
    quiet: str
    """Group without ingress rules."""

    @property
    def senders(self) -> tuple[Guest, Guest]:
        return self.near, self.far


@pytest.fixture(scope="module")
def shared_cast(shared_stage: Stage) -> Iterator[Cast]:
    stage = shared_stage
    quiet = stage.group()
    target, near, far = stage.guests(stage.dual(), [stage.h1, stage.h1, stage.h2], security_groups=[quiet])
    yield Cast(target, near, far, quiet)
    stage.clear()


@pytest.fixture
def cast(stage: Stage, shared_cast: Cast) -> Iterator[Cast]:
    """Give the guests as they were at first."""
    yield shared_cast
    for guest in (shared_cast.target, *shared_cast.senders):
        stage.change(guest, security_groups=[shared_cast.quiet], allowed_address_pairs=[])


def received(cast: Cast) -> dict[str, set[str]]:
    """Return the kinds of new packets the target gets of each sender."""
    return {sender.name: passed(sender, cast.target, of_each_kind(sender, cast.target)) for sender in cast.senders}


def sent(cast: Cast) -> dict[str, set[str]]:
    """Return the kinds of new packets each of the others gets of the target.

    Without those that have nothing to tell one connection from another: they may be late answers to an earlier test's.
    """
    return {
        other.name: passed(
            cast.target, other, {k: f for k, f in of_each_kind(cast.target, other).items() if k in DISTINCT}
        )
        for other in cast.senders
    }


def of_both(cast: Cast, kinds: set[str]) -> dict[str, set[str]]:
    return {guest.name: kinds for guest in cast.senders}


def give(stage: Stage, guest: Guest, *rules: dict[str, Any], **attributes: Any) -> str:
    """Give a guest a new group with these rules, and no other; return it."""
    group = stage.group(*rules, **attributes)
    stage.change(guest, security_groups=[group])
    return group


ALL_KINDS = set(KINDS)
DISTINCT = {kind for kind in ALL_KINDS if not kind.startswith("protocol")}
WITH_PORTS = {kind for kind in ALL_KINDS if not kind.startswith(("gre", "protocol", "sctp"))}
"""Kinds whose connections have ports or an id; the userspace datapath's conntrack knows none of SCTP."""

RULES: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "nothing": ([], set()),
    "everything": (list(both(ingress(None))), ALL_KINDS),
    "IPv4 only": ([ingress(None)], {kind for kind in ALL_KINDS if kind.endswith("v4")}),
    "one port": ([ingress("tcp", 80), ingress("tcp", 81, ethertype="IPv6")], {"tcp 80 v4", "tcp 81 v6"}),
    "port range": (
        [ingress("udp", 1000, 1003), ingress("udp", 5000, 5001, ethertype="IPv6")],
        {"udp 1000 v4", "udp 1003 v4", "udp 5000 v6", "udp 5001 v6"},
    ),
    "odd range": (list(both(ingress("tcp", 80, 5000))), {f"tcp {p} v{v}" for p in (80, 81, 5000) for v in FAMILIES}),
    "whole protocol": (
        [ingress("udp"), ingress("tcp", ethertype="IPv6")],
        {kind for kind in ALL_KINDS if kind.startswith("udp") and kind.endswith("v4")}
        | {kind for kind in ALL_KINDS if kind.startswith("tcp") and kind.endswith("v6")},
    ),
    "ICMP type and code": ([ingress("icmp", 8, 0)], {"echo v4"}),
    "ICMP type": ([ingress("icmp", 13)], {"timestamp v4"}),
    "ICMP code that does not match": ([ingress("icmp", 8, 1), ingress("udp", 1000)], {"udp 1000 v4"}),
    "any ICMP": ([ingress("icmp")], {"echo v4", "timestamp v4"}),
    "ICMPv6 type": ([ingress("ipv6-icmp", 128, ethertype="IPv6")], {"echo v6"}),
    "protocol by number": (list(both(ingress(47))), {"gre v4", "gre v6"}),
    "protocol nobody knows": (list(both(ingress(253))), {"protocol 253 v4", "protocol 253 v6"}),
    "SCTP port": (list(both(ingress("sctp", 5000))), {"sctp 5000 v4", "sctp 5000 v6"}),
    "SCTP by number": ([ingress(132)], {"sctp 5000 v4", "sctp 5001 v4"}),
    "remote prefix": (
        [
            ingress("udp", 1000, remote_ip_prefix="10.10.0.0/24"),
            ingress("udp", 5000, remote_ip_prefix="10.10.0.0/32"),
            ingress("udp", 1003, remote_ip_prefix="fd00:10::/64", ethertype="IPv6"),
            ingress("udp", 5001, remote_ip_prefix="fd00:10:0:1::/64", ethertype="IPv6"),
        ],
        {"udp 1000 v4", "udp 1003 v6"},
    ),
    "prefix with host bits": ([ingress("udp", 1000, remote_ip_prefix="10.10.0.77/24")], {"udp 1000 v4"}),
    "prefix of everybody": ([ingress("udp", 1000, remote_ip_prefix="0.0.0.0/0")], {"udp 1000 v4"}),
    "overlapping": ([ingress("tcp", 79, 80), ingress("tcp", 80, 81)], {"tcp 79 v4", "tcp 80 v4", "tcp 81 v4"}),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_lets_in_what_it_says_and_nothing_else(stage: Stage, cast: Cast, name: str) -> None:
    rules, kinds = RULES[name]
    give(stage, cast.target, *rules)
    settles(lambda: received(cast), of_both(cast, kinds))


def test_egress_rules_let_out_what_they_say_and_nothing_else(stage: Stage, cast: Cast) -> None:
    everything = stage.group(*both(ingress(None)))
    for other in cast.senders:
        stage.change(other, security_groups=[everything])
    settles(lambda: sent(cast), of_both(cast, DISTINCT))
    rules = [
        egress("udp", 1000, 1003),
        egress("tcp", 80, remote_ip_prefix="10.10.0.0/24"),
        egress("tcp", 81, remote_ip_prefix="10.11.0.0/24"),
        egress("icmp", 8),
        egress("tcp", 5000, ethertype="IPv6"),
        egress(47, ethertype="IPv6"),
    ]
    give(stage, cast.target, *rules, egress=False)
    kinds = {"udp 1000 v4", "udp 1003 v4", "tcp 80 v4", "echo v4", "tcp 5000 v6", "gre v6"}
    settles(lambda: sent(cast), of_both(cast, kinds))
    stage.change(cast.target, security_groups=[])
    settles(lambda: sent(cast), of_both(cast, set()))


def test_what_only_an_answer_may_be_does_not_pass_unasked(stage: Stage, cast: Cast) -> None:
    give(stage, cast.target, ingress("udp", 1000))
    for sender in cast.senders:
        shots = unasked_answers(sender, cast.target) | {"allowed": udp(sender, cast.target, 4, 1000)}
        settles(lambda s=sender, f=shots: passed(s, cast.target, f), {"allowed"})


def test_answers_pass_by_themselves_and_nothing_else_comes_back(stage: Stage, cast: Cast) -> None:
    give(stage, cast.target, *both(ingress("udp", 1000)), egress=False)
    for sender in cast.senders:
        for v in FAMILIES:
            settles(lambda s=sender, v=v: passed(s, cast.target, {"in": udp(s, cast.target, v, 1000)}), {"in"})
            sport = next(probes.PORTS)
            assert passed(sender, cast.target, {"in": udp(sender, cast.target, v, 1000, sport)}) == {"in"}
            back: dict[str, Frames] = {
                "answer": udp(cast.target, sender, v, sport, 1000),
                "to another port": udp(cast.target, sender, v, sport + 30_000, 1000),
                "from another port": udp(cast.target, sender, v, sport, 1001),
                "new": udp(cast.target, sender, v, 1000),
            }
            assert passed(cast.target, sender, back) == {"answer"}


def test_the_errors_of_an_allowed_connection_come_back(stage: Stage, cast: Cast) -> None:
    """RFC 792 and RFC 4443: the target's kernel says that nobody listens; no rule allows ICMP anywhere."""
    give(stage, cast.target, *both(ingress("udp", 1000)), egress=False)
    for sender in cast.senders:
        settles(lambda s=sender: passed(s, cast.target, {"in": udp(s, cast.target, 4, 1000)}), {"in"})
        for v in FAMILIES:
            with sender.open_socket(v, probes.DATAGRAM) as asking:
                asking.settimeout(2)
                asking.connect((cast.target.ip(v), 1000))
                asking.send(b"?")
                with pytest.raises(ConnectionRefusedError):
                    asking.recv(100)


def test_two_guests_that_deny_everything_exchange_nothing_though_both_send(stage: Stage, cast: Cast) -> None:
    """One conntrack zone for both would make each other's packets answers: a zone a port."""
    everything, nothing = stage.group(*both(ingress(None))), stage.group(egress=False)
    ways = [(a, b) for other in cast.senders for a, b in ((cast.target, other), (other, cast.target))]

    def exchanged() -> set[str]:
        """Say twice in turn the same to each other, each side's ports as an answer to the other's would have them."""
        return {
            f"{a.name} to {b.name}, {name}"
            for a, b in (*ways, *ways)
            for name in passed(a, b, {f"v{v}": udp(a, b, v, 9000, 9000) for v in FAMILIES})
        }

    for guest in (cast.target, *cast.senders):
        stage.change(guest, security_groups=[everything])
    settles(lambda: len(exchanged()), 2 * len(ways))
    for groups in ([nothing], []):
        for guest in (cast.target, *cast.senders):
            stage.change(guest, security_groups=groups)
        settles(exchanged, set())


def test_stateless_groups_let_no_answer_through_without_a_rule(stage: Stage, cast: Cast) -> None:
    members = stage.group()
    for sender in cast.senders:
        stage.change(sender, security_groups=[members])
    rules = [ingress("udp", 1000), ingress("udp", 1001, remote_group_id=members), ingress("udp", 999, ethertype="IPv6")]
    group = give(stage, cast.target, *rules, stateful=False, egress=False)
    settles(lambda: received(cast), of_both(cast, {"udp 1000 v4", "udp 999 v6"}))
    for sender in cast.senders:
        assert passed(sender, cast.target, {"by group": udp(sender, cast.target, 4, 1001)}) == {"by group"}
        sport = next(probes.PORTS)
        assert passed(sender, cast.target, {"in": udp(sender, cast.target, 4, 1000, sport)}) == {"in"}
        answer = {"answer": udp(cast.target, sender, 4, sport, 1000)}
        assert passed(cast.target, sender, answer) == set()
    stage.rule(group, egress("udp", 20_000, 60_000))
    for sender in cast.senders:
        sport = next(probes.PORTS)

        def answered(sender: Guest = sender, sport: int = sport) -> set[str]:
            passed(sender, cast.target, {"in": udp(sender, cast.target, 4, 1000, sport)})
            return passed(cast.target, sender, {"answer": udp(cast.target, sender, 4, sport, 1000)})

        settles(answered, {"answer"})


@pytest.mark.parametrize("v", FAMILIES)
def test_fragments_share_the_fate_of_their_datagram(stage: Stage, cast: Cast, v: Any) -> None:
    """Only the first fragment names a port (RFC 791 section 3.2, RFC 8200 section 4.5)."""
    give(stage, cast.target, *both(ingress("udp", 1000)))
    for sender in cast.senders:
        settles(lambda s=sender: passed(s, cast.target, {"whole": udp(s, cast.target, v, 1000)}), {"whole"})
        assert datagram_arrives(sender, cast.target, v, 1000, 3000, tries=3)
        assert datagram_arrives(sender, cast.target, v, 1000, 9000)
        assert not datagram_arrives(sender, cast.target, v, 1001, 3000)
        assert datagram_arrives(sender, cast.target, v, 1000, 3000), "it was not the path that lost them"


def test_rules_of_several_groups_add_up(stage: Stage, cast: Cast) -> None:
    one, two, three = stage.group(ingress("udp", 1000)), stage.group(ingress("udp", 1003)), stage.group(ingress("tcp"))
    tcp = {kind for kind in ALL_KINDS if kind.startswith("tcp") and kind.endswith("v4")}
    stage.change(cast.target, security_groups=[one, two, three])
    settles(lambda: received(cast), of_both(cast, {"udp 1000 v4", "udp 1003 v4"} | tcp))
    stage.change(cast.target, security_groups=[one, two])
    settles(lambda: received(cast), of_both(cast, {"udp 1000 v4", "udp 1003 v4"}))
    stage.rule(two, ingress("udp", 5000))
    settles(lambda: received(cast), of_both(cast, {"udp 1000 v4", "udp 1003 v4", "udp 5000 v4"}))
    stage.change(cast.target, security_groups=[two])
    settles(lambda: received(cast), of_both(cast, {"udp 1003 v4", "udp 5000 v4"}))


def test_two_rulesets_with_the_same_rule_do_not_replace_each_other(stage: Stage, cast: Cast) -> None:
    """Equal clauses of two groups with different remote groups share a match; each must keep its own members."""
    near_only, far_only = stage.group(), stage.group()
    stage.change(cast.near, security_groups=[near_only])
    stage.change(cast.far, security_groups=[far_only])
    one = stage.group(ingress("udp", 1000, remote_group_id=near_only))
    two = stage.group(ingress("udp", 1000, remote_group_id=far_only))

    def heard() -> dict[str, bool]:
        return {s.name: bool(passed(s, cast.target, {"": udp(s, cast.target, 4, 1000)})) for s in cast.senders}

    for groups, near, far in (([one], True, False), ([two], False, True), ([one, two], True, True), ([], False, False)):
        stage.change(cast.target, security_groups=groups)
        settles(heard, {cast.near.name: near, cast.far.name: far})


# ---- the default group


def test_the_default_group_lets_its_own_members_in_and_nobody_else(stage: Stage, cast: Cast) -> None:
    red = cast.target.port["network_id"]
    ours = stage.guests(red, [stage.h1, stage.h2], first=51, project_id="acme")
    (theirs,) = stage.guests(red, [stage.h1], first=53, project_id="other")
    one, two = ours
    assert one.port["security_groups"] == two.port["security_groups"] != theirs.port["security_groups"]
    kinds = ALL_KINDS
    settles(lambda: passed(one, two, of_each_kind(one, two)), kinds)
    settles(lambda: passed(two, one, of_each_kind(two, one)), kinds)
    for mine in ours:
        settles(lambda m=mine: passed(theirs, m, of_each_kind(theirs, m)), set())
        # Without ports or ids, what they just tried to send us is the connection that ours would be an answer to.
        settles(
            lambda m=mine: passed(m, theirs, {k: v for k, v in of_each_kind(m, theirs).items() if k in WITH_PORTS}),
            set(),
        )
    for guest in (*ours, theirs):
        guest.host.destroy_vm(guest.vm)
        stage.weft.api.delete(f"/v2.0/ports/{guest.id}")


# ---- members


def heard_from(cast: Cast, port: int = 1000) -> dict[str, set[str]]:
    """Return in which families the target hears each sender at a UDP port."""
    return {
        sender.name: passed(sender, cast.target, {f"v{v}": udp(sender, cast.target, v, port) for v in FAMILIES})
        for sender in cast.senders
    }


BOTH_FAMILIES = {"v4", "v6"}


def test_a_remote_group_means_its_present_members(stage: Stage, cast: Cast) -> None:
    members = stage.group()
    give(stage, cast.target, *both(ingress("udp", 1000, remote_group_id=members)))
    near, far = cast.near.name, cast.far.name
    settles(lambda: heard_from(cast), {near: set(), far: set()})
    stage.change(cast.far, security_groups=[members])
    settles(lambda: heard_from(cast), {near: set(), far: BOTH_FAMILIES})
    stage.change(cast.near, security_groups=[cast.quiet, members])
    settles(lambda: heard_from(cast), {near: BOTH_FAMILIES, far: BOTH_FAMILIES})
    stage.change(cast.far, security_groups=[cast.quiet])
    settles(lambda: heard_from(cast), {near: BOTH_FAMILIES, far: set()})
    stage.unguard(cast.near)
    settles(lambda: heard_from(cast), {near: set(), far: set()})
    stage.guard(cast.near, members)
    settles(lambda: heard_from(cast), {near: BOTH_FAMILIES, far: set()})


def test_a_member_counts_with_its_allowed_pairs(stage: Stage, cast: Cast) -> None:
    members = stage.group()
    give(stage, cast.target, *both(ingress("udp", 1000, remote_group_id=members)))
    for sender in cast.senders:

        def from_pair(sender: Guest = sender) -> set[str]:
            one, many = udp(sender, cast.target, 4, 1000), udp(sender, cast.target, 6, 1000)
            one[IP].src, many[IPv6].src = "10.10.0.100", "fd00:10:0:0:aaaa::7"
            own = udp(sender, cast.target, 4, 1000)
            return passed(sender, cast.target, {"address": one, "prefix": many, "own": own})

        stage.change(sender, security_groups=[members])
        settles(from_pair, {"own"})
        pairs = [{"ip_address": "10.10.0.100"}, {"ip_address": "fd00:10:0:0:aaaa::/80"}]
        stage.change(sender, allowed_address_pairs=pairs)
        settles(from_pair, {"address", "prefix", "own"})
        stage.change(sender, security_groups=[cast.quiet])
        settles(from_pair, set())
        stage.change(sender, allowed_address_pairs=[])


def test_an_address_that_ports_of_several_groups_share_is_a_member_of_all_of_them(stage: Stage, cast: Cast) -> None:
    """Whichever of the ports sends, from whichever host."""
    pair = [{"ip_address": "10.10.0.100"}]
    one, other = stage.group(), stage.group()
    for sender, group in ((cast.near, one), (cast.far, other)):
        stage.change(sender, security_groups=[group], allowed_address_pairs=pair)

    def from_pair() -> dict[str, set[str]]:
        frames = {}
        for sender in cast.senders:
            frames[sender.name] = udp(sender, cast.target, 4, 1000)
            frames[sender.name][IP].src = "10.10.0.100"
        return {s.name: passed(s, cast.target, {"address": frames[s.name]}) for s in cast.senders}

    for group in (one, other):
        give(stage, cast.target, ingress("udp", 1000, remote_group_id=group))
        settles(from_pair, of_both(cast, {"address"}))
    stage.change(cast.near, allowed_address_pairs=[])
    settles(from_pair, {cast.near.name: set(), cast.far.name: {"address"}})
    stage.change(cast.far, security_groups=[cast.quiet])
    settles(from_pair, of_both(cast, set()))


def test_a_remote_address_group_means_its_present_addresses(stage: Stage, cast: Cast) -> None:
    addresses = stage.address_group(f"{cast.far.ip4}/32", f"{cast.far.ip6}/128")
    give(stage, cast.target, *both(ingress("udp", 1000, remote_address_group_id=addresses)))
    near, far = cast.near.name, cast.far.name
    settles(lambda: heard_from(cast), {near: set(), far: BOTH_FAMILIES})

    def change(how: str, *members: str) -> None:
        path = f"/v2.0/address-groups/{addresses}/{how}"
        stage.weft.api.put(path, {"address_group": {"addresses": list(members)}})

    change("add_addresses", "10.10.0.0/28", "fd00:10::/120")
    settles(lambda: heard_from(cast), {near: BOTH_FAMILIES, far: BOTH_FAMILIES})
    change("remove_addresses", "10.10.0.0/28", "fd00:10::/120", f"{cast.far.ip6}/128")
    settles(lambda: heard_from(cast), {near: set(), far: {"v4"}})


def test_address_groups_and_groups_and_prefixes_of_one_ruleset_add_up(stage: Stage, cast: Cast) -> None:
    members, addresses = stage.group(), stage.address_group(f"{cast.far.ip4}/32")
    stage.change(cast.near, security_groups=[members])
    rules = [
        ingress("udp", 1000, remote_group_id=members),
        ingress("udp", 1000, remote_address_group_id=addresses),
        ingress("udp", 1003, remote_group_id=members),
        ingress("tcp", 80, remote_address_group_id=addresses),
        ingress("tcp", 81, remote_ip_prefix=f"{cast.near.ip4}/32"),
    ]
    give(stage, cast.target, *rules)
    settles(
        lambda: received(cast),
        {cast.near.name: {"udp 1000 v4", "udp 1003 v4", "tcp 81 v4"}, cast.far.name: {"udp 1000 v4", "tcp 80 v4"}},
    )


def test_egress_to_a_remote_group_and_an_address_group(stage: Stage, cast: Cast) -> None:
    members = stage.group(*both(ingress(None)))
    open_one = stage.group(*both(ingress(None)))
    addresses = stage.address_group(f"{cast.near.ip4}/32")
    stage.change(cast.near, security_groups=[open_one])
    stage.change(cast.far, security_groups=[members])
    rules = [egress("udp", 1000, remote_group_id=members), egress("udp", 1003, remote_address_group_id=addresses)]
    give(stage, cast.target, *rules, egress=False)
    settles(lambda: sent(cast), {cast.near.name: {"udp 1003 v4"}, cast.far.name: {"udp 1000 v4"}})


def test_a_member_of_another_network_with_the_same_address_is_not_meant(stage: Stage, cast: Cast) -> None:
    """Both networks have the same subnets and both rules name the same group."""
    members = stage.group()
    give(stage, cast.target, *both(ingress("udp", 1000, remote_group_id=members)))
    blue = stage.dual()
    last = int(cast.near.ip4.rpartition(".")[2])
    twins = [
        stage.guest(blue, host, last + n, security_groups=[members]) for n, host in enumerate((stage.h1, stage.h2))
    ]
    assert [twin.ip4 for twin in twins] == [cast.near.ip4, cast.far.ip4]
    settles(lambda: heard_from(cast), {cast.near.name: set(), cast.far.name: set()})
    stage.change(cast.far, security_groups=[members])
    settles(lambda: heard_from(cast), {cast.near.name: set(), cast.far.name: BOTH_FAMILIES})
    for twin in twins:
        twin.host.destroy_vm(twin.vm)
        stage.weft.api.delete(f"/v2.0/ports/{twin.id}")
    stage.weft.api.delete(f"/v2.0/networks/{blue}")


def test_whoever_gets_a_members_address_afterwards_is_no_member(stage: Stage, cast: Cast) -> None:
    members = stage.group()
    give(stage, cast.target, *both(ingress("udp", 1000, remote_group_id=members)))
    red = cast.target.port["network_id"]
    for host in (stage.h1, stage.h2):
        member = stage.guest(red, host, 61, security_groups=[members])
        shots = {f"v{v}": udp(member, cast.target, v, 1000) for v in FAMILIES}
        settles(lambda m=member, s=shots: passed(m, cast.target, s), BOTH_FAMILIES)
        host.destroy_vm(member.vm)
        stage.weft.api.delete(f"/v2.0/ports/{member.id}")
        heir = stage.guest(red, host, 61, security_groups=[cast.quiet])
        assert heir.ip4 == member.ip4
        assert passed(heir, cast.target, {f"v{v}": udp(heir, cast.target, v, 1000) for v in FAMILIES}) == set()
        stage.change(heir, security_groups=[members])
        settles(lambda h=heir: passed(h, cast.target, {"v4": udp(h, cast.target, 4, 1000)}), {"v4"})
        host.destroy_vm(heir.vm)
        stage.weft.api.delete(f"/v2.0/ports/{heir.id}")


def test_neighbour_discovery_and_dhcp_need_no_rule(stage: Stage, cast: Cast) -> None:
    """No rule of Neutron's names them; a guest without groups could not even have an address else."""
    stage.change(cast.target, security_groups=[])
    settles(lambda: received(cast), of_both(cast, set()))
    lease = cast.target.vm.dhcp()
    assert lease.address == cast.target.ip4
    cast.target.vm.forget_neighbours()
    cast.target.vm.ping(cast.far.ip6, count=1, timeout_s=0.3)
    assert cast.target.vm.neighbour(cast.far.ip6) == cast.far.mac
    assert passed(cast.target, cast.near, {"echo": echo(cast.target, cast.near, 4)}) == set()
