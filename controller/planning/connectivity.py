"""Who may begin to talk to whom, and what does a change do to that? Pure; as the pipeline decides it.

Two ports of one network may talk when both are up, their roles in a private VLAN allow it (RFC 5517 section 3), they
are on one segment, and the sender's rules for what it sends and the receiver's for what it gets both allow it. Ports
that differ in nothing of this are one *kind*: kinds are compared, not ports. Where a port is bound does not matter but
for its segment, nor what allowed pairs it may pass for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from controller.planning.scope import Scope
from controller.reconcile.addresses import contains, prefix_of
from controller.reconcile.model import Model
from controller.reconcile.rules import ICMP, ICMPV6, SCTP, TCP, UDP, ruleset_of
from controller.reconcile.segments import role_of, segment_on
from controller.reconcile.translate import is_up
from controller.records import Network, NetworkId, Port, PortId
from flows.intent import DENY_ALL, ISOLATED, NO_RULES, PROMISCUOUS, Prefix, RuleIntent, address_group_id

MOST_PAIRS = 200
"""Named one by one; of more there is the number."""
MOST_KINDS = 300
"""In one network: every pair of kinds is looked at."""
VERSIONS = {4: "IPv4", 6: "IPv6"}
_NAMES = {TCP: "tcp", UDP: "udp", SCTP: "sctp", ICMP: "icmp", ICMPV6: "ipv6-icmp"}


class Traffic(NamedTuple):
    """Some of what an IP packet may carry; ``low`` and ``high`` are ports, of ICMP type and code; None is any."""

    protocol: int | None = None
    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        """Return it as people write it: any, tcp, tcp:80, udp:1000-2000, icmp:8."""
        if self.protocol is None:
            return "any"
        name = _NAMES.get(self.protocol, str(self.protocol))
        if self.low is None:
            return name
        if self.high is None or self.low == self.high:
            return f"{name}:{self.low}"
        return f"{name}:{self.low}{'/' if self.protocol in {ICMP, ICMPV6} else '-'}{self.high}"


EVERYTHING = Traffic()


class Kind(NamedTuple):
    """What decides over a port's connectivity."""

    is_up: bool
    ruleset: int
    group_ids: tuple[str, ...]
    groups: tuple[int, ...]
    """Conjunction ids of the security groups it is a member of."""
    inside: frozenset[tuple[int, int]]
    """Conjunction ids of the address groups that hold an address of its, each with the address's IP version."""
    role: int
    segment: int
    """0 where all of the network's ports are on one, and while it is not bound."""
    versions: tuple[int, ...]
    within: frozenset[Prefix]
    """The prefixes of its network's rules that hold its addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One port may begin to talk to another, or no longer."""

    source: PortId
    target: PortId
    ethertype: str
    protocols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """What a change does to who may talk to whom."""

    gained: tuple[Reach, ...] = ()
    lost: tuple[Reach, ...] = ()
    pairs_gained: int = 0
    """Ordered pairs of ports, of one IP version each, also those not named."""
    pairs_lost: int = 0
    unknown: str | None = None
    """Why that is not worked out."""

    @property
    def truncated(self) -> bool:
        """Whether not every pair is named."""
        return self.pairs_gained > len(self.gained) or self.pairs_lost > len(self.lost)


def connectivity(scope: Scope, before: Model, after: Model) -> Connectivity:
    """Return what a change does to the ports of the networks concerned."""
    if scope.unread or scope.too_many:
        count = scope.unread or scope.too_many
        return Connectivity(unknown=f"{count} ports are in the networks concerned, too many to compare for a plan")
    gained, lost = _Collected(), _Collected()
    for network_id in sorted(scope.whole):
        sides = _Side(before, network_id), _Side(after, network_id)
        members: dict[tuple[Kind | None, Kind | None], list[PortId]] = {}
        for port_id in sorted(sides[0].kinds.keys() | sides[1].kinds.keys()):
            pair = sides[0].kinds.get(port_id), sides[1].kinds.get(port_id)
            members.setdefault(pair, []).append(port_id)
        if len(members) > MOST_KINDS:
            reason = f"network {network_id} has {len(members)} kinds of ports, too many to compare for a plan"
            return Connectivity(unknown=reason)
        for sources, sending in members.items():
            for targets, receiving in members.items():
                for version, ethertype in VERSIONS.items():
                    was = sides[0].allowed(sources[0], targets[0], version)
                    now = sides[1].allowed(sources[1], targets[1], version)
                    if was != now:
                        gained.add(sending, receiving, ethertype, _beyond(now, was))
                        lost.add(sending, receiving, ethertype, _beyond(was, now))
    return Connectivity(
        gained=tuple(gained.named), lost=tuple(lost.named), pairs_gained=gained.count, pairs_lost=lost.count
    )


class _Collected:
    """Pairs, the first of them named."""

    def __init__(self) -> None:
        self.named: list[Reach] = []
        self.count = 0

    def add(self, sources: list[PortId], targets: list[PortId], ethertype: str, traffic: Iterable[Traffic]) -> None:
        protocols = tuple(str(one) for one in sorted(traffic, key=_order))
        if not protocols:
            return
        self.count += len(sources) * len(targets) - (len(sources) if sources is targets else 0)
        for source in sources:
            for target in targets:
                if len(self.named) >= MOST_PAIRS:
                    return
                if source != target:
                    reach = Reach(source=source, target=target, ethertype=ethertype, protocols=protocols)
                    self.named.append(reach)


