"""Is what ovn-trace prints read, and said in an operator's words?"""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest

from controller.plugins.ovn.explain import Known, describe, not_sent, nowhere, read
from controller.plugins.ovn.microflow import microflow
from controller.records import PortId, PortState, PortStatus, Reason
from controller.trace.question import Probe, Stage
from flows import fields
from tests.unit.controller.plugins.ovn.test_intent import a_geneve
from tests.unit.controller.reconcile.builders import a_port

SOURCE, TARGET = a_port(1, "10.0.0.1", host="h1"), a_port(2, "10.0.0.2", host="h2")
GROUP = "inport == @weft_drop_0 && ip"
RULE = "outport == @weft_g1_n1 && ip4 && udp && udp.dst == 53"
ACLS = {GROUP: "drop/from", "outport == @weft_drop_0 && ip": "drop/to", RULE: "rule/r1/n1"}
PORTS = [SOURCE.id, TARGET.id]
KNOWN = Known(ports={port.id: port for port in (SOURCE, TARGET)}, states={}, acls=ACLS)
PACKET = {
    fields.ETH_SRC: 0xFA163E000001,
    fields.ETH_DST: 0xFA163E000002,
    fields.ETH_TYPE: fields.ETH_TYPE_IPV4,
    fields.IPV4_SRC: int(ip_address("10.0.0.1")),
    fields.IPV4_DST: int(ip_address("10.0.0.2")),
    fields.IP_PROTO: fields.IP_PROTO_UDP,
    fields.UDP_SRC: 50_000,
    fields.UDP_DST: 53,
}
PROBE = Probe(
    source=SOURCE,
    network=a_geneve(),
    target=TARGET,
    target_address=ip_address("10.0.0.2"),
    packet=PACKET,
    stage=Stage.NEW,
    text="udp",
    note="",
)
IN = """# udp,reg14=0x1
ingress(dp="weft-n1", inport="p1")
---------------------------
 0. ls_in_check_port_sec (northd.c:8432): 1, priority 50, uuid eb2b4be2
    reg0[15] = check_in_port_sec();
    next;
"""
LOOKUP = """25. ls_in_l2_lkup (northd.c:9122): eth.dst == fa:16:3e:00:00:02, priority 50, uuid f74db777
    outport = "p2";
    output;

egress(dp="weft-n1", inport="p1", outport="p2")
---------------------------------------

ct_next(ct_state=new|trk)
-------------------------
"""
LET_IN = f""" 4. ls_out_acl (northd.c:6445): reg0[7] == 1 && ({RULE}), priority 2002, uuid b32d87df
    reg0[1] = 1;
    next;
 9. ls_out_apply_port_sec (northd.c:5777): 1, priority 0, uuid 0840a9e6
    output;
    /* output to "p2", type "" */
"""
KEPT_OUT = """ 4. ls_out_acl: reg0[9] == 1 && (outport == @weft_drop_0 && ip), priority 2001, uuid 5
    drop;
"""
KEPT_IN = f""" 8. ls_in_acl (northd.c:6543): reg0[9] == 1 && ({GROUP}), priority 2001, uuid 15d6d09c
    drop;
"""
FORGED = """ 1. ls_in_apply_port_sec (northd.c:8435): reg0[15] == 1, priority 50, uuid df4c18cf
    drop;
"""
UNKNOWN = """26. ls_in_l2_unknown (northd.c:8382): outport == "none", priority 50, uuid 1
    drop;
"""
ANSWERED = """19. ls_in_arp_rsp (northd.c:8601): arp.tpa == 10.0.0.2 && arp.op == 1, priority 50, uuid 73cc7c4d
    output;

egress(dp="weft-n1", inport="p1", outport="p1")
---------------------------------------
 9. ls_out_apply_port_sec (northd.c:5777): 1, priority 0, uuid 0840a9e6
    output;
    /* output to "p1", type "" */
"""


