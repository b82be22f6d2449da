"""Is everything looked at again that a change concerns, and nothing else? Records in memory, no database, no switch."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.records import AddressGroup, Host, Network, Port, SecurityGroup, Segment, Subnet
from controller.sighting_records import How, Sighting
from flows.compiler import compile_bridge
from flows.delta import same_in_switch
from flows.intent import Unit, UnitIntent, UnitKind
from tests.unit.controller.reconcile.builders import (
    Cloud,
    a_group,
    a_host,
    a_network,
    a_port,
    a_rule,
    a_segment,
    a_sighting,
    a_subnet,
    an_address_group,
)

Record = Network | Subnet | Port | SecurityGroup | AddressGroup | Sighting
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.200", "fd00::1", "fd00::2"]
PAIRS = [*ADDRESSES, "10.0.0.0/30", "10.0.0.0/24", "0.0.0.0/0", "fd00::/64"]
MACS = ["fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "00:00:5e:00:01:0a"]
GROUPS = (16, 17, 18)
ADDRESS_GROUPS = (50, 51)
SETS: dict[frozenset[str], int] = {}
PLACES: list[tuple[str | None, str | None]] = [
    *(("h1", None), ("h2", None), ("h3", None), (None, None), ("nowhere", None)),
    *(("h1", "h2"), ("h2", "h1"), ("h2", "h3"), ("h1", "nowhere"), (None, "h1")),
]
"""Where a port is bound, and where it migrates to."""


def ruleset_of(groups: frozenset[str]) -> int | None:
    """Return the key of a set of groups; one group's is its own."""
    return None if len(groups) < 2 else SETS.setdefault(groups, 100 + len(SETS))


def kinds_of_network(number: int) -> list[tuple[Segment, ...]]:
    vlan = a_segment(number, "vlan", "public")
    return [
        (),
        (a_segment(number, "geneve"),),
        (vlan,),
        (a_segment(number, "flat", "lab"),),
        (vlan, a_segment(number, "vlan", "lab", key=10 + number), a_segment(number, "vxlan", key=20 + number)),
        (a_segment(number, "vlan", "nobody's"), a_segment(number, "geneve", key=10 + number)),
    ]


@st.composite
def networks(draw: st.DrawFn) -> Network:
    number = draw(st.integers(1, 2))
    return a_network(
        number,
        *draw(st.sampled_from(kinds_of_network(number))),
        router_external=draw(st.sampled_from([False, False, True])),
        admin_state_up=draw(st.sampled_from([True, True, False])),
        pvlan=draw(st.booleans()),
    )


