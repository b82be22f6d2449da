"""Which flows each unit gets, as an engineer reads them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import fields
from flows.compiler import compile_bridge, compile_unit
from flows.cookie import Feature, ObjectKind, decode, encode, is_ours
from flows.features.rules import port_masks
from flows.flow import Load, SetField
from flows.intent import ISOLATED, BaseIntent, Guard, Moving, Prefix, Wire
from flows.ofctl import flow_text, group_text, meter_text
from flows.pipeline import OUT_PORT, TABLE_BY_ID, broadcast_group, unknown_group
from flows.state import BridgeState
from tests.unit.flows.builders import (
    a_local_port,
    a_peer,
    a_remote_port,
    a_rule,
    a_ruleset,
    a_segment,
    an_address_group,
    prefix4,
    prefix6,
)


def lines(*intents: object) -> list[str]:
    return [flow_text(f) for f in compile_bridge(intents).tables().flows.values()]  # type: ignore[arg-type]


DOCUMENTATION = 0x20010DB8 << 96
FIVE, FIVE6 = prefix4(0x0A000005), prefix6(DOCUMENTATION | 5)


def test_a_guarded_ipv4_port_reads_like_this() -> None:
    assert lines(a_local_port(9, addresses=(FIVE,), groups=(16,), ruleset=77)) == [
        "table=classify,priority=100,in_port=32777 actions=load:0x5->reg0[0..23],load:0x8009->reg2[16..31],"
        "load:0x4d->reg8[0..31],load:0x0->reg11[0..31],goto_table:port_security",
        "table=port_security,priority=100,dl_src=fa:16:3e:00:00:09,in_port=32777 actions=goto_table:services",
        "table=port_security,priority=300,ip,dl_src=fa:16:3e:00:00:09,in_port=32777,nw_src=10.0.0.5 "
        "actions=goto_table:services",
        "table=port_security,priority=300,arp,arp_sha=fa:16:3e:00:00:09,arp_spa=10.0.0.5,dl_src=fa:16:3e:00:00:09,"
        "in_port=32777 actions=meter:98313,goto_table:services",
        "table=port_security,priority=300,arp,arp_sha=fa:16:3e:00:00:09,arp_spa=0.0.0.0,dl_src=fa:16:3e:00:00:09,"
        "in_port=32777 actions=meter:98313,goto_table:services",
        "table=port_security,priority=400,udp,dl_src=fa:16:3e:00:00:09,in_port=32777,udp_dst=67 "
        "actions=meter:32777,CONTROLLER:65535",
        "table=answer,priority=450,in_port=32777,reg4=0x0,reg5=0x0,reg6=0xffff,reg7=0xa000005 "
        "actions=goto_table:from_track",
        "table=addresses,priority=232,reg0=0x5/0xffffff,reg4=0x0,reg5=0x0,reg6=0xffff,reg7=0xa000005 "
        "actions=load:0xfa163e000009->xreg1[0..47],load:0x4d->reg10[0..31]",
        "table=from_state,priority=300,ct_state=+new+trk,in_port=32777 actions=meter:163849,goto_table:from_rules",
        "table=from_rules,priority=350,reg10=0x4d actions=conjunction(16,2/2)",
        "table=to_rules,priority=350,reg10=0x4d actions=conjunction(16,2/2)",
        "table=l2_lookup,priority=300,dl_dst=fa:16:3e:00:00:09,reg0=0x5/0xffffff actions=load:0x8009->reg1[0..15],"
        "load:0x8009->reg1[16..31],load:0x4d->reg9[0..31],load:0x0->reg12[0..31],goto_table:isolation",
    ]
    tables = compile_bridge([a_local_port(9, groups=(16,)), a_segment(5)]).tables()
    assert group_text(tables.groups[broadcast_group(5)]) == (
        f"group_id={broadcast_group(5)},type=all,bucket=actions=load:0x8009->reg1[0..15],load:0x8009->reg1[16..31],"
        "load:0x10->reg9[0..31],load:0x0->reg12[0..31],resubmit(,isolation)"
    )
    assert meter_text(tables.meters[32777]) == "meter=32777,pktps,burst,bands=type=drop,rate=50,burst_size=50"


@pytest.mark.parametrize(("addresses", "most"), [((FIVE,), 12), ((FIVE, FIVE6), 20)])
def test_one_more_port_of_a_group_costs_few_flows(addresses: tuple[Prefix, ...], most: int) -> None:
    first = a_local_port(8, addresses=(prefix4(0x0A000008),), groups=(16,))
    alone = compile_bridge([BaseIntent(), a_ruleset(16), first]).flow_count
    both = compile_bridge([BaseIntent(), a_ruleset(16), first, a_local_port(9, addresses=addresses, groups=(16,))])
    assert both.flow_count - alone <= most


def test_a_port_without_port_security_may_be_any_source_and_meets_no_rule() -> None:
    text = lines(a_local_port(9, secure=False, addresses=(FIVE,)))
    assert "table=port_security,priority=600,in_port=32777 actions=goto_table:services" in text
    assert not any("dl_src" in line or "from_state" in line for line in text)
    assert "load:0x0->reg8[0..31]" in text[0]


def test_an_allowed_pair_lets_another_address_out_and_is_never_answered_for() -> None:
    text = lines(a_local_port(9, addresses=(FIVE,), pairs=(Guard(0x00005E000101, prefix4(0x0A000900, 24)),)))
    assert any("dl_src=00:00:5e:00:01:01" in line and "nw_src=10.0.9.0/24" in line for line in text)
    answers = [line for line in text if "xreg1" in line]
    assert len(answers) == 1
    assert "reg7=0xa000005" in answers[0]
    assert any("table=l2_lookup,priority=280,dl_dst=00:00:5e:00:01:01" in line for line in text)


def test_ports_that_may_bear_one_mac_address_each_get_a_copy() -> None:
    pair = (Guard(0x00005E000101, prefix4(0x0A000009)),)
    text = lines(a_local_port(8, pairs=pair), a_local_port(9, pairs=pair), a_remote_port(10, pairs=pair))
    (shared,) = [line for line in text if "dl_dst=00:00:5e:00:01:01" in line]
    assert shared.count("resubmit(,isolation)") == 2
    assert shared.endswith("set_field:10.0.0.2->tun_dst,set_field:0x4d->tun_id,output:65279")


def test_a_neighbour_may_advertise_its_own_addresses_only() -> None:
    text = [line for line in lines(a_local_port(9, addresses=(FIVE6,))) if "nd_target" in line and "=136" in line]
    assert [line.partition("nd_target=")[2].partition(" ")[0] for line in text if "nd_target=" in line] == [
        "2001:db8::5",
        "fe80::f816:3eff:fe00:9",
    ]


# rules ----------------------------------------------------------------------------------------------------------------


def test_a_rule_without_a_group_is_one_flow_of_its_ruleset() -> None:
    text = lines(a_ruleset(16, to_port=(a_rule(4, 6, 80, 80, prefix=prefix4(0x0A000000, 8)),)))
    assert "table=to_rules,priority=400,tcp,nw_src=10.0.0.0/8,reg9=0x10,tcp_dst=80 actions=goto_table:to_commit" in text


def test_a_rule_for_a_group_costs_the_same_however_many_members_it_has() -> None:
    rules = a_ruleset(16, to_port=(a_rule(4, 6, 22, 22, group=17),))
    members = [a_remote_port(n, addresses=(prefix4(0x0A000000 + n),), groups=(17,)) for n in range(100, 200)]
    state = compile_bridge([rules, *members])
    more = a_ruleset(16, to_port=(*rules.to_port, a_rule(4, 6, 23, 23, group=17)))
    delta = state.replace({more.unit: compile_unit(more)})
    assert len(delta.flows) == 1
    assert not delta.deleted_flows


def test_a_member_costs_one_flow_of_the_directory_however_many_rules_refer_to_its_group() -> None:
    rulesets = [a_ruleset(20 + n, to_port=(a_rule(4, 6, 22, 22, group=17),)) for n in range(10)]
    first = a_remote_port(100, addresses=(prefix4(0x0A000064),), groups=(17,))
    state = compile_bridge([*rulesets, first])
    second = a_remote_port(101, addresses=(prefix4(0x0A000065),), groups=(17,))
    delta = state.replace({second.unit: compile_unit(second)})
    assert sorted(TABLE_BY_ID[flow.table].name for flow in delta.flows) == ["addresses", "l2_lookup"]


def test_two_groups_with_one_clause_share_a_flow_and_neither_replaces_the_other() -> None:
    rules = (a_rule(4, 6, 22, 22, group=16, why="rule a"), a_rule(4, 6, 22, 22, group=17, why="rule b"))
    (clause,) = [line for line in lines(a_ruleset(30, to_port=rules)) if "tcp_dst=22" in line]
    assert clause.endswith("actions=conjunction(16,1/2),conjunction(17,1/2)")


def test_address_groups_with_one_prefix_share_a_flow_and_one_leaving_keeps_the_others() -> None:
    prefix = prefix4(0x0A000000, 8)
    state = compile_bridge([an_address_group(40, prefix), an_address_group(41, prefix)])
    texts = [flow_text(flow) for flow in state.tables().flows.values()]
    assert all(text.endswith("conjunction(2147483688,2/2),conjunction(2147483689,2/2)") for text in texts)
    delta = state.replace({an_address_group(41).unit: None})
    assert [flow_text(flow).rpartition("=")[2] for flow in delta.flows] == ["conjunction(2147483688,2/2)"] * 2
    assert not delta.deleted_flows


def test_a_stateless_ruleset_asks_no_conntrack() -> None:
    text = [line for line in lines(a_ruleset(16, stateful=False, from_port=(a_rule(),))) if "track" in line]
    assert text
    assert not any("ct(" in line for line in text)


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_port_masks_match_exactly_the_range(low: int, high: int, port: int) -> None:
    low, high = sorted((low, high))
    assert any(port & mask == value for value, mask in port_masks(low, high)) == (low <= port <= high)


def test_what_comes_or_goes_empties_its_conntrack_zone_and_what_stays_does_not() -> None:
    state = BridgeState()
    port = a_local_port(9, addresses=(FIVE,))
    assert state.replace({port.unit: compile_unit(port)}).flushed_zones == (32777,)
    changed = a_local_port(9, addresses=(FIVE,), dhcp=False)
    assert state.replace({port.unit: compile_unit(changed)}).flushed_zones == ()
    assert state.replace({port.unit: None}).flushed_zones == (32777,)


def test_a_remote_port_is_one_flow_straight_to_its_host_and_one_a_host_for_what_comes_back() -> None:
    one = lines(a_remote_port(10))
    assert one == [
        "table=tunnel,priority=100,in_port=65279,tun_id=0x4d,tun_src=10.0.0.2 actions=load:0x5->reg0[0..23],"
        "goto_table:sender",
        "table=l2_lookup,priority=300,dl_dst=fa:16:3e:00:00:0a,reg0=0x5/0xffffff "
        "actions=set_field:10.0.0.2->tun_dst,set_field:0x4d->tun_id,output:65279",
    ]
    assert len(lines(a_remote_port(10), a_remote_port(11))) == 3


def test_a_port_with_a_group_address_as_mac_does_not_take_the_segments_broadcasts() -> None:
    """Neutron accepts a multicast MAC; unicast delivery would outrank the broadcast flow."""
    assert not any("l2_lookup" in line for line in lines(a_local_port(9, mac=0xFFFFFFFFFFFF)))


def test_tunnel_frames_enter_only_from_a_registered_peer() -> None:
    text = lines(replace(a_peer(0x0A000002), more_ofports=(65278,)))
    assert [line for line in text if "classify" in line] == [
        "table=classify,priority=100,in_port=65279,tun_src=10.0.0.2 actions=goto_table:tunnel",
        "table=classify,priority=100,in_port=65278,tun_src=10.0.0.2 actions=goto_table:tunnel",
    ]


def test_probes_of_all_peers_are_punted_by_one_flow_and_one_meter_a_tunnel() -> None:
    peers = [replace(a_peer(endpoint), more_ofports=(65278,)) for endpoint in (0x0A000002, 0x0A000003)]
    assert [line for line in lines(*peers) if "CONTROLLER" in line] == [
        "table=tunnel,priority=400,in_port=65279,tun_id=0x0 actions=meter:65279,CONTROLLER:65535",
        "table=tunnel,priority=400,in_port=65278,tun_id=0x0 actions=meter:65278,CONTROLLER:65535",
    ]
    state = compile_bridge(peers)
    assert {(m.id, m.rate_pps, m.burst) for m in state.tables().meters.values()} == {
        (65278, 400, 400),
        (65279, 400, 400),
    }
    assert not state.replace({peers[0].unit: None}).deleted_meters, "the other peer still needs them"
    assert state.replace({peers[1].unit: None}).deleted_meters == (65278, 65279)


def test_without_a_geneve_tunnel_nothing_is_said_of_it() -> None:
    assert lines(a_peer(0x0A000002)) == [
        "table=classify,priority=100,in_port=65279,tun_src=10.0.0.2 actions=goto_table:tunnel",
        "table=tunnel,priority=400,in_port=65279,tun_id=0x0 actions=meter:65279,CONTROLLER:65535",
    ]


def test_a_guest_may_not_play_dhcp_server_nor_send_tags() -> None:
    text = lines(BaseIntent())
    assert "table=port_security,priority=500,udp,udp_src=67 actions=drop" in text
    assert "table=port_security,priority=500,vlan_tci=0x1000/0x1000 actions=drop" in text


def test_the_network_answers_arp_for_its_dhcp_server_address() -> None:
    text = lines(a_segment(servers=(0x0A000001,)))
    assert (
        "table=addresses,priority=232,reg0=0x5/0xffffff,reg4=0x0,reg5=0x0,reg6=0xffff,reg7=0xa000001 "
        "actions=load:0x25745465401->xreg1[0..47]"
    ) in text


def test_every_cookie_names_the_object_its_flow_belongs_to() -> None:
    owners = {decode(f.cookie) for f in compile_unit(a_local_port(9, addresses=(FIVE,), ruleset=1)).flows}
    assert {(o.kind, o.key) for o in owners if o} == {(ObjectKind.PORT, 9)}
    assert len(owners) == 6


def test_cookies_without_our_mark_are_foreign() -> None:
    assert not is_ours(0)
    assert decode(0) is None
    assert decode(0x58 << 56) is None
    assert is_ours(encode(Feature.DHCP, 1))
    assert decode(0x57 << 56 | 0xFFFF << 32) is None


# kinds of networks ----------------------------------------------------------------------------------------------------


def test_a_vlan_is_tagged_and_untagged_on_this_bridge() -> None:
    text = lines(a_segment(5, wire=Wire(ofport=65200, vlan=100)))
    assert (
        "table=provider,priority=300,in_port=65200,vlan_tci=0x1064 actions=pop_vlan,load:0x5->reg0[0..23],"
        "goto_table:sender"
    ) in text
    groups = compile_bridge([a_segment(5, wire=Wire(ofport=65200, vlan=100))]).tables().groups
    for group_id in (broadcast_group(5), unknown_group(5)):
        assert group_text(groups[group_id]).endswith("push_vlan:0x8100,set_field:4196->vlan_vid,output:65200")


def test_a_flat_network_takes_untagged_frames_only() -> None:
    text = lines(a_segment(5, wire=Wire(ofport=65200, vlan=None)))
    assert any("in_port=65200,vlan_tci=0x0 actions=load:0x5->reg0[0..23]" in line for line in text)


def test_a_port_of_a_provider_network_on_another_host_is_reached_through_the_physical_network() -> None:
    text = lines(a_remote_port(10, wire=Wire(ofport=65200, vlan=100)))
    assert [line for line in text if "tunnel" in line or "tun_dst" in line] == []
    assert any("dl_dst=fa:16:3e:00:00:0a" in line and line.endswith("output:65200") for line in text)


def test_unknown_unicast_goes_to_ports_without_port_security_and_their_hosts_only() -> None:
    ports = [a_local_port(8), a_local_port(9, secure=False), a_remote_port(10), a_remote_port(11, takes_unknown=True)]
    group = compile_bridge([a_segment(5), *ports]).tables().groups[unknown_group(5)]
    assert [bucket.actions[0] for bucket in group.buckets] == [
        Load(OUT_PORT, 32777),
        SetField(fields.TUN_DST, 0x0A000002),
    ]


def test_a_community_may_talk_among_itself_and_its_ports_share_the_flow() -> None:
    text = lines(a_local_port(8, role=30), a_local_port(9, role=30), a_local_port(7, role=ISOLATED))
    assert [line for line in text if "table=isolation" in line] == [
        "table=isolation,priority=100,reg11=0x1e,reg12=0x1e actions=goto_table:to_track"
    ]


def test_the_role_of_a_sender_on_another_host_is_told_by_its_mac_address() -> None:
    assert (
        "table=sender,priority=300,dl_src=fa:16:3e:00:00:0a,reg0=0x5/0xffffff "
        "actions=load:0x1->reg11[0..31],goto_table:l2_lookup"
    ) in lines(a_remote_port(10, role=ISOLATED))
    assert not any("table=sender" in line for line in lines(a_remote_port(10)))


def test_in_a_private_vlan_an_unknown_sender_is_taken_for_isolated_until_its_port_is_known() -> None:
    text = lines(a_segment(5, private=True), a_remote_port(10, private=True))
    assert [line for line in text if "table=sender" in line] == [
        "table=sender,priority=100,reg0=0x5/0xffffff actions=load:0x1->reg11[0..31],goto_table:l2_lookup",
        "table=sender,priority=300,dl_src=fa:16:3e:00:00:0a,reg0=0x5/0xffffff "
        "actions=load:0x0->reg11[0..31],goto_table:l2_lookup",
    ]
    wire = Wire(ofport=65200, vlan=100)
    assert not any("table=sender" in line for line in lines(a_segment(5, private=True, wire=wire)))


def test_what_a_promiscuous_port_may_use_beside_its_own_never_hides_an_isolated_port() -> None:
    pair = (Guard(0xFA163E00000B, prefix4(0x0A000009)),)
    text = lines(a_remote_port(10, private=True, pairs=pair), a_remote_port(11, private=True, role=ISOLATED))
    borne = [line for line in text if "table=sender" in line and "dl_src=fa:16:3e:00:00:0b" in line]
    assert [("priority=300" in line, "load:0x1->reg11" in line) for line in borne] == [(False, False), (True, True)]


def test_while_a_port_is_moved_both_hosts_get_its_frames() -> None:
    (here,) = [
        line
        for line in lines(a_local_port(10, moving=Moving.SOURCE), a_remote_port(10, moving=True))
        if "table=l2_lookup" in line
    ]
    assert here.endswith("resubmit(,isolation),set_field:10.0.0.2->tun_dst,set_field:0x4d->tun_id,output:65279")
    text = lines(a_remote_port(10, also=0x0A000003))
    (third,) = [line for line in text if "table=l2_lookup" in line]
    assert third.count("output:65279") == 2
    assert len([line for line in text if "table=tunnel" in line]) == 2


def test_the_first_sign_of_life_of_a_moved_guest_is_punted() -> None:
    text = lines(a_local_port(9, moving=Moving.TARGET))
    assert any("dl_type=0x8035" in line and line.endswith("CONTROLLER:65535") for line in text)


def test_solicitations_of_routers_and_dhcpv6_requests_are_punted_through_the_ports_meter() -> None:
    text = lines(a_local_port(9, router=True, dhcp6=True))
    punts = [line for line in text if line.endswith("actions=meter:32777,CONTROLLER:65535")]
    assert [("icmpv6_type=133" in line, "udp_dst=547" in line) for line in punts] == [
        (False, False),
        (True, False),
        (False, True),
    ]