@pytest.mark.parametrize(
    ("said", "verdict", "sentence"),
    [
        (IN + LOOKUP + LET_IN, "delivered", "on host h2"),
        (IN + LOOKUP + KEPT_OUT, "dropped", "lets it in"),
        (IN + KEPT_IN, "dropped", "lets it out"),
        (IN + FORGED, "dropped", "port security"),
        (IN + UNKNOWN, "dropped", "known to have fa:16:3e:00:00:02"),
        (IN + ANSWERED, "answered", "OVN itself answers"),
        ("", "dropped", "no such port"),
    ],
)
def test_what_ovn_does_is_said_in_a_word_and_a_sentence(said: str, verdict: str, sentence: str) -> None:
    answer = describe(KNOWN, PROBE, read(said, PORTS))
    assert answer["verdict"] == verdict
    assert sentence in str(answer["sentence"])


def test_the_rule_that_let_it_pass_is_named_and_every_stage_is_shown() -> None:
    answer = describe(KNOWN, PROBE, read(IN + LOOKUP + LET_IN, PORTS))
    hosts = answer["hosts"]
    assert answer["rules"] == ["r1"]
    assert isinstance(hosts, list)
    assert [host["host"] for host in hosts] == ["h1", "h2"]
    shown: list[Mapping[str, object]] = [step for host in hosts for step in host["steps"]]
    assert [step["table_id"] for step in shown] == [0, 25, 4, 9]
    assert (shown[2]["conntrack"], shown[2]["owner"], shown[2]["actions"]) == (
        "new|trk",
        "rule/r1/n1",
        "reg0[1] = 1; next",
    )


def test_of_many_copies_the_one_for_the_target_counts() -> None:
    other = 'egress(dp="weft-n1", inport="p1", outport="p3")\n' + LET_IN.replace('"p2"', '"p3"')
    for said in (IN + LOOKUP + KEPT_OUT + other, IN + other + LOOKUP + KEPT_OUT):
        assert "lets it in" in str(describe(KNOWN, PROBE, read(said, PORTS))["sentence"])


def test_names_of_which_only_the_first_digits_are_shown_are_known() -> None:
    ids = ["4ad08d00-0000-4000-8000-000000000001", "4ad08d00-0000-4000-8000-000000000002"]
    said = 'egress(dp="weft-n1", inport="7f", outport="4ad08d")\n' + LET_IN.replace('"p2"', '"4ad08d"')
    [section] = read(said, ids)
    assert (section.outport, section.outputs) == (ids[0], [ids[0]])
    [section] = read(said, [])
    assert section.outputs == ["4ad08d"]


def test_a_port_that_is_not_wired_sends_nothing() -> None:
    state = PortState(
        port_id=PortId("p1"),
        status=PortStatus.DOWN,
        reason=Reason.NOT_PLUGGED,
        host="h1",
        detail="no device",
        link_state=None,
    )
    known = Known(ports=KNOWN.ports, states={"p1": state}, acls={})
    why = not_sent(known, PROBE)
    assert why is not None
    assert "NOT_PLUGGED, no device" in str(nowhere(known, PROBE, why)["sentence"])
    assert not_sent(KNOWN, PROBE) is None


def test_a_guarded_port_without_an_ipv4_address_sends_no_arp() -> None:
    asks = {fields.ETH_TYPE: fields.ETH_TYPE_ARP, fields.ARP_OP: fields.ARP_REQUEST}
    only_six = a_port(1, "2001:db8::1", host="h1")
    assert "none of IPv4" in str(not_sent(KNOWN, replace(PROBE, source=only_six, packet=asks)))
    assert not_sent(KNOWN, replace(PROBE, packet=asks)) is None
    assert not_sent(KNOWN, replace(PROBE, source=replace(only_six, port_security_enabled=False), packet=asks)) is None


def test_a_packet_is_said_in_ovns_words() -> None:
    assert microflow("p1", PACKET) == (
        'inport == "p1" && eth.src == fa:16:3e:00:00:01 && eth.dst == fa:16:3e:00:00:02 && ip4.src == 10.0.0.1 && '
        "ip4.dst == 10.0.0.2 && udp.src == 50000 && udp.dst == 53 && ip.ttl == 64"
    )
    asks = {fields.ETH_TYPE: fields.ETH_TYPE_IPV6, fields.ICMP6_TYPE: 135, fields.ND_TARGET: 1}
    assert microflow("p1", asks) == (
        'inport == "p1" && icmp6.type == 135 && nd.target == ::1 && ip.ttl == 255 && icmp6.code == 0'
    )
