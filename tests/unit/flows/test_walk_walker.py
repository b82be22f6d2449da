"""What becomes of packets in compiled bridges; that Open vSwitch agrees is tests/contract/test_walk.py."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import fields
from flows.compiler import compile_bridge
from flows.delta import Tables
from flows.fields import CT_EST, CT_INV, CT_NEW, CT_RPL, CT_TRK, FRAG_ANY, FRAG_LATER, Field
from flows.flow import Flow, Resubmit
from flows.intent import BaseIntent, Guard, Moving, Prefix, RuleIntent, RulesetIntent, UnitIntent, Wire
from flows.ofctl import table_name
from flows.walk.journey import Connection, EndKind, Journey
from flows.walk.packet import HEADERS, INNER_VLAN
from flows.walk.walker import Walker
from tests.unit.flows.builders import (
    INTENTS,
    TUNNEL_OFPORT,
    a_local_port,
    a_peer,
    a_remote_port,
    a_ruleset,
    a_segment,
    prefix4,
)

A, B, C = (0x0A000000 + n for n in (9, 10, 11))
MAC_A, MAC_B, MAC_C = (0xFA163E000000 + n for n in (9, 10, 11))
BROADCAST = 0xFFFFFFFFFFFF
PEER = 0x0A000002
WEB = RulesetIntent(
    ruleset=16,
    stateful=True,
    from_port=(RuleIntent(version=4, why="rule out"),),
    to_port=(
        RuleIntent(version=4, protocol=6, low=80, high=80, why="rule web"),
        RuleIntent(version=4, protocol=17, group=16, why="rule members"),
    ),
)


def a_world(*more: UnitIntent) -> Walker:
    return Walker(
        compile_bridge(
            [
                BaseIntent(),
                a_segment(5),
                a_peer(PEER),
                a_local_port(9, addresses=(prefix4(A),), groups=(16,), ruleset=16),
                a_local_port(10, addresses=(prefix4(B),), groups=(16,), ruleset=16),
                a_remote_port(11, endpoint=PEER, addresses=(prefix4(C),)),
                WEB,
                *more,
            ]
        ).tables()
    )


def tcp(port: int, **changed: int) -> dict[Field, int]:
    packet = {
        fields.IN_PORT: 32777,
        fields.ETH_SRC: MAC_A,
        fields.ETH_DST: MAC_B,
        fields.ETH_TYPE: 0x0800,
        fields.IP_PROTO: 6,
        fields.IPV4_SRC: A,
        fields.IPV4_DST: B,
        fields.TCP_DST: port,
    }
    return packet | {getattr(fields, name): value for name, value in changed.items()}


class Known:
    """Conntrack that says one thing in each zone."""

    def __init__(self, zones: Mapping[int, Connection]) -> None:
        self._zones = zones

    def look_up(self, zone: int, values: Mapping[Field, int]) -> Connection:
        return self._zones.get(zone, Connection(CT_TRK | CT_NEW))


def ends(journey: Journey) -> list[tuple[EndKind, int]]:
    return [(end.kind, end.ofport) for end in journey.ends]


VIRTUAL = 0x0A0000C8
"""An address that several ports may use."""


def a_claimant(port: int, *groups: int, prefix: Prefix | None = None) -> UnitIntent:
    pair = Guard(0x00005E000101, prefix or prefix4(VIRTUAL))
    return a_remote_port(port, endpoint=PEER, pairs=(pair,), groups=groups)


def from_far(source: int, **changed: int) -> dict[Field, int]:
    """A datagram from another host, of a kind that only members of group 16 may send."""
    far = tcp(0, IN_PORT=TUNNEL_OFPORT, TUN_SRC=PEER, TUN_ID=77, ETH_SRC=0x00005E000101, IPV4_SRC=source, **changed)
    return far | {fields.IP_PROTO: 17, fields.UDP_DST: 9}


@pytest.mark.parametrize("groups", [[(16,), (17,)], [(17,), (16,)], [(17, 18), (16, 17)]])
def test_an_address_of_several_ports_is_a_member_of_all_their_groups(groups: list[tuple[int, ...]]) -> None:
    """Neutron administration guide, security groups: a remote group is all addresses of its ports, pairs included."""
    ports = [a_claimant(number, *of_port) for number, of_port in enumerate(groups, 20)]
    assert ends(a_world(*ports).walk(from_far(VIRTUAL))) == [(EndKind.PORT, 32778)]


def test_an_address_of_ports_of_other_groups_is_no_member() -> None:
    assert decided(a_world(a_claimant(20, 17), a_claimant(21, 18)).walk(from_far(VIRTUAL))) == ("to_rules", None)


def test_a_port_s_own_address_that_others_may_use_is_a_member_of_their_groups_too() -> None:
    own = a_remote_port(19, endpoint=PEER, addresses=(prefix4(VIRTUAL),), groups=(17,))
    assert ends(a_world(own, a_claimant(20, 16)).walk(from_far(VIRTUAL))) == [(EndKind.PORT, 32778)]
    wide = a_claimant(20, 16, prefix=prefix4(VIRTUAL & ~0xFF, 24))
    assert ends(a_world(own, wide).walk(from_far(VIRTUAL))) == [(EndKind.PORT, 32778)]


def test_a_port_that_may_use_every_address_makes_members_only_of_those_that_nobody_has() -> None:
    everything = [a_claimant(20, 17, prefix=prefix4(0, 0)), a_claimant(21, 16, prefix=prefix4(0, 0))]
    world = a_world(*everything, a_remote_port(19, endpoint=PEER, addresses=(prefix4(VIRTUAL),), groups=(17,)))
    assert ends(world.walk(from_far(0xC0000201))) == [(EndKind.PORT, 32778)]
    assert decided(world.walk(from_far(VIRTUAL))) == ("to_rules", None)


def test_a_pair_makes_members_in_its_own_network_alone() -> None:
    other = replace(a_remote_port(20, 6, endpoint=PEER, pairs=(Guard(MAC_C, prefix4(VIRTUAL)),), groups=(16,)), vni=78)
    assert decided(a_world(other).walk(from_far(VIRTUAL))) == ("to_rules", None)


@pytest.mark.parametrize("stateless", [32778, 32779])
def test_a_stateless_receiver_of_a_broadcast_asks_conntrack_nothing_whoever_else_receives_it(stateless: int) -> None:
    """Open vSwitch keeps the connection state of an earlier bucket: ct_clear does nothing after it."""
    rulesets = {stateless: 26, 32778 + 32779 - stateless: 16}
    web = RuleIntent(version=4, protocol=6, low=80, high=80, why="rule web")
    world = Walker(
        compile_bridge(
            [
                BaseIntent(),
                a_segment(5),
                a_local_port(9, addresses=(prefix4(A),), groups=(16,), ruleset=16),
                *(a_local_port(ofport - 32768, groups=(key,), ruleset=key) for ofport, key in rulesets.items()),
                WEB,
                a_ruleset(26, to_port=(web,), stateful=False),
            ]
        ).tables()
    )
    new = world.walk(tcp(80, ETH_DST=BROADCAST))
    assert {end.ofport for end in new.ends if end.kind is EndKind.PORT} == {32778, 32779}
    stateful = 32778 + 32779 - stateless
    assert {commit.zone for commit in new.commits} == {32777, stateful}
    living = Known({zone: Connection(CT_TRK | CT_EST) for zone in (32777, stateful)})
    no_longer = world.walk(tcp(81, ETH_DST=BROADCAST), living)
    assert {end.ofport for end in no_longer.ends if end.kind is EndKind.PORT} == set()
    assert {(commit.zone, commit.mark) for commit in no_longer.commits} == {(32777, 1), (stateful, 1)}


def decided(journey: Journey) -> tuple[str, str | None]:
    [end] = journey.ends
    assert end.kind is EndKind.DROPPED
    step = journey.steps[end.step]
    return table_name(step.table), None if step.flow is None else step.flow.why


def test_an_allowed_packet_reaches_its_receiver_and_is_remembered_in_both_zones() -> None:
    journey = a_world().walk(tcp(80))
    assert ends(journey) == [(EndKind.PORT, 32778)]
    assert [(c.zone, c.mark) for c in journey.commits] == [(32777, None), (32778, None)]
    assert [zone for zone, _ in journey.asked] == [32777, 32778]
    assert 32777 | 1 << 17 in journey.meters
    assert "rule web" in [step.flow.why for step in journey.steps if step.flow]


def test_what_no_rule_allows_ends_where_the_rules_are() -> None:
    assert decided(a_world().walk(tcp(81))) == ("to_rules", None)


def test_a_forged_source_ends_at_port_security() -> None:
    table, why = decided(a_world().walk(tcp(80, IPV4_SRC=C)))
    assert (table, why) == ("port_security", "IPv4 from an address that is not the port's is dropped")
    assert decided(a_world().walk(tcp(80, ETH_SRC=MAC_C))) == ("port_security", why)


def test_a_member_of_a_group_is_let_in_by_the_group_s_rule() -> None:
    packet = tcp(0) | {fields.IP_PROTO: 17, fields.UDP_DST: 9}
    journey = a_world().walk(packet)
    assert ends(journey) == [(EndKind.PORT, 32778)]
    [whole] = [step for step in journey.steps if step.parts]
    assert {part.why for part in whole.parts} == {"rule members", "the far end is a member of these security groups"}


def test_answers_pass_without_a_rule_and_revoked_ones_do_not() -> None:
    answer = Connection(CT_TRK | CT_EST | CT_RPL)
    assert ends(a_world().walk(tcp(999), Known({32778: answer}))) == [(EndKind.PORT, 32778)]
    revoked = a_world().walk(tcp(999), Known({32778: answer._replace(mark=1)}))
    assert decided(revoked) == ("to_state", "an answer in a connection no longer allowed")


def test_a_living_connection_that_no_rule_allows_is_marked_and_ends() -> None:
    journey = a_world().walk(tcp(999), Known({32778: Connection(CT_TRK | CT_EST)}))
    assert decided(journey)[0] == "to_rules"
    assert (journey.commits[-1].zone, journey.commits[-1].mark) == (32778, 1)


def test_an_invalid_packet_is_dropped_by_the_sender_s_conntrack() -> None:
    journey = a_world().walk(tcp(80), Known({32777: Connection(CT_TRK | CT_INV)}))
    assert decided(journey) == ("from_state", "conntrack finds the packet invalid (RFC 9293)")


def test_a_receiver_on_another_host_is_reached_through_the_tunnel() -> None:
    journey = a_world().walk(tcp(1, ETH_DST=MAC_C, IPV4_DST=C))
    [end] = journey.ends
    assert (end.kind, end.ofport) == (EndKind.TUNNEL, TUNNEL_OFPORT)
    assert (end.packet[fields.TUN_DST], end.packet[fields.TUN_ID]) == (PEER, 77)


def test_a_frame_from_the_tunnel_is_not_sent_back_into_it() -> None:
    tunnelled = tcp(80, IN_PORT=TUNNEL_OFPORT, TUN_SRC=PEER, TUN_ID=77, ETH_SRC=MAC_C, ETH_DST=BROADCAST, IPV4_SRC=C)
    assert sorted(ends(a_world().walk(tunnelled))) == [
        (EndKind.PORT, 32777),
        (EndKind.PORT, 32778),
        (EndKind.SUPPRESSED, TUNNEL_OFPORT),
    ]
    assert decided(a_world().walk(tunnelled | {fields.TUN_SRC: PEER + 1})) == ("classify", None)


def test_a_frame_for_a_physical_network_bears_its_vlan_s_tag_over_any_other() -> None:
    """IEEE 802.1Q: the outermost tag counts, and taking it off leaves the one behind it."""
    wire = Wire(ofport=65200, vlan=7)
    walker = Walker(
        compile_bridge([BaseIntent(), a_segment(5, wire=wire), a_local_port(9, secure=False, ruleset=0)]).tables()
    )
    out = {fields.IN_PORT: 32777, fields.ETH_SRC: MAC_A, fields.ETH_DST: MAC_B, fields.ETH_TYPE: 0x88CC}
    for own in (0, fields.VLAN_PRESENT | 99):
        [end] = walker.walk({**out, fields.VLAN_VID: own}).sent
        assert (end.kind, end.ofport) == (EndKind.PORT, 65200)
        assert (end.packet[fields.VLAN_VID], end.packet[INNER_VLAN]) == (fields.VLAN_PRESENT | 7, own)
        back = {field: end.packet[field] for field in HEADERS} | {fields.ETH_DST: MAC_A, fields.IN_PORT: 65200}
        [end] = walker.walk(back).sent
        assert (end.ofport, end.packet[fields.VLAN_VID], end.packet[INNER_VLAN]) == (32777, own, 0)
    [end] = walker.walk(back | {fields.VLAN_VID: fields.VLAN_PRESENT | 8}).ends
    assert end.kind is EndKind.DROPPED


def test_a_port_that_is_being_moved_here_gets_a_copy_on_both_hosts() -> None:
    """Until the switch-over nobody knows on which host the guest runs."""
    walker = a_world(
        replace(a_local_port(12, addresses=(prefix4(A + 9),), ruleset=0, secure=False), moving=Moving.TARGET),
        replace(a_remote_port(12, endpoint=PEER, addresses=(prefix4(A + 9),)), moving=True),
    )
    ends = walker.walk(tcp(80, ETH_DST=0xFA163E00000C)).sent
    assert [(end.kind, end.ofport) for end in ends] == [(EndKind.PORT, 32780), (EndKind.TUNNEL, TUNNEL_OFPORT)]


def test_arp_for_a_known_address_is_answered_with_its_owner_s_mac() -> None:
    question = {
        fields.IN_PORT: 32777,
        fields.ETH_SRC: MAC_A,
        fields.ETH_DST: BROADCAST,
        fields.ETH_TYPE: 0x0806,
        fields.ARP_OP: 1,
        fields.ARP_SHA: MAC_A,
        fields.ARP_SPA: A,
        fields.ARP_TPA: C,
    }
    [end] = a_world().walk(question).ends
    assert (end.kind, end.ofport) == (EndKind.SENDER, 32777)
    said = {field: end.packet[field] for field in (fields.ETH_SRC, fields.ETH_DST, fields.ARP_OP, fields.ARP_TPA)}
    assert said == {fields.ETH_SRC: MAC_C, fields.ETH_DST: MAC_A, fields.ARP_OP: 2, fields.ARP_TPA: A}
    assert (end.packet[fields.ARP_SHA], end.packet[fields.ARP_SPA]) == (MAC_C, C)


def test_a_port_that_sends_to_itself_gets_nothing_back() -> None:
    assert ends(a_world().walk(tcp(80, ETH_DST=MAC_A))) == [(EndKind.SUPPRESSED, 32777)]


def test_a_request_for_dhcp_goes_to_the_controller() -> None:
    packet = tcp(0, ETH_DST=BROADCAST, IPV4_SRC=0) | {fields.IP_PROTO: 17, fields.UDP_SRC: 68, fields.UDP_DST: 67}
    assert ends(a_world().walk(packet)) == [(EndKind.CONTROLLER, 0)]


@pytest.mark.parametrize(
    ("frag", "first_fragments_have_ports", "met"),
    [
        (FRAG_ANY, True, "rule web"),
        (FRAG_ANY, False, None),
        (FRAG_ANY | FRAG_LATER, True, None),
        (FRAG_ANY | FRAG_LATER, False, None),
    ],
)
def test_fragments_show_their_ports_as_the_switch_is_set(
    frag: int, first_fragments_have_ports: bool, met: str | None
) -> None:
    """ovs-ofctl(8), set-frags: ``normal`` hides the ports of first fragments too."""
    stateless = RulesetIntent(ruleset=16, stateful=False, from_port=WEB.from_port, to_port=WEB.to_port[:1])
    tables = compile_bridge(
        [
            BaseIntent(),
            a_local_port(9, addresses=(prefix4(A),), groups=(16,), ruleset=16),
            a_local_port(10, addresses=(prefix4(B),), groups=(16,), ruleset=16),
            stateless,
        ]
    ).tables()
    walker = Walker(tables, first_fragments_have_ports=first_fragments_have_ports)
    journey = walker.walk(tcp(80, IP_FRAG=frag))
    assert [e.kind for e in journey.ends] == [EndKind.PORT if met else EndKind.DROPPED]


def test_flows_that_resubmit_to_each_other_for_ever_end_in_a_drop() -> None:
    """What somebody puts into a switch by hand may do so; Open vSwitch gives up, too (ovs-actions(7), resubmit)."""
    loop = Flow(
        table=0, priority=1, match=(), actions=(Resubmit(0),), goto=None, meter=None, cookie=0, why="put in by hand"
    )
    journey = Walker(Tables(flows={loop.key: loop}, groups={}, meters={})).walk({})
    assert [end.kind for end in journey.ends] == [EndKind.DROPPED]


@given(st.lists(INTENTS, max_size=8), st.dictionaries(st.sampled_from(HEADERS), st.integers(0, 0xFFFF)), st.data())
def test_every_packet_comes_to_an_end_in_every_bridge(
    intents: list[UnitIntent], values: dict[Field, int], data: st.DataObject
) -> None:
    """A walk never fails, whatever a guest sends, and says of each packet what became of it."""
    packet = {field: value & field.full_mask for field, value in values.items()}
    packet[fields.IN_PORT] = data.draw(st.sampled_from([TUNNEL_OFPORT, *range(32769, 32775)]))
    packet[fields.ETH_TYPE] = data.draw(st.sampled_from([0x0800, 0x0806, 0x86DD, 0x8035, 0x0600]))
    journey = Walker(compile_bridge({i.unit: i for i in [BaseIntent(), *intents]}.values()).tables()).walk(packet)
    assert journey.ends
    assert all(-1 < end.step < len(journey.steps) for end in journey.ends)
