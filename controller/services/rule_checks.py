"""Is a security group rule sound, what is its canonical form, and which other rule says the same?

Holds for the rules of groups and for the template of new groups alike (Neutron API reference, security group rules;
the order of the checks is Neutron 29's, so that a rule with several faults gets the same answer). Nothing here looks
at what is stored.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from controller.security_errors import (
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupMultipleRemoteEntites,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleParameterConflict,
)

PROTOCOLS: Final[Mapping[str, int]] = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""Names Neutron takes, with their numbers (IANA, protocol numbers)."""
WITH_PORTS: Final = ("dccp", "sctp", "tcp", "udp", "udplite")
IPV6, IPV6_ICMP = "IPv6", "ipv6-icmp"
ICMP_NUMBER, IPV6_ICMP_NUMBER = 1, 58
FIRST_PORT, LAST_PORT = 1, 65_535
LAST_ICMP_VALUE = 255
REMOTES: Final = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
CLAUSE: Final = (
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    *REMOTES,
)
"""What a rule matches by."""

_PORT_NUMBERS = frozenset(PROTOCOLS[name] for name in WITH_PORTS)
_ICMP_NUMBERS = frozenset({ICMP_NUMBER, IPV6_ICMP_NUMBER})
_ONLY_IPV6 = frozenset(
    {name for name in PROTOCOLS if name.startswith("ipv6-")}
    | {str(number) for name, number in PROTOCOLS.items() if name.startswith("ipv6-")}
    | {"icmpv6"}
)
_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def clause(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a wanted rule matches by, in canonical form.

    Raises:
        SecurityGroupInvalidPortRange, SecurityGroupInvalidPortValue, SecurityGroupInvalidProtocolForPort,
        SecurityGroupInvalidIcmpValue, SecurityGroupMissingIcmpType, SecurityGroupProtocolRequiredWithPorts,
        SecurityGroupRuleParameterConflict, SecurityGroupEthertypeConflictWithProtocol,
        SecurityGroupMultipleRemoteEntites
    """
    values = {name: wanted[name] for name in CLAUSE}
    values["protocol"] = _protocol(wanted["protocol"], wanted["ethertype"])
    if (values["port_range_min"], values["port_range_max"]) == (FIRST_PORT, LAST_PORT):
        values["port_range_min"] = values["port_range_max"] = None
    _check_ports(values["protocol"], values["port_range_min"], values["port_range_max"])
    prefix = values["remote_ip_prefix"]
    if prefix is not None and f"IPv{ipaddress.ip_interface(prefix).version}" != values["ethertype"]:
        raise SecurityGroupRuleParameterConflict(values["ethertype"], prefix)
    if values["ethertype"] != IPV6 and values["protocol"] in _ONLY_IPV6:
        raise SecurityGroupEthertypeConflictWithProtocol(values["ethertype"], values["protocol"])
    if sum(values[name] is not None for name in REMOTES) > 1:
        raise SecurityGroupMultipleRemoteEntites
    return values


def normalized_cidr(prefix: str | None) -> str | None:
    """Return a prefix without its host bits (Neutron extension security-groups-normalized-cidr)."""
    return None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))


def likeness(values: Mapping[str, Any]) -> tuple[object, ...]:
    """Return a value that is equal for clauses that say the same: a protocol by name or number, any address or none."""
    protocol = values["protocol"]
    prefix = values["remote_ip_prefix"]
    return (
        values["direction"],
        values["ethertype"],
        None if protocol is None else _number(protocol),
        values["port_range_min"],
        values["port_range_max"],
        values["remote_group_id"],
        values["remote_address_group_id"],
        None if prefix in _EVERYWHERE else prefix,
    )


def _protocol(protocol: str | None, ethertype: str) -> str | None:
    """Return a protocol as it is stored; in IPv6, ICMP means ICMPv6 and says so."""
    if ethertype == IPV6:
        if protocol in {"icmp", "icmpv6"}:
            return IPV6_ICMP
        if protocol == str(ICMP_NUMBER):
            return str(IPV6_ICMP_NUMBER)
    return protocol


def _number(protocol: str) -> int:
    return PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)


def _check_ports(protocol: str | None, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    if protocol is None:
        raise SecurityGroupProtocolRequiredWithPorts
    number = _number(protocol)
    if number in _PORT_NUMBERS:
        if 0 in {low, high}:
            raise SecurityGroupInvalidPortValue(0)
        if low is None or high is None or low > high:
            raise SecurityGroupInvalidPortRange
    elif number in _ICMP_NUMBERS:
        for field, attribute, value in (("type", "port_range_min", low), ("code", "port_range_max", high)):
            if value is not None and value > LAST_ICMP_VALUE:
                raise SecurityGroupInvalidIcmpValue(field, attribute, value)
        if low is None and high is not None:
            raise SecurityGroupMissingIcmpType(high)
    else:
        raise SecurityGroupInvalidProtocolForPort(number, [name.upper() for name in WITH_PORTS])
