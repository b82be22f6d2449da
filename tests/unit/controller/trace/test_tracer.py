"""What an engineer is told of a packet: the verdict, the way, and for a drop what decided, in a sentence."""

from dataclasses import replace
from typing import Any

import pytest

from controller.errors import InvalidInput, PortNotFound, SwitchUnavailable
from controller.records import PortId, PortState, PortStatus, Reason
from flows.cookie import Feature, decode
from flows.fields import ETH_TYPE
from flows.flow import Flow, Output, canonical_match
from flows.pipeline import L2_LOOKUP
from tests.unit.controller.trace.desk import OPEN_RULE, OUT_RULES, Desk, a_desk, dumped


@pytest.fixture
def desk() -> Desk:
    return a_desk()


def tables(host: dict[str, Any]) -> list[str]:
    return [step["table"] for step in host["steps"]]


def test_a_packet_on_one_host_is_followed_through_the_rules_of_both_ends(desk: Desk) -> None:
    found = desk.trace("web-1", "web-2")
    assert found["verdict"] == "delivered"
    assert found["sentence"] == "delivered: it reaches port web-2 (p2) on host h1"
    assert found["rules"] == [OPEN_RULE, OUT_RULES[0]]
    [host] = found["hosts"]
    assert (host["host"], host["entered"]) == ("h1", "from port web-1 (p1)")
    assert tables(host)[0] == "classify"
    assert tables(host)[-1] == "output"
    assert {"from_rules", "l2_lookup", "to_rules"} <= set(tables(host))
    [rule] = [step for step in host["steps"] if step["table"] == "to_rules"]
    assert rule["rules"] == [OPEN_RULE]
    assert rule["owner"] == "security group g16"
    assert rule["conntrack"] == "ct_state=+new+trk"
    assert [end["text"] for end in host["ends"]] == ["port web-2 (p2) on host h1"]


def test_a_packet_goes_through_the_tunnel_into_the_tables_of_the_next_host(desk: Desk) -> None:
    found = desk.trace("p1", "web-3")
    assert found["sentence"] == "delivered: it reaches port web-3 (p3) on host h2, through the tunnel from host h1"
    first, second = found["hosts"]
    assert [end["text"] for end in first["ends"]] == ["through the tunnel to host h2, VNI 101"]
    assert second["entered"] == "through the tunnel from host h1, VNI 101"
    assert tables(second)[:4] == ["classify", "tunnel", "sender", "l2_lookup"]


def test_a_rule_for_members_names_rule_and_membership(desk: Desk) -> None:
    found = desk.trace("web-1", "web-2", protocol="tcp", port=80)
    assert found["verdict"] == "delivered"
    [step] = [step for step in found["hosts"][0]["steps"] if step["table"] == "to_rules"]
    assert step["rules"] == ["55555555-5555-5555-5555-555555555555"]
    assert "the far end is a member" in step["why"]


def test_what_no_rule_allows_says_whose_rules_and_which_groups(desk: Desk) -> None:
    found = desk.trace("web-1", "web-2", protocol="tcp", port=81)
    assert (found["verdict"], found["sentence"]) == (
        "dropped",
        "dropped: no ingress rule of port web-2 (p2) allows tcp from 10.0.0.11 to 10.0.0.12, port 50000 to 81; "
        "its security groups: g16",
    )
    assert desk.trace("web-1", "closed")["sentence"] == (
        "dropped on host h2: port closed (p5) has port security and no security group: nothing is allowed"
    )


def test_an_answer_passes_where_a_question_would_not(desk: Desk) -> None:
    assert desk.trace("web-1", "web-2", protocol="udp", port=9)["verdict"] == "dropped"
    reply = desk.trace("web-1", "web-2", protocol="udp", port=9, state="reply")
    assert (reply["verdict"], reply["packet"]) == (
        "delivered",
        "udp from 10.0.0.11 to 10.0.0.12, port 9 to 50000",
    )


def test_an_established_connection_that_lost_its_rule_is_stopped(desk: Desk) -> None:
    found = desk.trace("web-1", "web-2", protocol="udp", port=9, state="established")
    assert "no rule allows the connection any longer" in found["sentence"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"source_ip": "10.0.0.99"},
            "dropped: port security: 10.0.0.99 with MAC address fa:16:3e:00:00:01 is no address of port web-1 (p1), "
            "which has 10.0.0.11, fd00::11 with fa:16:3e:00:00:01",
        ),
        (
            {"source_mac": "fa:16:3e:00:00:99"},
            "dropped: port security: 10.0.0.11 with MAC address fa:16:3e:00:00:99 is no address of port web-1 (p1), "
            "which has 10.0.0.11, fd00::11 with fa:16:3e:00:00:01",
        ),
    ],
)
def test_a_forged_sender_is_named_beside_the_true_one(desk: Desk, given: dict[str, Any], sentence: str) -> None:
    assert desk.trace("web-1", "web-2", **given)["sentence"] == sentence


