"""Neutron's rules as the compiler takes them: numbers, families, merging, and what is left out."""

from typing import Any

import pytest

from controller.reconcile.rules import condition_of, is_narrower, rule_intents, ruleset_of
from controller.records import SecurityGroupRule
from flows.intent import DENY_ALL, NO_RULES, Prefix, RuleIntent
from tests.unit.controller.reconcile.builders import a_group, a_port, a_rule

TEN = Prefix(4, 0x0A000000, 8)


def translated(*rules: SecurityGroupRule) -> tuple[RuleIntent, ...]:
    return rule_intents([a_group(16, *rules)], "ingress", _group_of)


def _group_of(rule: SecurityGroupRule) -> int | None:
    known = {"g17": 17, "a50": 1 << 31 | 50}
    return known.get(rule.remote_group_id or rule.remote_address_group_id or "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (4, None, None, None, None, None)),
        ({"protocol": "any"}, (4, None, None, None, None, None)),
        ({"protocol": "0"}, (4, None, None, None, None, None)),
        ({"protocol": "tcp"}, (4, 6, None, None, None, None)),
        ({"protocol": "TCP"}, (4, 6, None, None, None, None)),
        ({"protocol": "6", "port_range_min": 80, "port_range_max": 80}, (4, 6, 80, 80, None, None)),
        ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65535}, (4, 17, None, None, None, None)),
        ({"protocol": "udp", "port_range_min": 2, "port_range_max": 65535}, (4, 17, 2, 65535, None, None)),
        ({"protocol": "sctp", "port_range_min": 5, "port_range_max": 9}, (4, 132, 5, 9, None, None)),
        ({"protocol": "vrrp"}, (4, 112, None, None, None, None)),
        ({"protocol": "254"}, (4, 254, None, None, None, None)),
        ({"protocol": "icmp"}, (4, 1, None, None, None, None)),
        ({"protocol": "icmp", "port_range_min": 8}, (4, 1, 8, None, None, None)),
        ({"protocol": "icmp", "port_range_min": 3, "port_range_max": 4}, (4, 1, 3, 4, None, None)),
        ({"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}, (4, 1, 0, 0, None, None)),
        ({"ethertype": "IPv6", "protocol": "icmp", "port_range_min": 128}, (6, 58, 128, None, None, None)),
        ({"ethertype": "IPv6", "protocol": "1"}, (6, 58, None, None, None, None)),
        ({"ethertype": "IPv6", "protocol": "icmpv6"}, (6, 58, None, None, None, None)),
        ({"ethertype": "IPv6", "protocol": "ipv6-icmp"}, (6, 58, None, None, None, None)),
        ({"protocol": "udplite", "port_range_min": 1, "port_range_max": 65535}, (4, 136, None, None, None, None)),
        ({"remote_ip_prefix": "10.1.2.3/8"}, (4, None, None, None, TEN, None)),
        ({"remote_ip_prefix": "0.0.0.0/0"}, (4, None, None, None, None, None)),
        ({"ethertype": "IPv6", "remote_ip_prefix": "::/0"}, (6, None, None, None, None, None)),
        ({"remote_group_id": "g17"}, (4, None, None, None, None, 17)),
        ({"remote_address_group_id": "a50"}, (4, None, None, None, None, 1 << 31 | 50)),
    ],
)
def test_a_rule_says_what_a_packet_must_look_like(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Neutron API reference, security group rules."""
    [rule] = translated(a_rule(**given))
    assert condition_of(rule) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"protocol": "icmpv6"},
        {"protocol": "58"},
        {"remote_ip_prefix": "fd00::/8"},
        {"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"},
        {"remote_group_id": "nobody"},
        {"remote_address_group_id": "nobody"},
        {"protocol": "dccp", "port_range_min": 5, "port_range_max": 5},
        {"port_range_min": 5, "port_range_max": 5},
        {"direction": "egress"},
    ],
)
def test_a_rule_no_packet_can_meet_or_no_flow_can_tell_allows_nothing(given: dict[str, Any]) -> None:
    assert translated(a_rule(**given)) == ()


def test_one_condition_is_one_rule_that_names_all_who_ask_for_it() -> None:
    rules = [a_rule("r2", protocol="tcp"), a_rule("r1", protocol="6"), a_rule("r3", protocol="udp")]
    tcp, udp = translated(*rules)
    assert (tcp.protocol, tcp.why) == (6, "security group rules r1, r2")
    assert (udp.protocol, udp.why) == (17, "security group rule r3")


def test_the_order_of_rules_and_groups_does_not_matter() -> None:
    rules = [
        a_rule("r1", protocol="tcp", port_range_min=80, port_range_max=80),
        a_rule("r2", protocol="tcp"),
        a_rule("r3", remote_ip_prefix="10.0.0.0/8"),
        a_rule("r4", ethertype="IPv6"),
        a_rule("r5", remote_group_id="g17"),
        a_rule("r6"),
    ]
    assert translated(*rules) == translated(*reversed(rules))
    parts = [a_group(16, *rules[:3]), a_group(17, *rules[3:])]
    assert rule_intents(parts, "ingress", _group_of) == translated(*rules)
    assert rule_intents(reversed(parts), "ingress", _group_of) == translated(*rules)


WEB = {"protocol": "tcp", "port_range_min": 80, "port_range_max": 89}
PING = {"protocol": "icmp", "port_range_min": 8}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([WEB], [WEB], False),
        ([WEB], [], True),
        ([], [WEB], False),
        ([WEB], [{"protocol": "tcp"}], False),
        ([WEB], [{}], False),
        ([{}], [WEB], True),
        ([WEB], [WEB | {"port_range_min": 79}], False),
        ([WEB], [WEB | {"port_range_max": 88}], True),
        ([WEB], [WEB | {"protocol": "udp"}], True),
        ([{"remote_ip_prefix": "10.1.0.0/16"}], [{"remote_ip_prefix": "10.0.0.0/8"}], False),
        ([{"remote_ip_prefix": "10.0.0.0/8"}], [{"remote_ip_prefix": "10.1.0.0/16"}], True),
        ([{}], [{"remote_ip_prefix": "10.1.0.0/16"}], True),
        ([{"remote_group_id": "g17"}], [{}], False),
        ([{}], [{"remote_group_id": "g17"}], True),
        ([{"remote_group_id": "g17"}], [{"remote_address_group_id": "a50"}], True),
        ([PING | {"port_range_max": 0}], [{"protocol": "icmp"}], False),
        ([PING | {"port_range_max": 0}], [PING], False),
        ([PING], [PING | {"port_range_max": 0}], True),
        ([{"protocol": "icmp"}], [PING], True),
        ([{"ethertype": "IPv6"}], [{}], True),
    ],
)
def test_rules_are_narrower_when_something_allowed_is_allowed_no_more(
    old: list[dict[str, Any]], new: list[dict[str, Any]], *, expected: bool
) -> None:
    before, after = (translated(*(a_rule(f"r{n}", **one) for n, one in enumerate(rules))) for rules in (old, new))
    assert is_narrower(after, before) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"groups": ["g16"]}, 16),
        ({"groups": ["g16", "g17"], "ruleset": 40}, 40),
        ({}, DENY_ALL),
        ({"groups": ["g16"], "port_security_enabled": False}, NO_RULES),
        ({"groups": ["g16"], "device_owner": "network:dhcp"}, NO_RULES),
        ({"groups": ["g16"], "device_owner": "compute:network:"}, 16),
    ],
)
def test_a_port_has_the_rules_of_its_groups_unless_nobody_guards_it(given: dict[str, Any], expected: int) -> None:
    assert ruleset_of(a_port(**given)) == expected
