"""Are Neutron's rules for security group rules kept, and are rules that say the same known as such?"""

from typing import Any

import pytest

from controller.errors import WeftError
from controller.services.rule_checks import clause, likeness, normalized_cidr
from tests.unit.controller.store.builders import RULE


def a_clause(**wanted: Any) -> dict[str, Any]:
    return clause(RULE | wanted)


@pytest.mark.parametrize(
    ("wanted", "error", "sentence"),
    [
        (
            {"port_range_min": 80, "port_range_max": 80},
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        ),
        (
            {"protocol": "tcp", "port_range_min": 90, "port_range_max": 80},
            "SecurityGroupInvalidPortRange",
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            {"protocol": "17", "port_range_min": 90},
            "SecurityGroupInvalidPortRange",
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            {"protocol": "udp", "port_range_min": 0, "port_range_max": 80},
            "SecurityGroupInvalidPortValue",
            "Invalid value for port 0",
        ),
        (
            {"protocol": "gre", "port_range_min": 1, "port_range_max": 2},
            "SecurityGroupInvalidProtocolForPort",
            "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
        ),
        (
            {"protocol": "icmp", "port_range_min": 256},
            "SecurityGroupInvalidIcmpValue",
            "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.",
        ),
        (
            {"protocol": "1", "port_range_min": 8, "port_range_max": 300},
            "SecurityGroupInvalidIcmpValue",
            "Invalid value for ICMP code (port_range_max) 300. It must be 0 to 255.",
        ),
        (
            {"protocol": "icmp", "port_range_max": 0},
            "SecurityGroupMissingIcmpType",
            "ICMP code (port-range-max) 0 is provided but ICMP type (port-range-min) is missing.",
        ),
        (
            {"remote_ip_prefix": "2001:db8::/32"},
            "SecurityGroupRuleParameterConflict",
            "Conflicting value ethertype IPv4 for CIDR 2001:db8::/32",
        ),
        (
            {"ethertype": "IPv6", "remote_ip_prefix": "0.0.0.0/0"},
            "SecurityGroupRuleParameterConflict",
            "Conflicting value ethertype IPv6 for CIDR 0.0.0.0/0",
        ),
        *(
            (
                {"protocol": protocol},
                "SecurityGroupEthertypeConflictWithProtocol",
                f"Invalid ethertype IPv4 for protocol {protocol}.",
            )
            for protocol in ("icmpv6", "ipv6-icmp", "58", "ipv6-encap", "41", "ipv6-frag", "44", "ipv6-opts", "60")
        ),
        (
            {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "x"},
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        ),
        (
            {"remote_address_group_id": "y", "remote_group_id": "x"},
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        ),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused_in_neutron_s_words(
    wanted: dict[str, Any], error: str, sentence: str
) -> None:
    with pytest.raises(WeftError) as refused:
        a_clause(**wanted)
    assert (error, sentence) == (refused.value.neutron_type, str(refused.value))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"protocol": "tcp", "port_range_min": 1, "port_range_max": 1},
        {"protocol": "132", "port_range_min": 80, "port_range_max": 65535},
        {"protocol": "icmp", "port_range_min": 8},
        {"protocol": "icmp", "port_range_min": 0, "port_range_max": 0},
        {"protocol": "0"},
        {"protocol": "255"},
        {"protocol": "vrrp", "remote_ip_prefix": "10.0.0.7/24"},
        {"ethertype": "IPv6", "protocol": "ipv6-icmp", "port_range_min": 128, "port_range_max": 0},
        {"direction": "egress", "remote_group_id": "x"},
    ],
)
def test_a_sound_rule_is_kept_as_it_was_given(wanted: dict[str, Any]) -> None:
    assert {name: (RULE | wanted)[name] for name in a_clause()} == a_clause(**wanted)


@pytest.mark.parametrize(("given", "kept"), [("icmp", "ipv6-icmp"), ("icmpv6", "ipv6-icmp"), ("1", "58"), ("6", "6")])
def test_icmp_in_ipv6_is_icmpv6(given: str, kept: str) -> None:
    assert a_clause(ethertype="IPv6", protocol=given)["protocol"] == kept


def test_all_ports_are_no_range() -> None:
    values = a_clause(protocol="tcp", port_range_min=1, port_range_max=65535)
    assert (values["port_range_min"], values["port_range_max"]) == (None, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"protocol": "tcp"}, {"protocol": "6"}),
        ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "58", "ethertype": "IPv6"}),
        ({"remote_ip_prefix": "0.0.0.0/0"}, {}),
        ({"remote_ip_prefix": "::/0", "ethertype": "IPv6"}, {"ethertype": "IPv6"}),
        ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65535}, {"protocol": "udp"}),
    ],
)
def test_rules_that_say_the_same_are_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert likeness(a_clause(**one)) == likeness(a_clause(**other))


@pytest.mark.parametrize(
    "other",
    [
        {"direction": "egress"},
        {"ethertype": "IPv6"},
        {"protocol": "udp"},
        {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80},
        {"remote_ip_prefix": "10.0.0.0/8"},
        {"remote_group_id": "x"},
        {"remote_address_group_id": "x"},
    ],
)
def test_rules_that_differ_anywhere_are_not_alike(other: dict[str, Any]) -> None:
    assert likeness(a_clause()) != likeness(a_clause(**other))


def test_a_normalized_prefix_has_no_host_bits() -> None:
    assert [normalized_cidr(prefix) for prefix in ("10.0.0.7/8", "2001:db8::1/32", None)] == [
        "10.0.0.0/8",
        "2001:db8::/32",
        None,
    ]