def test_networks_are_not_connected(desk: Desk) -> None:
    assert desk.trace("web-1", "blue-1")["sentence"] == (
        "dropped: port blue-1 (p4) is in network blue (n2), port web-1 (p1) in network red (n1): nothing connects them"
    )


def test_an_address_is_looked_up_in_the_sender_s_network(desk: Desk) -> None:
    found = desk.trace("web-1", "10.0.0.12")
    assert found["to"]["port_id"] == "p2"
    assert desk.trace("web-1", "fd00::12")["packet"] == "icmp echo request from fd00::11 to fd00::12"
    nobody = desk.trace("blue-1", "10.0.0.13")
    assert nobody["to"] == {"address": "10.0.0.13"}
    assert nobody["verdict"] == "dropped"
    assert "no port is a gateway" in nobody["notes"][0]


def test_a_foreign_address_is_sent_to_the_gateway_where_a_port_is_one(desk: Desk) -> None:
    gateway = replace(desk.model.ports[PortId("p2")], allowed_address_pairs=())
    fixed = replace(gateway.fixed_ips[0], ip_address="10.0.0.1")
    desk.cloud.put(replace(gateway, fixed_ips=(fixed,), port_security_enabled=False))
    found = desk.trace("web-1", "192.0.2.1")
    assert found["sentence"] == "delivered: it reaches port web-2 (p2) on host h1"
    assert found["notes"] == ["192.0.2.1 is no port's: sent to the gateway 10.0.0.1"]


def test_an_address_that_several_ports_may_use_reaches_them_all(desk: Desk) -> None:
    """VRRP: one virtual address and MAC on a pair of routers (RFC 9568 section 7.3)."""
    virtual = (("00:00:5e:00:01:01", "10.0.0.200"),)
    for port_id in ("p2", "p3"):
        desk.cloud.put(replace(desk.model.ports[PortId(port_id)], allowed_address_pairs=virtual))
    found = desk.trace("web-1", "10.0.0.200")
    assert found["notes"] == ["10.0.0.200 is an address that 2 ports may use"]
    assert found["sentence"] == (
        "delivered: it reaches port web-2 (p2) on host h1; port web-3 (p3) on host h2, through the tunnel from host h1"
    )
    desk.cloud.put(replace(desk.model.ports[PortId("p3")], allowed_address_pairs=()))
    assert desk.trace("web-1", "10.0.0.200")["to"]["port_id"] == "p2"


@pytest.mark.parametrize(("target", "version"), [("web-3", 4), ("fd00::12", 6)])
def test_the_network_answers_who_has_an_address(desk: Desk, target: str, version: int) -> None:
    found = desk.trace("web-1", target, protocol="arp")
    assert found["verdict"] == "answered"
    assert "the network itself says" in found["sentence"]
    assert found["packet"].startswith("ARP question" if version == 4 else "neighbour solicitation")


def test_a_dhcp_request_goes_to_the_controller(desk: Desk) -> None:
    found = desk.trace("web-1", "255.255.255.255", protocol="udp", port=67)
    assert (found["verdict"], found["packet"]) == (
        "controller",
        "udp from 10.0.0.11 to 255.255.255.255, port 68 to 67",
    )


def test_a_broadcast_reaches_the_members_that_allow_it(desk: Desk) -> None:
    found = desk.trace("web-1", "10.0.0.255")
    assert found["verdict"] == "delivered"
    assert "port web-2 (p2) on host h1" in found["sentence"]
    assert "port web-3 (p3) on host h2" in found["sentence"]
    assert "closed" not in found["sentence"]
    assert "blue" not in found["sentence"]


@pytest.mark.parametrize("which", ["p1", "p2"])
def test_a_port_that_is_down_is_why(desk: Desk, which: str) -> None:
    port = desk.model.ports[PortId(which)]
    desk.cloud.put(replace(port, admin_state_up=False))
    assert desk.trace("p1", "p2")["sentence"].endswith(f"port {port.name} ({which}) is administratively down")


def test_a_network_that_is_down_is_why(desk: Desk) -> None:
    desk.cloud.put(replace(desk.model.networks[desk.model.ports[PortId("p1")].network_id], admin_state_up=False))
    assert desk.trace("p1", "p2")["sentence"] == "dropped: network red (n1) is administratively down"


def test_a_port_on_no_host_sends_and_gets_nothing(desk: Desk) -> None:
    found = desk.trace("unbound", "web-1")
    assert (found["sentence"], found["hosts"]) == ("dropped: port unbound (p6) is bound to no host", [])
    assert desk.trace("web-1", "unbound")["sentence"] == (
        "dropped: nobody has its MAC address: port unbound (p6) is bound to no host"
    )


def test_a_receiver_without_a_device_is_noted(desk: Desk) -> None:
    state = PortState(
        port_id=PortId("p2"),
        status=PortStatus.DOWN,
        reason=Reason.NOT_PLUGGED,
        host="h1",
        detail="no device",
        link_state=None,
    )
    desk.port_states = {PortId("p2"): state}
    assert desk.trace("web-1", "web-2")["notes"] == ["the receiver is DOWN: NOT_PLUGGED, no device"]


