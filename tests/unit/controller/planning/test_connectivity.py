"""Does a plan say of every pair of ports what a packet between them would find? The walker over the flows decides."""

import random
from itertools import permutations
from typing import Any

import pytest

from controller.planning.connectivity import MOST_PAIRS, Connectivity, Traffic, connectivity
from controller.planning.scope import Scope
from controller.reconcile.feed import Changes
from controller.reconcile.model import Model
from controller.records import (
    AddressGroup,
    Network,
    NetworkId,
    Port,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
)
from tests.unit.controller.reconcile.builders import a_group, a_network, a_port, a_rule, a_subnet, an_address_group
from tests.unit.controller.trace.desk import Desk

PROBES = (("tcp", 80), ("tcp", 443), ("udp", 53), ("icmp", None))
EMPTY = Snapshot(epoch="", seq=0, networks=(), subnets=(), ports=(), hosts=())
N1 = NetworkId("n1")
Records = list[Network | Subnet | Port | SecurityGroup | AddressGroup]


def compared(before: Records, after: Records) -> Connectivity:
    """Return what becomes of network n1 when one intent follows the other."""
    scope = Scope(before=EMPTY, changes=Changes(), whole=frozenset({N1}))
    return connectivity(scope, model_of(before), model_of(after))


def model_of(records: Records) -> Model:
    def of(kind: type) -> Any:
        return tuple(one for one in records if isinstance(one, kind))

    return Model.of(
        Snapshot(
            epoch="",
            seq=0,
            networks=of(Network),
            subnets=of(Subnet),
            ports=of(Port),
            hosts=(),
            security_groups=of(SecurityGroup),
            address_groups=of(AddressGroup),
        )
    )


def a_world(rng: random.Random) -> Records:
    """Draw a network with ports of all kinds, groups and an address group."""
    pvlan = rng.random() < 0.4
    groups = [a_group(key, *(_rule(rng, key, n) for n in range(rng.randint(1, 6)))) for key in (16, 17)]
    ports = []
    for number in range(1, 7):
        chosen = rng.choice(([], ["g16"], ["g17"], ["g16", "g17"]))
        guarded = rng.random() < 0.85
        role = rng.choice((0, 1, 50, 51)) if pvlan and guarded else 0
        addresses = (f"10.0.0.{10 + number}", f"fd00::{10 + number}")[: rng.randint(1, 2)]
        ports.append(
            a_port(
                number,
                *addresses,
                host=f"h{1 + number % 2}",
                groups=chosen if guarded else (),
                ruleset=20 if len(chosen) > 1 and guarded else None,
                port_security_enabled=guarded,
                admin_state_up=rng.random() < 0.9,
                role=role,
            )
        )
    addresses = an_address_group(60, "10.0.0.8/29", "fd00::/124")
    return [a_network(1, pvlan=pvlan), a_subnet(1), a_subnet(1, "fd00::/64"), addresses, *groups, *ports]


def _rule(rng: random.Random, group: int, number: int) -> SecurityGroupRule:
    protocol, port = rng.choice((*PROBES, (None, None)))
    ethertype = rng.choice(("IPv4", "IPv6"))
    low, high = rng.choice(((port, port), (50, 100), (None, None))) if port else (None, None)
    far: dict[str, Any] = rng.choice(
        (
            {},
            {},
            {"remote_group_id": rng.choice(("g16", "g17"))},
            {"remote_ip_prefix": "10.0.0.12/30" if ethertype == "IPv4" else "fd00::12/127"},
            {"remote_address_group_id": "a60"},
        )
    )
    return a_rule(
        f"{group}{number:07}-0000-0000-0000-000000000000",
        group=f"g{group}",
        direction=rng.choice(("ingress", "egress")),
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=low,
        port_range_max=high,
        **far,
    )


def delivered(records: Records) -> set[tuple[str, str, str, str]]:
    """Return which probes get through, as the flows of the bridges have it."""
    desk = Desk()
    desk.cloud.put(*records)
    found = set()
    ports = [one for one in records if isinstance(one, Port)]
    for source, target in permutations(ports, 2):
        for fixed in target.fixed_ips:
            version = 6 if ":" in fixed.ip_address else 4
            if not any((":" in own.ip_address) == (version == 6) for own in source.fixed_ips):
                continue
            for protocol, port in PROBES:
                more = {} if port is None else {"port": port}
                asked = desk.trace(source.id, fixed.ip_address, protocol=protocol, **more)
                if asked["verdict"] == "delivered":
                    found.add((source.id, target.id, f"IPv{version}", _name(protocol, port)))
    return found


def _name(protocol: str, port: int | None) -> str:
    return protocol if port is None else f"{protocol}:{port}"


def allows(protocols: tuple[str, ...], ethertype: str, protocol: str, port: int | None) -> bool:
    """Whether what a plan names includes a probe."""
    name = "ipv6-icmp" if (protocol, ethertype) == ("icmp", "IPv6") else protocol
    for one in protocols:
        kind, _, numbers = one.partition(":")
        low, _, high = numbers.partition("-")
        if kind == "any" or (kind == name and (not numbers or (port and int(low) <= port <= int(high or low)))):
            return True
    return False


@pytest.mark.parametrize("seed", range(12))
def test_who_may_talk_to_whom_is_what_the_flows_let_through(seed: int) -> None:
    """A network that is new gains exactly what the walker delivers."""
    records = a_world(random.Random(seed))
    found = compared([], records)
    assert not found.lost
    assert not found.truncated
    said = {
        (reach.source, reach.target, reach.ethertype, _name(protocol, port))
        for reach in found.gained
        for protocol, port in PROBES
        if allows(reach.protocols, reach.ethertype, protocol, port)
    }
    assert said == delivered(records)


def test_a_rule_gains_what_it_allows_and_its_removal_loses_it() -> None:
    ports = [a_port(number, f"10.0.0.{number}", groups=("g16",)) for number in (1, 2, 3)]
    out = a_rule("out", direction="egress")
    web = a_rule("web", protocol="tcp", port_range_min=80, port_range_max=80)
    closed: Records = [a_network(1), a_subnet(1), *ports, a_group(16, out)]
    opened: Records = [*closed[:-1], a_group(16, out, web)]
    gained = compared(closed, opened)
    assert (len(gained.gained), gained.pairs_gained, gained.pairs_lost) == (6, 6, 0)
    assert {reach.protocols for reach in gained.gained} == {("tcp:80",)}
    assert compared(opened, closed).lost == gained.gained
    wider: Records = [*closed[:-1], a_group(16, out, a_rule("all"))]
    assert compared(opened, wider).pairs_lost == 0, "what a wider rule covers is not lost"


def test_of_many_pairs_there_is_the_number() -> None:
    ports = [a_port(number, f"10.0.0.{number}", port_security_enabled=False) for number in range(1, 101)]
    found = compared([], [a_network(1), a_subnet(1), *ports])
    assert (found.pairs_gained, len(found.gained), found.truncated) == (9_900, MOST_PAIRS, True)


def test_traffic_is_written_as_people_write_it() -> None:
    written = [str(Traffic(*one)) for one in ((), (6,), (6, 80, 80), (17, 10, 20), (1, 8, None), (58, 1, 3), (47,))]
    assert written == ["any", "tcp", "tcp:80", "udp:10-20", "icmp:8", "ipv6-icmp:1/3", "47"]
