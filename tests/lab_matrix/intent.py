"""Which clouds are worth probing? Random ones, drawn from one `random.Random`, so that a seed names a cloud.

All networks have the same addresses: what keeps them apart is to be the network alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

CIDR = {4: "10.50.0.0/24", 6: "fd50::/64"}
EVERYTHING = ("0.0.0.0/0", "::/0")
PREFIXES = {4: ("10.50.0.0/25", "10.50.0.16/28", EVERYTHING[0]), 6: ("fd50::/64", "fd50::10/124", EVERYTHING[1])}
VIRTUAL_MAC = "00:00:5e:00:01:01"
"""VRRP's first (RFC 9568 section 7.3)."""
VIRTUAL = {4: "10.50.0.200", 6: "fd50::c8"}
SERVICES = (53, 80, 5000)
"""Ports of UDP and TCP that probes go to; rules are about them."""
RANGES = ((53, 53), (80, 80), (50, 100), (1, 65535), (4000, 60000))
ECHO = {4: (8, 0), 6: (128, 129)}
"""Types of echo request and reply (RFC 792, RFC 4443)."""
COMMUNITIES = ("red", "blue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A security group rule; what is None does not matter."""

    direction: str
    version: int
    protocol: str | None = None
    low: int | None = None
    high: int | None = None
    prefix: str | None = None
    group: int | None = None
    """Number of the security group the far end must be in."""
    addresses: int | None = None
    """Number of the address group the far end must be in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A security group."""

    stateful: bool
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with an IPv4 and an IPv6 subnet."""

    kind: str
    up: bool = True
    pvlan: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port with a guest."""

    number: int
    network: int
    host: int
    mac: str
    ips: tuple[str, ...]
    """One of a version at most."""
    guarded: bool = True
    """Whether port security is on."""
    groups: tuple[int, ...] = ()
    pairs: tuple[tuple[str | None, str], ...] = ()
    """Allowed address pairs; no MAC address means the port's own."""
    up: bool = True
    kind: str = "promiscuous"
    """Its type in a private VLAN."""
    community: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """All that is asked for; numbers are places in these tuples."""

    networks: tuple[Network, ...]
    groups: tuple[Group, ...]
    address_groups: tuple[tuple[str, ...], ...]
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the Weft under test can do."""

    kinds: tuple[str, ...] = ("vxlan",)
    """Network types."""
    has_private_vlans: bool = False
    hosts: int = 2
    ports: int = 14


def a_cloud(rng: random.Random, offer: Offer) -> Cloud:
    """Return a random cloud."""
    networks = _networks(rng, offer)
    count = rng.randint(3, 4)
    groups = tuple(_group(rng, count, stateful=number != 2) for number in range(count))
    address_groups = tuple(_address_group(rng) for _ in range(2))
    taken = [0] * len(networks)
    made: list[Port] = []
    for number in range(offer.ports):
        port = _port(rng, number, networks, groups, offer)
        taken[port.network] += 1
        made.append(replace(port, ips=tuple(_address(version_of(ip), taken[port.network]) for ip in port.ips)))
    return Cloud(networks=networks, groups=groups, address_groups=address_groups, ports=tuple(made))


def _networks(rng: random.Random, offer: Offer) -> tuple[Network, ...]:
    networks = [_network(rng, offer) for _ in range(rng.choice((2, 2, 3)))]
    if not any(network.up for network in networks):
        networks[0] = replace(networks[0], up=True)
    flat = [place for place, network in enumerate(networks) if network.kind == "flat"]
    for place in flat[1:]:  # a physical network has one untagged network
        networks[place] = replace(networks[place], kind="vlan")
    return tuple(networks)


def _network(rng: random.Random, offer: Offer) -> Network:
    return Network(
        kind=rng.choice(offer.kinds),
        up=rng.random() < 0.93,
        pvlan=offer.has_private_vlans and rng.random() < 0.5,
    )


def _group(rng: random.Random, groups: int, *, stateful: bool) -> Group:
    rules = [Rule(direction="egress", version=version) for version in (4, 6) if rng.random() < 0.75]
    rules += [_rule(rng, groups) for _ in range(rng.randint(2, 7))]
    # The API refuses a rule that says the same as another; a prefix of all addresses says nothing.
    distinct = {replace(rule, prefix=None) if rule.prefix in EVERYTHING else rule: rule for rule in rules}
    return Group(stateful=stateful, rules=tuple(distinct.values()))


def _rule(rng: random.Random, groups: int) -> Rule:
    version = rng.choice((4, 6))
    rule = Rule(direction=rng.choice(("ingress", "ingress", "egress")), version=version)
    match rng.randint(0, 5):
        case 0 | 1 | 2:
            low, high = rng.choice(RANGES)
            rule = replace(rule, protocol=rng.choice(("udp", "udp", "tcp")), low=low, high=high)
        case 3:
            rule = replace(rule, protocol="icmp", low=rng.choice((None, *ECHO[version])))
    match rng.randint(0, 4):
        case 0:
            return replace(rule, prefix=rng.choice((*PREFIXES[version], _address(version, rng.randint(1, 16)))))
        case 1 | 2:
            return replace(rule, group=rng.randrange(groups))
        case 3:
            return replace(rule, addresses=rng.randrange(2))
    return rule


def _address_group(rng: random.Random) -> tuple[str, ...]:
    single = [_address(version, number) for version in (4, 6) for number in range(1, 17)]
    return tuple(rng.sample([*PREFIXES[4][:2], *PREFIXES[6][:2], *single], 4))


def _address(version: int, number: int) -> str:
    return f"10.50.0.{16 + number}" if version == 4 else f"fd50::{16 + number:x}"


def version_of(ip: str) -> int:
    """Return an address's IP version."""
    return 6 if ":" in ip else 4


def _port(rng: random.Random, number: int, networks: Sequence[Network], groups: Sequence[Group], offer: Offer) -> Port:
    network = rng.randrange(len(networks))
    is_private = networks[network].pvlan
    guarded = is_private or rng.random() < 0.85  # RFC 5517 roles are told by MAC addresses: they need port security
    stateful = rng.random() < 0.8
    kinds = [place for place, group in enumerate(groups) if group.stateful == stateful]
    chosen = rng.sample(kinds, min(len(kinds), rng.choice((0, 1, 1, 1, 2)))) if guarded else []
    versions = rng.choice(((4, 6), (4, 6), (4, 6), (4,), (6,)))
    kind = (
        rng.choice(("promiscuous", "isolated", "isolated", "community", "community")) if is_private else "promiscuous"
    )
    return Port(
        number=number,
        network=network,
        host=rng.randrange(offer.hosts),
        mac=f"fa:16:3e:{rng.randrange(256):02x}:{rng.randrange(256):02x}:{number:02x}",
        ips=tuple(_address(version, number) for version in versions),
        guarded=guarded,
        groups=tuple(sorted(chosen)),
        pairs=tuple(_pair(rng, version, number) for version in versions if guarded and rng.random() < 0.25),
        up=rng.random() < 0.93,
        kind=kind,
        community=rng.choice(COMMUNITIES) if kind == "community" else None,
    )


def _pair(rng: random.Random, version: int, number: int) -> tuple[str | None, str]:
    own = f"10.50.0.{100 + number}" if version == 4 else f"fd50::{100 + number:x}"
    return rng.choice(((VIRTUAL_MAC, VIRTUAL[version]), (None, VIRTUAL[version]), (None, own)))
