"""Does a rule let through what it says, in OVN's words, and never more?"""

from typing import Any

import pytest

from controller.plugins.ovn.acls import drop_rows, group_rows, match_of
from tests.unit.controller.reconcile.builders import a_group, a_rule

KNOWN: dict[str, object] = {"g17": object(), "a50": object()}


def match(**rule: Any) -> str | None:
    return match_of(a_rule(**rule), "n1", KNOWN)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, "outport == @weft_g16_n1 && ip4"),
        ({"ethertype": "IPv6", "direction": "egress"}, "inport == @weft_g16_n1 && ip6"),
        (
            {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
            "outport == @weft_g16_n1 && ip4 && tcp.dst == 22",
        ),
        (
            {"protocol": "udp", "port_range_min": 10, "port_range_max": 20},
            "outport == @weft_g16_n1 && ip4 && udp.dst >= 10 && udp.dst <= 20",
        ),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, "outport == @weft_g16_n1 && ip4 && tcp"),
        ({"protocol": "112"}, "outport == @weft_g16_n1 && ip4 && ip.proto == 112"),
        ({"protocol": "icmp"}, "outport == @weft_g16_n1 && ip4 && icmp4"),
        (
            {"protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
            "outport == @weft_g16_n1 && ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0",
        ),
        (
            {"protocol": "icmp", "ethertype": "IPv6", "port_range_min": 128},
            "outport == @weft_g16_n1 && ip6 && icmp6 && icmp6.type == 128",
        ),
        ({"remote_ip_prefix": "192.0.2.7/24"}, "outport == @weft_g16_n1 && ip4 && ip4.src == 192.0.2.0/24"),
        ({"remote_ip_prefix": "0.0.0.0/0"}, "outport == @weft_g16_n1 && ip4"),
        (
            {"direction": "egress", "remote_ip_prefix": "192.0.2.0/24"},
            "inport == @weft_g16_n1 && ip4 && ip4.dst == 192.0.2.0/24",
        ),
        ({"remote_group_id": "g17"}, "outport == @weft_g16_n1 && ip4 && ip4.src == $weft_sg_g17_n1_v4"),
        ({"remote_address_group_id": "a50"}, "outport == @weft_g16_n1 && ip4 && ip4.src == $weft_ag_a50_v4"),
    ],
)
def test_a_rule_is_said_in_ovns_words(rule: dict[str, Any], expected: str) -> None:
    assert match(**rule) == expected


@pytest.mark.parametrize(
    "rule",
    [
        {"protocol": "dccp", "port_range_min": 1, "port_range_max": 9},
        {"protocol": "icmpv6"},
        {"remote_ip_prefix": "2001:db8::/64"},
        {"remote_group_id": "gone"},
        {"remote_address_group_id": "gone"},
    ],
)
def test_a_rule_that_no_packet_may_meet_is_left_out(rule: dict[str, Any]) -> None:
    assert match(**rule) is None


@pytest.mark.parametrize(("stateful", "action"), [(True, "allow-related"), (False, "allow-stateless")])
def test_answers_pass_where_the_group_is_stateful(stateful: bool, action: str) -> None:
    _, acl = group_rows(a_group(16, a_rule(), stateful=stateful), network_id="n1", known={})
    assert acl.columns["action"] == action


def test_what_no_rule_allows_is_dropped_and_a_guest_may_ask_for_its_address() -> None:
    said = {
        (row.columns.get("priority"), row.columns.get("action"), row.columns.get("match")) for row in drop_rows("d")
    }
    assert (1001, "drop", "inport == @d && ip") in said
    assert (1001, "drop", "outport == @d && ip") in said
    assert (1003, "allow", "inport == @d && ip4 && udp.src == 68 && udp.dst == 67") in said
    assert (1003, "drop", "inport == @d && ip4 && udp.src == 67 && udp.dst == 68") in said
