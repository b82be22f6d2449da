"""What does a security group mean to OVN? A port group for its members in a network, an ACL for each of its rules.

Rules only allow; one that no packet can meet, or that OVN cannot tell apart, is left out: it must never allow more than
it says. What no rule allows is dropped by the ACLs of one port group that every guarded port is in (ovn-nb(5), ACL).
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network

from controller.plugins.ovn.names import address_set_name, members_name, port_group_name
from controller.plugins.ovn.rows import Member, Row, RowKey
from controller.records import AddressGroup, Port, SecurityGroup, SecurityGroupRule
from controller.services.rule_checks import PROTOCOLS

ANY_PROTOCOL = frozenset({"any", "ip", "0"})
"""All of IP (Neutron API reference, security group rules, protocol)."""
ICMP, ICMPV6 = 1, 58
PORTS_OF = {6: "tcp", 17: "udp", 132: "sctp"}
"""Protocols whose ports OVN matches (ovn-sb(5), Logical_Flow:match)."""
ALLOW, DROP, NEVER = 1002, 1001, 1003
"""Priorities: what a rule allows, what none does, and what a guest may not do whatever the rules say."""
FIRST_PORT, LAST_PORT = 1, 65_535
DHCP_SERVER, DHCP_CLIENT, DHCP6_SERVER, DHCP6_CLIENT = 67, 68, 547, 546
"""RFC 2131 section 4.1, RFC 8415 section 7.2."""
IPV6_BITS = {"IPv4": 4, "IPv6": 6}
DROP_KEY = RowKey("drop")


def group_rows(group: SecurityGroup, network_id: str, known: Mapping[str, object]) -> Iterator[Row]:
    """Yield the rows of a security group in a network where it has members.

    A network has its own: members of a group mean something to their own network only, and two networks may have the
    same addresses.

    Args:
        group: with its rules.
        network_id: the network.
        known: the security groups and address groups there are, by id; a rule that refers to another allows nothing.
    """
    key = group_key(group.id, network_id)
    name = port_group_name(group.id, network_id)
    yield Row(
        table="Port_Group",
        key=key,
        columns={"name": name},
        external_ids={"security_group": group.id, "network": network_id, "name": group.name},
    )
    for rule in group.rules:
        match = match_of(rule, network_id, known)
        if match is not None:
            yield Row(
                table="ACL",
                key=RowKey(f"rule/{rule.id}/{network_id}"),
                columns={
                    "direction": "to-lport" if rule.direction == "ingress" else "from-lport",
                    "priority": ALLOW,
                    "match": match,
                    "action": "allow-related" if group.stateful else "allow-stateless",
                },
                members=frozenset({Member("Port_Group", key, "acls")}),
                external_ids={"security_group_rule": rule.id},
            )


def member_rows(group_id: str, network_id: str, members: Iterable[Port]) -> Iterator[Row]:
    """Yield the sets of addresses that a group's members in a network have, for rules that let them in.

    OVN's own sets of a port group lack the allowed pairs, and what they have is not of one network. Nobody may speak in
    the name of a port that is administratively down.
    """
    addresses = {address for port in members if port.admin_state_up for address in addresses_of(port)}
    for version in (4, 6):
        yield Row(
            table="Address_Set",
            key=RowKey(f"members/{group_id}/{network_id}/{version}"),
            columns={
                "name": members_name(group_id, network_id, version),
                "addresses": frozenset(one for one in addresses if ip_network(one).version == version),
            },
            external_ids={"security_group": group_id, "network": network_id},
        )


def addresses_of(port: Port) -> frozenset[str]:
    """Return the addresses a port may use, its allowed pairs with them."""
    fixed = {one.ip_address for one in port.fixed_ips}
    return frozenset(fixed | {str(ip_network(address, strict=False)) for _, address in port.allowed_address_pairs})


def group_key(group_id: str, network_id: str) -> RowKey:
    """Return the key of the port group of a security group in a network."""
    return RowKey(f"security-group/{group_id}/{network_id}")


def drop_rows(name: str) -> Iterator[Row]:
    """Yield the port group of every guarded port, and what it drops.

    A guest asks for its address whatever its rules are, and may not be the server that answers (Neutron's ML2 drivers
    do the same). Neighbour discovery passes OVN's ACLs by itself (ovn-northd(8), ACL tables), ARP is not IP.
    """
    yield Row(table="Port_Group", key=DROP_KEY, columns={"name": name})
    inside, outside = f"inport == @{name}", f"outport == @{name}"
    yield _drop_acl("from", "from-lport", DROP, f"{inside} && ip", "drop")
    yield _drop_acl("to", "to-lport", DROP, f"{outside} && ip", "drop")
    asks = f"udp.src == {DHCP_CLIENT} && udp.dst == {DHCP_SERVER}"
    asks6 = f"udp.src == {DHCP6_CLIENT} && udp.dst == {DHCP6_SERVER}"
    yield _drop_acl("dhcp4", "from-lport", NEVER, f"{inside} && ip4 && {asks}", "allow")
    yield _drop_acl("dhcp6", "from-lport", NEVER, f"{inside} && ip6 && {asks6}", "allow")
    serves = f"udp.src == {DHCP_SERVER} && udp.dst == {DHCP_CLIENT}"
    serves6 = f"udp.src == {DHCP6_SERVER} && udp.dst == {DHCP6_CLIENT}"
    yield _drop_acl("server4", "from-lport", NEVER, f"{inside} && ip4 && {serves}", "drop")
    yield _drop_acl("server6", "from-lport", NEVER, f"{inside} && ip6 && {serves6}", "drop")


def _drop_acl(what: str, direction: str, priority: int, match: str, action: str) -> Row:
    return Row(
        table="ACL",
        key=RowKey(f"drop/{what}"),
        columns={"direction": direction, "priority": priority, "match": match, "action": action},
        members=frozenset({Member("Port_Group", DROP_KEY, "acls")}),
    )


def address_group_rows(group: AddressGroup) -> Iterator[Row]:
    """Yield the address sets of an address group, one for each IP version."""
    for version in (4, 6):
        yield Row(
            table="Address_Set",
            key=RowKey(f"address-group/{group.id}/{version}"),
            columns={
                "name": address_set_name(group.id, version),
                "addresses": frozenset(one for one in group.addresses if ip_network(one).version == version),
            },
            external_ids={"address_group": group.id},
        )


def references_of(group: SecurityGroup | None) -> frozenset[str]:
    """Return the ids of the security groups and address groups that a group's rules refer to."""
    rules = () if group is None else group.rules
    ids = (one for rule in rules for one in (rule.remote_group_id, rule.remote_address_group_id))
    return frozenset(one for one in ids if one is not None)


