"""Which flows each unit gets, as an engineer reads them."""

from flows.compiler import compile_bridge, compile_unit
from flows.cookie import Feature, ObjectKind, decode, encode, is_ours
from flows.intent import BaseIntent
from flows.ofctl import flow_text, group_text, meter_text
from tests.unit.flows.builders import a_local_port, a_peer, a_remote_port, a_segment


def lines(*intents: object) -> list[str]:
    return [flow_text(f) for f in compile_bridge(intents).tables().flows.values()]  # type: ignore[arg-type]


def test_a_guarded_port_with_dhcp_has_four_flows_a_bucket_and_a_meter() -> None:
    assert lines(a_local_port(9)) == [
        "table=classify,priority=100,in_port=32777 actions=load:0x5->reg0[0..23],goto_table:port_security",
        "table=port_security,priority=100,dl_src=fa:16:3e:00:00:09,in_port=32777 actions=goto_table:services",
        "table=services,priority=400,udp,in_port=32777,udp_dst=67 actions=meter:32777,CONTROLLER:65535",
        "table=l2_lookup,priority=300,dl_dst=fa:16:3e:00:00:09,reg0=0x5/0xffffff "
        "actions=load:0x8009->reg1[0..15],goto_table:output",
    ]
    tables = compile_bridge([a_local_port(9), a_segment(5)]).tables()
    assert group_text(tables.groups[5]) == (
        "group_id=5,type=all,bucket=actions=load:0x8009->reg1[0..15],resubmit(,output)"
    )
    assert meter_text(tables.meters[32777]) == "meter=32777,pktps,burst,bands=type=drop,rate=50,burst_size=50"


def test_a_port_without_port_security_skips_the_guard_and_may_be_any_source() -> None:
    text = lines(a_local_port(9, secure=False))
    assert text[0].endswith("goto_table:services")
    assert not any("port_security" in line for line in text)


def test_a_remote_port_is_one_flow_straight_to_its_host_and_one_a_host_for_what_comes_back() -> None:
    one = lines(a_remote_port(10))
    assert one == [
        "table=tunnel,priority=100,tun_id=0x4d,tun_src=10.0.0.2 actions=load:0x5->reg0[0..23],goto_table:l2_lookup",
        "table=l2_lookup,priority=300,dl_dst=fa:16:3e:00:00:0a,reg0=0x5/0xffffff "
        "actions=set_field:10.0.0.2->tun_dst,set_field:0x4d->tun_id,output:65279",
    ]
    assert len(lines(a_remote_port(10), a_remote_port(11))) == 3


def test_a_port_with_a_group_address_as_mac_does_not_take_the_segments_broadcasts() -> None:
    """Neutron accepts a multicast MAC; unicast delivery would outrank the broadcast flow."""
    assert not any("l2_lookup" in line for line in lines(a_local_port(9, mac=0xFFFFFFFFFFFF)))


def test_tunnel_frames_enter_only_from_a_registered_peer() -> None:
    text = lines(a_peer(0x0A000002))
    assert text == ["table=classify,priority=100,in_port=65279,tun_src=10.0.0.2 actions=goto_table:tunnel"]


def test_a_guest_may_not_play_dhcp_server_nor_send_tags() -> None:
    text = lines(BaseIntent())
    assert "table=port_security,priority=500,udp,udp_src=67 actions=drop" in text
    assert "table=port_security,priority=500,vlan_tci=0x1000/0x1000 actions=drop" in text


def test_the_network_answers_arp_for_its_dhcp_server_address() -> None:
    answers = [line for line in lines(a_segment(servers=(0x0A000001,))) if "arp" in line]
    assert len(answers) == 1
    assert "arp_op=1,arp_tpa=10.0.0.1" in answers[0]
    assert answers[0].endswith("IN_PORT")


def test_every_cookie_names_the_object_its_flow_belongs_to() -> None:
    owners = {decode(f.cookie) for f in compile_unit(a_local_port(9)).flows}
    assert {(o.kind, o.key) for o in owners if o} == {(ObjectKind.PORT, 9)}
    assert len(owners) == 4


def test_cookies_without_our_mark_are_foreign() -> None:
    assert not is_ours(0)
    assert decode(0) is None
    assert decode(0x58 << 56) is None
    assert is_ours(encode(Feature.DHCP, 1))
    assert decode(0x57 << 56 | 0xFFFF << 32) is None