subnets = st.builds(a_subnet, st.integers(1, 2), gateway_ip=st.sampled_from([None, "10.0.0.1", "10.0.0.2"]))
MODES = [(None, None), ("slaac", "slaac"), ("dhcpv6-stateful", "dhcpv6-stateful"), (None, "slaac"), ("slaac", None)]
subnets6 = st.builds(
    lambda number, modes, gateway, is_served: a_subnet(
        number,
        "fd00::/64",
        gateway_ip=gateway,
        enable_dhcp=is_served,
        ipv6_ra_mode=modes[0],
        ipv6_address_mode=modes[1],
    ),
    st.integers(1, 2),
    st.sampled_from(MODES),
    st.sampled_from([None, "fd00::1"]),
    st.booleans(),
)
hosts = st.builds(
    lambda number, physnets, tunnel: a_host(number, physnets=physnets, tunnel=tunnel),
    st.integers(1, 3),
    st.lists(st.sampled_from(["public", "lab", "third"]), unique=True),
    st.sampled_from([True, True, True, False]),
)
rules = st.builds(
    a_rule,
    st.sampled_from(["r1", "r2", "r3"]),
    direction=st.sampled_from(["ingress", "egress"]),
    ethertype=st.sampled_from(["IPv4", "IPv6"]),
    protocol=st.sampled_from([None, "tcp"]),
    remote_group_id=st.sampled_from([None, "g16", "g17", "g18"]),
)
address_rules = st.builds(a_rule, st.just("r4"), remote_address_group_id=st.sampled_from(["a50", "a51"]))
groups = st.builds(
    lambda key, chosen, stateful: a_group(key, *chosen, stateful=stateful),
    st.sampled_from(GROUPS),
    st.lists(rules | address_rules, max_size=3),
    st.booleans(),
)
address_groups = st.builds(
    lambda key, chosen: an_address_group(key, *chosen),
    st.sampled_from(ADDRESS_GROUPS),
    st.lists(st.sampled_from(["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]), max_size=2),
)


@st.composite
def ports(draw: st.DrawFn) -> Port:
    host, standby = draw(st.sampled_from(PLACES))
    chosen = frozenset(draw(st.sets(st.sampled_from([f"g{key}" for key in GROUPS]), max_size=2)))
    return a_port(
        draw(st.integers(1, 4)),
        *draw(st.sets(st.sampled_from(ADDRESSES), max_size=2)),
        network=draw(st.integers(1, 2)),
        host=host,
        standby=standby,
        role=draw(st.sampled_from([0, 0, 1, 30, 31])),
        groups=chosen,
        ruleset=ruleset_of(chosen),
        pairs=draw(st.lists(st.tuples(st.sampled_from(MACS), st.sampled_from(PAIRS)), max_size=2)),
        port_security_enabled=draw(st.sampled_from([True, True, False])),
        admin_state_up=draw(st.sampled_from([True, True, False])),
        device_owner=draw(st.sampled_from(["", "", "network:dhcp", "network:router_interface"])),
    )


sightings = st.builds(
    a_sighting,
    st.integers(1, 3),
    st.sampled_from(ADDRESSES[:3]),
    network=st.integers(1, 2),
    port=st.sampled_from([None, None, 1, 2]),
    how=st.sampled_from(How),
)
records: st.SearchStrategy[Record] = (
    networks() | subnets | subnets6 | groups | address_groups | ports() | ports() | ports() | ports() | sightings
)
batches = st.lists(st.tuples(st.booleans(), records), min_size=1, max_size=4)


FIRST: tuple[Record, ...] = (
    *(a_network(1), a_network(2, physical_network="public")),
    *(a_subnet(network, cidr) for network in (1, 2) for cidr in ("10.0.0.0/24", "fd00::/64")),
    *(a_group(key) for key in GROUPS),
    *(an_address_group(key) for key in ADDRESS_GROUPS),
)


class Store:
    """What is there, something of everything to begin with; refuses what the database refuses."""

    def __init__(self) -> None:
        self.there: dict[str, Record] = {record.id: record for record in FIRST}

    def change(self, record: Record, *, is_gone: bool) -> bool:
        old = self.there.get(record.id)
        if is_gone:
            if old is None or self._is_in_use(old):
                return False
            del self.there[record.id]
            for other in [one for one in self.there.values() if isinstance(one, Sighting)]:
                if record.id in {other.subnet_id, other.port_id, other.network_id}:
                    del self.there[other.id]  # with what it belongs to, unsaid
            return True
        is_moved = isinstance(record, Port) and isinstance(old, Port) and record.network_id != old.network_id
        if self._is_allowed(record) and not is_moved:
            self.there[record.id] = record
        return self.there.get(record.id) is record

    def _is_allowed(self, record: Any) -> bool:
        needed = {getattr(record, "network_id", None), *getattr(record, "security_group_ids", ())}
        if isinstance(record, Sighting):
            needed |= {record.subnet_id, record.port_id}
            port = self.there.get(record.port_id or "")
            if isinstance(port, Port) and port.network_id != record.network_id:
                return False
        needed.update(fixed.subnet_id for fixed in getattr(record, "fixed_ips", ()))
        for rule in getattr(record, "rules", ()):
            needed |= {rule.remote_group_id, rule.remote_address_group_id}
        return needed - {None, record.id} <= self.there.keys()

    def _is_in_use(self, record: Any) -> bool:
        """As foreign keys have it; rules that refer to a deleted security group go with it, unsaid."""
        for other in self.there.values():
            if isinstance(other, Sighting):
                continue
            if getattr(other, "network_id", None) == record.id:
                return True
            if record.id in getattr(other, "security_group_ids", ()):
                return True
            if any(fixed.subnet_id == record.id for fixed in getattr(other, "fixed_ips", ())):
                return True
            if any(rule.remote_address_group_id == record.id for rule in getattr(other, "rules", ())):
                return True
        return False


def full(cloud: Cloud, host: str) -> dict[Unit, UnitIntent]:
    """Return what a bridge would be asked for if everything was looked at."""
    view = cloud.view(host)
    return {unit: intent for unit in view.units() if (intent := view.intent(unit)) is not None}


@settings(max_examples=200, deadline=None)
@given(st.lists(batches | hosts, max_size=15))
def test_any_history_gives_what_the_last_state_alone_gives(history: list[list[tuple[bool, Record]] | Host]) -> None:
    cloud, store, empty, fresh = a_cloud(), Store(), a_cloud(), a_cloud()
    cloud.put(*FIRST)
    for batch in history:
        if isinstance(batch, Host):
            for one in (cloud, empty, fresh):
                one.put_host(batch)
            assert_all_was_looked_at(cloud)
            continue
        touched = {record.id for is_gone, record in batch if store.change(record, is_gone=is_gone)}
        seen = {record.id: record for _, record in batch}
        gone = [seen[i] for i in touched if i not in store.there]
        cloud.take({i: store.there[i] for i in touched if i in store.there}, gone)
        assert_all_was_looked_at(cloud)

    fresh.take(store.there)
    for name, bridge in cloud.bridges.items():
        assert full(cloud, name) == full(fresh, name)
        told, compiled = bridge.state.tables(), compile_bridge(full(fresh, name).values()).tables()
        assert told.flows.keys() == compiled.flows.keys()
        assert all(same_in_switch(told.flows[key], flow) for key, flow in compiled.flows.items())
        assert (told.groups, told.meters) == (compiled.groups, compiled.meters)

    cloud.take({}, list(store.there.values()))
    for name, bridge in cloud.bridges.items():
        assert bridge.state.tables() == empty.bridges[name].state.tables(), "only static state is left"
        assert not vars(bridge)["_zones"]
    assert remembered(cloud) == remembered(empty), "no index grows for ever"


def a_cloud() -> Cloud:
    return Cloud(3, physnets=("public", "lab"))


def assert_all_was_looked_at(cloud: Cloud) -> None:
    for name, bridge in cloud.bridges.items():
        assert vars(bridge)["_intents"] == full(cloud, name)


def remembered(cloud: Cloud) -> dict[str, Any]:
    model = cloud.model
    parts = {**vars(model), **vars(model.addresses), **vars(model.rulesets), **vars(model.sightings)}
    return {
        k: v
        for k, v in parts.items()
        if k not in {"addresses", "rulesets", "sightings", "generation", "meetings"} and v
    }


# what is not looked at ------------------------------------------------------------------------------------------------


@pytest.fixture
def cloud() -> Cloud:
    """Thirty members of a group that ten others refer to, on two hosts."""
    cloud = Cloud()
    cloud.put(a_network(), a_subnet(), *(a_group(k, a_rule(remote_group_id="g16")) for k in range(16, 27)))
    cloud.put(*(a_port(n, f"10.0.0.{n}", groups=["g16"], host=f"h{1 + n % 2}") for n in range(1, 31)))
    cloud.put(*(a_port(30 + n, f"10.0.0.{30 + n}", groups=[f"g{16 + n}"]) for n in range(1, 11)))
    return cloud


def kinds(cloud: Cloud, host: str) -> dict[UnitKind, int]:
    marked = [unit.kind for unit in cloud.marked[host]]
    return {kind: marked.count(kind) for kind in dict.fromkeys(marked)}


def test_one_member_more_touches_no_rule(cloud: Cloud) -> None:
    """Whatever the group's size, and however many rules refer to it."""
    cloud.put(a_port(99, "10.0.0.99", groups=["g16"]))
    assert (
        cloud.marked["h1"]
        == cloud.marked["h2"]
        == {
            Unit(UnitKind.LOCAL_PORT, 99),
            Unit(UnitKind.REMOTE_PORT, 99),
            Unit(UnitKind.SEGMENT, 1),
        }
    )


def test_one_rule_more_touches_the_rulesets_that_contain_it_and_no_port(cloud: Cloud) -> None:
    cloud.put(a_group(16, a_rule(remote_group_id="g16"), a_rule("r2")))
    assert cloud.marked == {"h1": {Unit(UnitKind.RULESET, 16)}, "h2": {Unit(UnitKind.RULESET, 16)}}
    assert [len(delta.flows) for delta in cloud.deltas.values()] == [1, 1]
    cloud.put(a_group(20))
    assert cloud.marked == {"h1": {Unit(UnitKind.RULESET, 20)}, "h2": set()}


def test_a_pair_touches_the_ports_whose_addresses_it_covers(cloud: Cloud) -> None:
    cloud.put(a_port(1, "10.0.0.1", groups=["g16"], host="h2", pairs=[("fa:16:3e:00:00:01", "10.0.0.8/30")]))
    touched = {unit.key for unit in cloud.marked["h1"] if unit.kind is UnitKind.REMOTE_PORT}
    assert touched == {1, 9, 11}
    assert {u.key for u in cloud.marked["h1"] if u.kind is UnitKind.LOCAL_PORT} == {1, 8, 10}
    assert UnitKind.RULESET not in kinds(cloud, "h1")
    cloud.put(a_port(1, "10.0.0.1", groups=["g16"], host="h2", pairs=[("fa:16:3e:00:00:01", "10.0.0.8/30")]))
    assert {u.key for u in cloud.marked["h1"] if u.kind is UnitKind.LOCAL_PORT} == {1}


def test_an_address_more_in_a_group_touches_hosts_whose_rules_refer_to_it(cloud: Cloud) -> None:
    cloud.put(an_address_group(50, "10.0.0.0/8"), a_group(20, a_rule(remote_address_group_id="a50")))
    cloud.put(an_address_group(50, "10.0.0.0/8", "192.0.2.0/24"))
    assert cloud.marked == {"h1": {Unit(UnitKind.ADDRESS_GROUP, 50)}, "h2": set()}
    assert len(cloud.deltas["h1"].flows) == 2, "one for each direction"


def test_the_last_port_with_a_ruleset_takes_the_rules_along(cloud: Cloud) -> None:
    cloud.put(an_address_group(50, "10.0.0.0/8"), a_group(20, a_rule(remote_address_group_id="a50")))
    cloud.put(a_port(34, "10.0.0.34", groups=["g16"]))
    units = {Unit(UnitKind.RULESET, 20), Unit(UnitKind.ADDRESS_GROUP, 50)}
    assert units <= cloud.marked["h1"]
    assert not units & cloud.bridges[cloud.hosts[0].name].known_units()
