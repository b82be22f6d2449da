"""Which security groups, sets of them and address groups are there, and which hosts need which?

A *ruleset* is a set of security groups that some port has. Nothing here looks at a port that did not change: ports are
counted by ruleset and host.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from controller.reconcile.index import decrement, discard
from controller.reconcile.places import hosts_of
from controller.reconcile.rules import rule_intents, ruleset_of
from controller.reconcile.shared_rules import SharedRules
from controller.records import AddressGroup, HostName, Port, RuleKey, SecurityGroup, SecurityGroupRule
from flows.intent import DENY_ALL, RulesetIntent, address_group_id

_NOWHERE: Mapping[HostName, int] = {}


def uses_of(port: Port | None) -> tuple[tuple[HostName, int], ...]:
    """Return the hosts that need rules for a port, each with its ruleset."""
    if port is None:
        return ()
    ruleset = ruleset_of(port)
    return tuple((host, ruleset) for host in hosts_of(port)) if ruleset > DENY_ALL else ()


class Rulesets:
    """Groups, and who refers to whom; owned by the model."""

    def __init__(self) -> None:
        self.security_groups: dict[str, SecurityGroup] = {}
        self.address_groups: dict[str, AddressGroup] = {}
        self.address_group_by_key: dict[RuleKey, AddressGroup] = {}
        self._groups: dict[int, tuple[str, ...]] = {}
        """The security groups of each ruleset that a bound port has."""
        self._hosts: dict[int, Counter[HostName]] = {}
        self._of_host: dict[HostName, set[int]] = {}
        self._with_group: dict[str, set[int]] = {}
        self._referring: dict[str, set[str]] = {}
        """By id of a security group or address group: the security groups whose rules refer to it."""
        self._intents: dict[int, RulesetIntent] = {}
        """What was translated already: one value for all hosts."""
        self.shared = SharedRules()

    def put_group(self, group_id: str, group: SecurityGroup | None) -> SecurityGroup | None:
        """Store a security group, or forget it when None; return what was there."""
        old = self.security_groups.pop(group_id, None)
        for remote in references(old):
            discard(self._referring, remote, group_id)
        for remote in references(group):
            self._referring.setdefault(remote, set()).add(group_id)
        if group is not None:
            self.security_groups[group_id] = group
        self._outdate(self.with_group(group_id))
        if (old is None) != (group is None):
            self._outdate(self.rulesets_referring(group_id))
        return old

    def put_address_group(self, group_id: str, group: AddressGroup | None) -> AddressGroup | None:
        """Store an address group, or forget it when None; return what was there."""
        old = self.address_groups.pop(group_id, None)
        if old is not None:
            self.address_group_by_key.pop(old.key, None)
        if group is not None:
            self.address_groups[group_id] = group
            self.address_group_by_key[group.key] = group
        if (old is None) != (group is None):
            self._outdate(self.rulesets_referring(group_id))
        return old

    def add_port(self, port: Port) -> None:
        """Count a port."""
        for host, ruleset in uses_of(port):
            if ruleset not in self._groups:
                self._groups[ruleset] = port.security_group_ids
                for group_id in port.security_group_ids:
                    self._with_group.setdefault(group_id, set()).add(ruleset)
            self._hosts.setdefault(ruleset, Counter())[host] += 1
            self._of_host.setdefault(host, set()).add(ruleset)

    def remove_port(self, port: Port) -> None:
        """Count a port no more, given as it was added."""
        for host, ruleset in uses_of(port):
            hosts = self._hosts[ruleset]
            decrement(hosts, host)
            if host not in hosts:
                discard(self._of_host, host, ruleset)
            if not hosts:
                del self._hosts[ruleset]
                for group_id in self._groups.pop(ruleset):
                    discard(self._with_group, group_id, ruleset)
                self._intents.pop(ruleset, None)
                self.shared.forget(ruleset)

    def of_host(self, host: HostName) -> AbstractSet[int]:
        """Return the rulesets that ports bound to a host have."""
        return self._of_host.get(host, frozenset())

    def hosts(self, ruleset: int) -> Mapping[HostName, int]:
        """Return how many ports with a ruleset are bound to each host that has any."""
        return self._hosts.get(ruleset, _NOWHERE)

    def with_group(self, group_id: str) -> AbstractSet[int]:
        """Return the rulesets that contain a security group."""
        return self._with_group.get(group_id, frozenset())

    def rulesets_referring(self, group_id: str) -> set[int]:
        """Return the rulesets with a rule that refers to a security group or an address group."""
        return {ruleset for group in self._referring.get(group_id, ()) for ruleset in self.with_group(group)}

    def address_groups_of(self, ruleset: int) -> set[RuleKey]:
        """Return the keys of the address groups that the rules of a ruleset refer to."""
        return self.address_groups_referred(self._groups.get(ruleset, ()))

    def address_groups_referred(self, group_ids: Collection[str]) -> set[RuleKey]:
        """Return the keys of the address groups that the rules of some security groups refer to."""
        referred = (references(self.security_groups.get(group_id)) for group_id in group_ids)
        return {self.address_groups[i].key for ids in referred for i in ids if i in self.address_groups}

    def has_address_group(self, host: HostName, group_id: str) -> bool:
        """Whether the rules of some port bound to a host refer to an address group."""
        return any(host in self.hosts(ruleset) for ruleset in self.rulesets_referring(group_id))

    def keys_of(self, port: Port) -> tuple[int, ...]:
        """Return the keys of a port's security groups, sorted."""
        known = (self.security_groups.get(group_id) for group_id in port.security_group_ids)
        return tuple(sorted(group.key for group in known if group is not None))

    def intent(self, ruleset: int) -> RulesetIntent:
        """Return the rules of a ruleset that a bound port has; they are the same on every host.

        Neutron does not mix stateful and stateless groups on one port; where it happens, stateful wins: a stateless
        group's rules then allow what they say, and answers too.
        """
        intent = self._intents.get(ruleset)
        if intent is None:
            self._intents[ruleset] = intent = self.translated(ruleset, self._groups.get(ruleset, ()))
        return intent

    def translated(self, ruleset: int, group_ids: Collection[str]) -> RulesetIntent:
        """Return what some security groups allow together, whether a bound port has them or not."""
        known = (self.security_groups.get(group_id) for group_id in group_ids)
        groups = [group for group in known if group is not None]
        return RulesetIntent(
            ruleset=ruleset,
            stateful=not groups or any(group.stateful for group in groups),
            from_port=rule_intents(groups, "egress", self._group_of),
            to_port=rule_intents(groups, "ingress", self._group_of),
        )

    def _group_of(self, rule: SecurityGroupRule) -> int | None:
        if rule.remote_group_id is not None:
            group = self.security_groups.get(rule.remote_group_id)
            return None if group is None else group.key
        addresses = self.address_groups.get(rule.remote_address_group_id or "")
        return None if addresses is None else address_group_id(addresses.key)

    def _outdate(self, rulesets: Collection[int]) -> None:
        for ruleset in rulesets:
            self._intents.pop(ruleset, None)


def references(group: SecurityGroup | None) -> set[str]:
    """Return the ids of the security groups and address groups that a group's rules refer to."""
    rules = () if group is None else group.rules
    return {i for rule in rules for i in (rule.remote_group_id, rule.remote_address_group_id) if i is not None}
