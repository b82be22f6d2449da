"""What does a port's set of security groups let through? Neutron's rules as the values the compiler takes.

Rules only allow. One that no frame can meet, or that OpenFlow cannot tell apart, is left out: it must never allow more
than it says.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

from controller.reconcile.addresses import contains, prefix_of
from controller.records import Port, SecurityGroup, SecurityGroupRule
from controller.services.rule_checks import PROTOCOLS
from flows.features.rules import RULES_REMEMBERED
from flows.intent import DENY_ALL, NO_RULES, Prefix, RuleIntent

TRUSTED_OWNER = "network:"
"""Ports of network services, which Neutron neither guards nor filters (neutron/common/utils.py, is_port_trusted)."""
ANY_PROTOCOL = frozenset({"any", "ip", "0"})
"""All of IP (Neutron API reference, security group rules, protocol: "any (or integer 0) means all IP protocols")."""
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
HAS_PORTS = frozenset({TCP, UDP, SCTP})
"""Whose ports OpenFlow can match (OpenFlow 1.4 section 7.2.3.7)."""
FIRST_PORT, LAST_PORT = 1, 65_535
"""A range from the first to the last is all ports: port 0 is reserved (RFC 6335 section 6)."""
VERSION = {"IPv4": 4, "IPv6": 6}

Condition = tuple[int, int | None, int | None, int | None, Prefix | None, int | None]
"""A `RuleIntent` without its reason."""
GroupOf = Callable[[SecurityGroupRule], int | None]
"""Returns the conjunction id of the group the far end of a rule must be in, or None when there is no such group."""


def is_guarded(port: Port) -> bool:
    """Whether the port has port security."""
    return port.port_security_enabled and not port.device_owner.startswith(TRUSTED_OWNER)


def ruleset_of(port: Port) -> int:
    """Return the ruleset that filters a port's traffic."""
    if not is_guarded(port):
        return NO_RULES
    return port.ruleset if port.security_group_ids else DENY_ALL


def rule_intents(groups: Iterable[SecurityGroup], direction: str, group_of: GroupOf) -> tuple[RuleIntent, ...]:
    """Return what the rules of some groups allow in one direction, sorted, no condition twice.

    Args:
        groups: The security groups.
        direction: ``ingress`` or ``egress``, as the guest sees it.
        group_of: How a rule's remote group is found.
    """
    reasons: dict[Condition, list[str]] = {}
    for group in groups:
        for rule in group.rules:
            condition = _condition(rule, group_of) if rule.direction == direction else None
            if condition is not None:
                reasons.setdefault(condition, []).append(rule.id)
    return tuple(_intent(condition, tuple(reasons[condition])) for condition in sorted(reasons, key=_order))


def is_narrower(new: Iterable[RuleIntent], old: Iterable[RuleIntent]) -> bool:
    """Whether something that the old rules allowed may be allowed by no single one of the new."""
    kept = {condition_of(rule) for rule in new}
    lost = [condition for rule in old if (condition := condition_of(rule)) not in kept]
    return any(not any(_covers(wider, condition) for wider in kept) for condition in lost)


def condition_of(rule: RuleIntent) -> Condition:
    """Return what a rule asks for, without its reason."""
    return rule.version, rule.protocol, rule.low, rule.high, rule.prefix, rule.group


def _condition(rule: SecurityGroupRule, group_of: GroupOf) -> Condition | None:
    version = VERSION[rule.ethertype]
    protocol = _protocol(rule.protocol, version)
    if version == 4 and protocol == ICMPV6:  # noqa: PLR2004
        return None
    numbers = _numbers(rule, protocol)
    if numbers is None:
        return None
    prefix = None if rule.remote_ip_prefix is None else prefix_of(rule.remote_ip_prefix)
    if prefix is not None and prefix.version != version:
        return None
    group = None
    if rule.remote_group_id is not None or rule.remote_address_group_id is not None:
        group = group_of(rule)
        if group is None:
            return None
    return version, protocol, *numbers, prefix if prefix and prefix.length else None, group


def _protocol(name: str | None, version: int) -> int | None:
    """Return the number of a protocol; ICMP of IPv6 is ICMPv6, as Neutron takes it, by name or number."""
    if name is None or name.lower() in ANY_PROTOCOL:
        return None
    number = PROTOCOLS[name.lower()] if name.lower() in PROTOCOLS else int(name)
    return ICMPV6 if number == ICMP and version == 6 else number  # noqa: PLR2004


def _numbers(rule: SecurityGroupRule, protocol: int | None) -> tuple[int | None, int | None] | None:
    """Return the ports, or ICMP's type and code; None when OpenFlow cannot tell them apart."""
    low, high = rule.port_range_min, rule.port_range_max
    if protocol in {ICMP, ICMPV6}:
        return (None, None) if low is None else (low, high)
    if low is None and high is None:
        return None, None
    low, high = low if low is not None else high, high if high is not None else low
    if low is not None and low <= FIRST_PORT and high == LAST_PORT:
        return None, None
    return (low, high) if protocol in HAS_PORTS else None


@lru_cache(maxsize=RULES_REMEMBERED)
def _intent(condition: Condition, rule_ids: tuple[str, ...]) -> RuleIntent:
    """Return a rule's intent; the same one each time, for most rules of a set stay."""
    version, protocol, low, high, prefix, group = condition
    named = "security group rule" if len(rule_ids) == 1 else "security group rules"
    return RuleIntent(
        version=version,
        protocol=protocol,
        low=low,
        high=high,
        prefix=prefix,
        group=group,
        why=f"{named} {', '.join(sorted(rule_ids))}",
    )


def _order(condition: Condition) -> tuple[object, ...]:
    """What does not matter comes first."""
    return tuple([(part is not None, part or 0) for part in condition])


def _covers(wide: Condition, narrow: Condition) -> bool:
    """Whether the wide condition is met by everything that meets the narrow one."""
    version, protocol, low, high, prefix, group = wide
    if version != narrow[0] or protocol not in {None, narrow[1]} or group not in {None, narrow[5]}:
        return False
    if prefix is not None and (narrow[4] is None or not contains(prefix, narrow[4])):
        return False
    if low is None:
        return True
    if protocol in {ICMP, ICMPV6}:
        return low == narrow[2] and high in {None, narrow[3]}
    return narrow[2] is not None and narrow[3] is not None and low <= narrow[2] and narrow[3] <= (high or low)