class _Side:
    """One network, before a change or after it."""

    def __init__(self, model: Model, network_id: NetworkId) -> None:
        self._model = model
        self._network: Network | None = model.networks.get(network_id)
        self._ports = {port.id: port for port in model.ports_of_network(network_id)} if self._network else {}
        self._rules: dict[tuple[int, tuple[str, ...]], tuple[tuple[RuleIntent, ...], tuple[RuleIntent, ...]]] = {}
        self._known: dict[tuple[Kind, Kind, int], frozenset[Traffic]] = {}

    @cached_property
    def kinds(self) -> Mapping[PortId, Kind]:
        """The kind of each port."""
        if self._network is None:
            return {}
        rules = {rule for port in self._ports.values() for way in self._rules_of(port) for rule in way}
        prefixes = {rule.prefix for rule in rules if rule.prefix is not None}
        referred = {rule.group for rule in rules if rule.group is not None}
        addressed = {
            address_group_id(group.key): tuple(prefix_of(one) for one in group.addresses)
            for group in self._model.rulesets.address_groups.values()
            if address_group_id(group.key) in referred
        }
        return {port.id: self._kind(self._network, port, prefixes, addressed) for port in self._ports.values()}

    def allowed(self, source: Kind | None, target: Kind | None, version: int) -> frozenset[Traffic]:
        """Return what a port of one kind may begin to send to one of another."""
        if source is None or target is None or not _may_meet(source, target, version):
            return frozenset()
        key = source, target, version
        if key not in self._known:
            sent = _let_through(source, self._rules[source.ruleset, source.group_ids][0], target, version)
            taken = _let_through(target, self._rules[target.ruleset, target.group_ids][1], source, version)
            both = {one for a in sent for b in taken if (one := _meet(a, b)) is not None}
            self._known[key] = frozenset(
                one for one in both if not any(_covers(other, one) for other in both if other != one)
            )
        return self._known[key]

    def _kind(
        self, network: Network, port: Port, prefixes: Iterable[Prefix], addressed: Mapping[int, tuple[Prefix, ...]]
    ) -> Kind:
        own = [prefix_of(fixed.ip_address) for fixed in port.fixed_ips]
        ruleset = ruleset_of(port)
        groups = self._model.rulesets.keys_of(port) if ruleset > DENY_ALL else ()
        inside = {
            (group, address.version)
            for group, of_group in addressed.items()
            for address in own
            if any(contains(one, address) for one in of_group)
        }
        host = None if port.binding is None else self._model.hosts.get(port.binding.host)
        is_one = len(network.segments) == 1 or host is None
        return Kind(
            is_up=is_up(network, port),
            ruleset=ruleset,
            group_ids=port.security_group_ids,
            groups=groups,
            inside=frozenset(inside),
            role=role_of(network, port),
            segment=0 if is_one else segment_on(network, host).key,
            versions=tuple(sorted({one.version for one in own})),
            within=frozenset(prefix for prefix in prefixes if any(contains(prefix, one) for one in own)),
        )

    def _rules_of(self, port: Port) -> tuple[tuple[RuleIntent, ...], tuple[RuleIntent, ...]]:
        key = ruleset_of(port), port.security_group_ids
        if key not in self._rules:
            intent = self._model.rulesets.translated(*key)
            self._rules[key] = intent.from_port, intent.to_port
        return self._rules[key]


def _may_meet(source: Kind, target: Kind, version: int) -> bool:
    """Whether frames of one come to the other at all, whatever the rules say."""
    if not (source.is_up and target.is_up and version in source.versions and version in target.versions):
        return False
    if source.segment and target.segment and source.segment != target.segment:
        return False
    if PROMISCUOUS in {source.role, target.role}:
        return True
    return source.role == target.role != ISOLATED


def _let_through(kind: Kind, rules: Iterable[RuleIntent], far: Kind, version: int) -> list[Traffic]:
    """Return what the rules of one port allow with another."""
    if kind.ruleset == NO_RULES:
        return [EVERYTHING]
    if kind.ruleset == DENY_ALL:
        return []
    return [
        Traffic(rule.protocol, rule.low, rule.high)
        for rule in rules
        if rule.version == version
        and (rule.prefix is None or rule.prefix in far.within)
        and (rule.group is None or rule.group in far.groups or (rule.group, version) in far.inside)
    ]


def _meet(one: Traffic, other: Traffic) -> Traffic | None:
    """Return what both allow."""
    if one.protocol is None or other.protocol is None:
        return other if one.protocol is None else one
    if one.protocol != other.protocol:
        return None
    if one.low is None or other.low is None:
        return other if one.low is None else one
    if one.protocol in {ICMP, ICMPV6}:
        codes = {code for code in (one.high, other.high) if code is not None}
        is_same = one.low == other.low and len(codes) < 2  # noqa: PLR2004
        return Traffic(one.protocol, one.low, next(iter(codes), None)) if is_same else None
    low = max(one.low, other.low)
    high = min(one.high or one.low, other.high or other.low)
    return Traffic(one.protocol, low, high) if low <= high else None


def _covers(wide: Traffic, narrow: Traffic) -> bool:
    return _meet(wide, narrow) == narrow


def _beyond(some: Iterable[Traffic], others: Iterable[Traffic]) -> list[Traffic]:
    """Return what of some traffic no single one of the others covers."""
    known = list(others)
    return [one for one in some if not any(_covers(other, one) for other in known)]


def _order(traffic: Traffic) -> tuple[int, ...]:
    return tuple(-1 if part is None else part for part in traffic)