def match_of(rule: SecurityGroupRule, network_id: str, known: Mapping[str, object]) -> str | None:
    """Return the match of a rule in OVN's language, None when no packet may meet it."""
    version = IPV6_BITS[rule.ethertype]
    protocol = _protocol(rule.protocol, version)
    if version == 4 and protocol == ICMPV6:  # noqa: PLR2004 - IPv4
        return None
    numbers = _numbers(rule, protocol, "dst")
    remote = _remote(rule, version, network_id, known)
    if numbers is None or remote is None:
        return None
    group = port_group_name(rule.security_group_id, network_id)
    port = f"outport == @{group}" if rule.direction == "ingress" else f"inport == @{group}"
    return " && ".join(filter(None, (port, f"ip{version}", remote, numbers)))


def _protocol(name: str | None, version: int) -> int | None:
    """Return the number of a protocol; ICMP of IPv6 is ICMPv6, as Neutron takes it, by name or number."""
    if name is None or name.lower() in ANY_PROTOCOL:
        return None
    number = PROTOCOLS[name.lower()] if name.lower() in PROTOCOLS else int(name)
    return ICMPV6 if number == ICMP and version == 6 else number  # noqa: PLR2004 - IPv6


def _numbers(rule: SecurityGroupRule, protocol: int | None, side: str) -> str | None:
    """Return the match of a protocol with its ports, or ICMP's type and code; None when OVN cannot tell them apart."""
    low, high = rule.port_range_min, rule.port_range_max
    if protocol is None:
        return ""
    if protocol in {ICMP, ICMPV6}:
        name = "icmp4" if protocol == ICMP else "icmp6"
        kind = "" if low is None else f" && {name}.type == {low}"
        return name + kind + ("" if low is None or high is None else f" && {name}.code == {high}")
    low, high = low if low is not None else high, high if high is not None else low
    if low is None or (low <= FIRST_PORT and high == LAST_PORT):
        return PORTS_OF.get(protocol, f"ip.proto == {protocol}")
    if protocol not in PORTS_OF:
        return None
    name = PORTS_OF[protocol]
    if low == high:
        return f"{name}.{side} == {low}"
    return f"{name}.{side} >= {low} && {name}.{side} <= {high}"


def _remote(rule: SecurityGroupRule, version: int, network_id: str, known: Mapping[str, object]) -> str | None:
    """Return the match of a rule's far end: empty for anybody, None for nobody."""
    field = f"ip{version}.{'src' if rule.direction == 'ingress' else 'dst'}"
    if rule.remote_group_id is not None:
        name = members_name(rule.remote_group_id, network_id, version)
        return f"{field} == ${name}" if rule.remote_group_id in known else None
    if rule.remote_address_group_id is not None:
        name = address_set_name(rule.remote_address_group_id, version)
        return f"{field} == ${name}" if rule.remote_address_group_id in known else None
    if rule.remote_ip_prefix is None:
        return ""
    prefix = ip_network(rule.remote_ip_prefix, strict=False)
    if prefix.version != version:
        return None
    return f"{field} == {prefix}" if prefix.prefixlen else ""