def test_a_port_talks_to_itself_in_vain(desk: Desk) -> None:
    assert "no frame goes back there" in desk.trace("web-1", "web-1")["sentence"]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"from": "nobody", "to": "web-1"}, PortNotFound, "nobody"),
        ({"from": "web-1", "to": "nobody"}, PortNotFound, "nobody"),
        ({"from": "", "to": "web-1"}, PortNotFound, "Port"),
        ({"from": "twin", "to": "web-1"}, InvalidInput, "2 ports are called 'twin'"),
        ({"from": "web-1", "to": "web-2", "protocol": "tcp"}, InvalidInput, "tcp needs a port"),
        ({"from": "web-1", "to": "web-2", "port": 5}, InvalidInput, "icmp has no ports"),
        ({"from": "web-1", "to": "web-2", "protocol": "gre"}, InvalidInput, "gre"),
        ({"from": "web-1", "to": "web-2", "source_ip": "x"}, InvalidInput, "x"),
        ({"from": "web-1", "to": "web-2", "source_mac": "x"}, InvalidInput, "x"),
        ({"from": "web-3", "to": "fd00::12"}, InvalidInput, "source_ip"),
        ({"from": "web-1", "to": "p7"}, InvalidInput, "source_ip, or another target"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    desk: Desk, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        desk.tracer.trace(given)


# live -----------------------------------------------------------------------------------------------------------------


def test_a_live_trace_says_what_one_over_the_intent_says_when_nothing_drifted(desk: Desk) -> None:
    for target in ("web-2", "web-3", "closed"):
        live, desired = desk.trace("web-1", target, live=True), desk.trace("web-1", target)
        assert (live.pop("source"), desired.pop("source")) == ("switches", "intent")
        assert live == desired


def test_a_flow_that_is_missing_in_the_switch_drops_live_only(desk: Desk) -> None:
    desk.switches[1].lost = lambda flow: flow.table == L2_LOOKUP.id
    assert desk.trace("web-1", "web-2")["verdict"] == "delivered"
    assert desk.trace("web-1", "web-2", live=True)["verdict"] == "dropped"


def a_foreign_flow(*, cookie: int, ofport: int | None = None) -> Flow:
    return Flow(
        table=0,
        priority=60_000,
        match=canonical_match([ETH_TYPE.eq(0x0800)]),
        actions=() if ofport is None else (Output(ofport),),
        goto=None,
        meter=None,
        cookie=cookie,
        why="",
    )


def test_a_foreign_flow_is_met_live(desk: Desk) -> None:
    switch = desk.switches[1]
    switch.added = [dumped(switch.encoder, a_foreign_flow(cookie=5))]
    found = desk.trace("web-1", "web-2", live=True)
    assert found["verdict"] == "dropped"
    [step] = found["hosts"][0]["steps"]
    assert (step["owner"], step["why"].partition(":")[0]) == ("foreign", "not made by Weft")
    switch.added = [dumped(switch.encoder, a_foreign_flow(cookie=5, ofport=99))]
    assert desk.trace("web-1", "web-2", live=True)["verdict"] == "dropped"


def test_a_foreign_flow_that_cannot_be_read_is_said_to_be_there(desk: Desk) -> None:
    switch = desk.switches[1]
    # nothing but garbage where its instructions should be
    switch.added = [
        replace(dumped(switch.encoder, a_foreign_flow(cookie=5)), instruction_bytes=b"\xff\xff\0\x08\0\0\0\0")
    ]
    found = desk.trace("web-1", "web-2", live=True)
    assert found["verdict"] == "delivered"
    assert found["notes"] == ["host h1 has flows that Weft did not make and cannot read: they were not looked at"]


def test_flows_left_over_from_a_deleted_port_are_read_as_they_are(desk: Desk) -> None:
    """Every action Weft writes can be read back: what stays in the switch is walked like what should be there."""
    before = {h: dict(b.state.tables().flows) for h, b in desk.cloud.bridges.items()}
    gone = desk.model.ports[PortId("p2")]
    desk.cloud.remove(gone)
    assert desk.trace("web-1", "10.0.0.12")["verdict"] == "dropped"
    switch = desk.switches[1]
    left = [
        flow for key, flow in before[desk.cloud.hosts[0].name].items() if key not in switch.bridge.state.tables().flows
    ]
    switch.added = [dumped(switch.encoder, flow) for flow in left]
    found = desk.trace("web-1", "10.0.0.12", live=True)
    assert "left over" not in found["sentence"]
    assert not found["notes"][1:]
    features = {owner.feature for flow in left if (owner := decode(flow.cookie)) is not None}
    assert {Feature.PORT_ADMISSION, Feature.LOCAL_DELIVERY, Feature.ADDRESS} <= features


def test_a_switch_that_is_not_connected_cannot_be_read(desk: Desk) -> None:
    desk.switches[2].connected = False
    assert desk.trace("web-1", "web-2", live=True)["verdict"] == "delivered"
    with pytest.raises(SwitchUnavailable, match="host h2"):
        desk.trace("web-1", "web-3", live=True)
