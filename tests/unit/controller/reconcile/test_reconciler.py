"""The reconciler over a real store: whatever happened in whatever order, switches hold what a full compile gives."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import WeftError
from controller.reconcile.ovsdb_rows import port_row
from controller.records import HostName, Port, PortStatus, Reason
from controller.services import (
    address_groups,
    bindings,
    hosts,
    networks,
    ports,
    security_group_rules,
    security_groups,
)
from controller.southbound.openflow.events import Connected, Failed, Refusal, Synced
from controller.southbound.ovsdb.model import HostView
from controller.store.snapshot import last_seq, load_snapshot, prune_journal
from controller.store.transaction import Transaction
from flows.cookie import Feature, ObjectKind, decode, encode
from flows.delta import same_in_switch
from flows.pipeline import TABLE_BY_ID, broadcast_group
from tests.unit.controller.reconcile.asking import (
    create_address_group,
    create_group,
    create_network,
    create_port,
    create_rule,
    create_subnet,
    write,
)
from tests.unit.controller.reconcile.world import ADMIN, World, way_rows

HOSTS = ("h1", "h2", "h3")


def assert_told_is_compiled(world: World) -> None:
    compiled, told = world.fully_compiled(), world.told()
    for host, expected in compiled.items():
        assert told[host].flows.keys() == expected.flows.keys(), host
        assert all(same_in_switch(told[host].flows[k], f) for k, f in expected.flows.items()), host
        assert told[host].groups == expected.groups, host
        assert told[host].meters == expected.meters, host


def assert_stated_is_intent(world: World) -> None:
    with world.database.read() as tx:
        snapshot = load_snapshot(tx)
    for host in snapshot.hosts:
        bound = [row for p in snapshot.ports if (row := port_row(p, host.name)) is not None]
        assert world.desired[host.name].prewired == frozenset(bound), host.name


class Actor:
    """Does one random thing after another, as users and hypervisors do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.networks: list[str] = []
        self.ports: list[Port] = []
        self.groups: list[str] = []
        self.rules: list[str] = []
        self.address_groups: list[str] = []
        self.plugs: dict[str, dict[str, tuple[str, str, int]]] = {h: {} for h in HOSTS}

    def do(self, what: str, a: int, b: int) -> None:
        try:
            getattr(self, what)(a, b)
        except WeftError:
            return  # refused whole; the property is about what was accepted

    def network(self, a: int, b: int) -> None:
        kinds: list[dict[str, Any]] = [
            {},
            {"network_type": "geneve"},
            {"network_type": "vlan", "physical_network": "public", "segmentation_id": 1 + a % 4},
            {"network_type": "flat", "physical_network": "public"},
        ]

        def call(tx: Transaction) -> str:
            network = create_network(tx, admin_state_up=bool(a % 4), pvlan=not b % 2, **kinds[b % 4])
            if b % 3:
                create_subnet(tx, network.id, "10.0.0.0/29")
            return str(network.id)

        self.networks.append(write(self.world, call))

    def port(self, a: int, b: int) -> None:
        if self.networks:
            network = self.networks[a % len(self.networks)]
            host = (None, "nowhere", *HOSTS)[b % 5]
            owner = ("compute:nova", "")[a % 2]
            self.ports.append(write(self.world, lambda tx: create_port(tx, network, host, device_owner=owner)))

    def isolate(self, a: int, b: int) -> None:
        if self.ports:
            port, kind = self.ports[a % len(self.ports)], ("promiscuous", "isolated", "community")[b % 3]
            changes = {"pvlan_type": kind, "pvlan_community": f"c{b % 5}" if kind == "community" else None}
            write(self.world, lambda tx: ports.update(tx, ADMIN, port.id, changes))

    def bind_again(self, a: int, b: int) -> None:
        """Begin a live migration."""
        if self.ports:
            port = self.ports[a % len(self.ports)]
            wanted = {"host": HOSTS[b % 3], "vnic_type": "normal", "profile": {}}
            write(self.world, lambda tx: bindings.create(tx, ADMIN, port.id, wanted))

    def arrive(self, a: int, b: int) -> None:
        """A guest shows itself somewhere, be it migrating there or not."""
        if self.ports:
            cookie = encode(Feature.MIGRATION, self.ports[a % len(self.ports)].key)
            dpids = sorted(self.world.switches)
            self.world.directory.packet_in(dpids[b % 3], cookie, 1, b"\xff" * 60)

    def unbind(self, a: int, b: int) -> None:
        if self.ports:
            port, host = self.ports[a % len(self.ports)], HOSTS[b % 3]
            write(self.world, lambda tx: bindings.delete(tx, ADMIN, port.id, host))

    def gateway_port(self, a: int, _b: int) -> None:
        """A port that owns the address the network would answer ARP for."""
        if self.networks:
            network = self.networks[a % len(self.networks)]
            fixed = [{"ip_address": "10.0.0.1"}]
            self.ports.append(write(self.world, lambda tx: create_port(tx, network, "h1", fixed_ips=fixed)))

    def change(self, a: int, b: int) -> None:
        if self.ports:
            port = self.ports[a % len(self.ports)]
            changes: dict[str, Any] = (
                {"host": (None, *HOSTS)[b % 4]},
                {"admin_state_up": bool(b % 2)},
                {"port_security_enabled": bool(b % 2)},
                {"mac_address": f"02:00:00:00:00:{b % 16:02x}"},
                {"fixed_ips": []},
                {"allowed_address_pairs": [(None, ("10.0.0.3", "10.0.0.0/30", "192.0.2.0/24")[b % 3])]},
                {"allowed_address_pairs": []},
                {"security_group_ids": [], "allowed_address_pairs": []},
            )[b % 8]
            write(self.world, lambda tx: ports.update(tx, ADMIN, port.id, changes))

    def group(self, _a: int, b: int) -> None:
        self.groups.append(write(self.world, lambda tx: create_group(tx, stateful=bool(b % 3))).id)

    def join(self, a: int, b: int) -> None:
        if self.ports and self.groups:
            port, first = self.ports[a % len(self.ports)], b % len(self.groups)
            chosen = self.groups[first : first + 1 + b % 2]
            write(self.world, lambda tx: ports.update(tx, ADMIN, port.id, {"security_group_ids": chosen}))

    def rule(self, a: int, b: int) -> None:
        if not self.groups:
            return
        group, remote = self.groups[a % len(self.groups)], self.groups[b % len(self.groups)]
        attributes: dict[str, Any] = (
            {"protocol": "tcp", "port_range_min": 1 + a, "port_range_max": 1 + a + b},
            {"remote_group_id": remote},
            {"remote_group_id": remote, "protocol": "udp", "direction": "egress"},
            {"remote_ip_prefix": f"10.{b % 3}.0.0/16"},
            {"remote_address_group_id": self.address_groups[b % len(self.address_groups)]}
            if self.address_groups
            else {"ethertype": "IPv6", "protocol": "icmp"},
        )[b % 5]
        self.rules.append(write(self.world, lambda tx: create_rule(tx, group, **attributes)).id)

    def delete_rule(self, a: int, _b: int) -> None:
        if self.rules:
            rule = self.rules.pop(a % len(self.rules))
            write(self.world, lambda tx: security_group_rules.delete(tx, ADMIN, rule))

    def delete_group(self, a: int, _b: int) -> None:
        if self.groups:
            group = self.groups[a % len(self.groups)]
            write(self.world, lambda tx: security_groups.delete(tx, ADMIN, group))
            self.groups.remove(group)

    def address_group(self, _a: int, b: int) -> None:
        made = write(self.world, lambda tx: create_address_group(tx, "10.0.0.0/8", f"fd00:{b % 3}::/32"))
        self.address_groups.append(made.id)

    def change_address_group(self, a: int, b: int) -> None:
        if self.address_groups:
            group = self.address_groups[a % len(self.address_groups)]
            call = address_groups.add_addresses if b % 2 else address_groups.remove_addresses
            write(self.world, lambda tx: call(tx, ADMIN, group, [f"192.0.{b % 4 // 2}.0/24"]))

    def delete_address_group(self, a: int, _b: int) -> None:
        if self.address_groups:
            group = self.address_groups[a % len(self.address_groups)]
            write(self.world, lambda tx: address_groups.delete(tx, ADMIN, group))
            self.address_groups.remove(group)

    def everything_goes(self) -> None:
        for host in HOSTS:
            self.plugs[host].clear()
            self.world.see(host)
        for _ in range(len(self.ports)):
            self.delete(0, 0)
        for group in list(self.groups):
            self.delete_group(self.groups.index(group), 0)
        for group in list(self.address_groups):
            self.delete_address_group(self.address_groups.index(group), 0)
        for network in list(self.networks):
            self.delete_network(self.networks.index(network), 0)
        self.world.settle()

    def delete(self, a: int, _b: int) -> None:
        if self.ports:
            port = self.ports.pop(a % len(self.ports))
            write(self.world, lambda tx: ports.delete(tx, ADMIN, port.id))

    def change_network(self, a: int, b: int) -> None:
        if self.networks:
            network = self.networks[a % len(self.networks)]
            changes = ({"admin_state_up": bool(b % 2)}, {"pvlan": not b % 2})[a % 2]
            write(self.world, lambda tx: networks.update(tx, ADMIN, network, changes))

    def delete_network(self, a: int, _b: int) -> None:
        if self.networks:
            network = self.networks[a % len(self.networks)]
            write(self.world, lambda tx: networks.delete(tx, ADMIN, network))
            self.networks.remove(network)

    def plug(self, a: int, b: int) -> None:
        if self.ports:
            port, host = self.ports[a % len(self.ports)], HOSTS[b % 3]
            device = f"tap{port.id[:11]}" if b % 2 else f"vnet{a}"
            wanted = port.binding.ofport if port.binding and b % 2 else 5 + a % 20
            self.plugs[host][device] = (device, port.id, wanted)
            self.world.see(host, *self.plugs[host].values())

    def unplug(self, _a: int, b: int) -> None:
        host = HOSTS[b % 3]
        if self.plugs[host]:
            self.plugs[host].popitem()
            self.world.see(host, *self.plugs[host].values())

    def settle(self, _a: int, _b: int) -> None:
        self.world.settle()


ACTS = [
    "network",
    "port",
    "port",
    "gateway_port",
    "isolate",
    "bind_again",
    "bind_again",
    "arrive",
    "unbind",
    "change",
    "change",
    "delete",
    "change_network",
    "delete_network",
    "group",
    "join",
    "join",
    "rule",
    "rule",
    "delete_rule",
    "delete_group",
    "address_group",
    "change_address_group",
    "delete_address_group",
    "plug",
    "plug",
    "unplug",
    "settle",
]
HISTORY = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 99), st.integers(0, 99)), max_size=40)


@settings(max_examples=40, deadline=None)
@given(HISTORY)
def test_any_order_of_calls_and_plugs_gives_the_flows_of_one_full_compile(history: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        world.reconciler.start()
        try:
            for number, host in enumerate(HOSTS, start=1):
                world.register(host, number, *(("public",) if number != 3 else ()))
            static = world.told()
            actor = Actor(world)
            for what in ("network", "group", "group", "address_group"):
                actor.do(what, 1, 1)
            for what, a, b in history:
                actor.do(what, a, b)
            world.settle()
            assert_told_is_compiled(world)
            assert_stated_is_intent(world)
            actor.everything_goes()
            assert world.told() == static, "after everything is deleted only static state is left"
            assert [s.loads for s in world.switches.values()] == [1, 1, 1], "a host was loaded more than once"
        finally:
            world.close()


def test_nothing_is_loaded_into_a_switch_before_its_database_was_read(world: World) -> None:
    """Completeness gate: a delete on the strength of an incomplete view would cut running ports off."""
    world.register("h1", 1)
    switch = next(iter(world.switches.values()))
    assert switch.loads == 1
    world.views["h2"] = world.view("nobody")
    with world.database.write() as tx:
        network = create_network(tx)
        create_port(tx, network.id, "h1")
    world.settle()
    assert len(switch.deltas) == 1


def test_what_switches_say_is_heard_between_the_first_loads_of_many_large_bridges(world: World) -> None:
    world.load_takes_s = 1.0
    with world.database.write() as tx:
        for number, name in enumerate(HOSTS, 1):
            wanted = {"name": name, "ovsdb": f"tcp:192.0.2.{number}:6640", "tunnel_ip": f"10.0.0.{number}"}
            hosts.create(tx, ADMIN, wanted | {"datapath_type": "netdev", "physnets": ()})
    world.settle()

    def all_connect() -> None:
        """All in one batch, because the reconciler itself does it."""
        for name, bridge in ((one, world.reconciler.bridge(HostName(one))) for one in HOSTS):
            assert bridge is not None
            world.views[name] = HostView(connected=True, synced=True)
            world.rows[name] = {row.uuid: row for row in way_rows(bridge.host)}
            world.reconciler.switch_event(bridge.host.datapath_id, Connected())
            world.reconciler.view_changed(name)

    world.reconciler.ask(all_connect, 10)
    world.settle()
    assert [len(programmed) for programmed in world.programmed_at_load] == [0, 1, 2]
    assert world.loaded_at == [3]


def test_a_port_is_active_when_its_device_is_there_and_its_flows_are_confirmed(world: World) -> None:
    world.register("h1", 1)
    network = write(world, create_network)
    port = write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.settle()
    assert world.port_states[port.id].reason is Reason.NOT_PLUGGED
    world.confirming = False
    world.see("h1", ("vnet0", port.id, 7))
    assert world.port_states[port.id].status is PortStatus.BUILD
    world.confirming = True
    write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.settle()
    assert world.port_states[port.id].status is PortStatus.ACTIVE


def test_one_port_more_recompiles_only_itself_and_its_segment(world: World) -> None:
    world.register("h1", 1)
    network = write(world, create_network)
    for _ in range(20):
        write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.settle()
    switch = next(iter(world.switches.values()))
    before = len(switch.deltas)
    write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.settle()
    [delta] = switch.deltas[before:]
    names = Counter(TABLE_BY_ID[flow.table].name for flow in delta.flows)
    own = {"classify": 1, "port_security": 2, "from_state": 1, "l2_lookup": 1}
    assert names == own, "neither DHCP nor an address without a subnet; the rules are there"
    assert [g.id for g in delta.groups] == [broadcast_group(network.segments[0].key)]
    assert not delta.deleted_flows


def test_rows_are_stated_for_bound_ports_only(world: World) -> None:
    world.register("h1", 1)
    network = write(world, create_network)
    bound = write(world, lambda tx: create_port(tx, network.id, "h1"))
    write(world, lambda tx: create_port(tx, network.id))
    world.settle()
    [row] = world.desired["h1"].prewired
    assert row.iface_id == bound.id
    assert row.name == f"tap{bound.id[:11]}"
    assert bound.binding is not None
    assert row.ofport == bound.binding.ofport


def test_after_the_first_time_only_what_changed_is_stated(world: World) -> None:
    """Issue 3, point 1: one port more costs one row, however many there are."""
    world.register("h1", 1)
    network = write(world, create_network)
    for _ in range(5):
        write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.settle()
    world.stated.clear()
    port = write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.settle()
    world.see("h1", ("vnet0", port.id, 7))
    write(world, lambda tx: ports.update(tx, ADMIN, port.id, {"host": None}))
    world.settle()
    assert world.stated == ["1 ports", "1 ports"]
    assert len(world.desired["h1"].prewired) == 5


def test_a_port_that_moves_leaves_the_rows_of_its_old_host(world: World) -> None:
    world.register("h1", 1)
    world.register("h2", 2)
    network = write(world, create_network)
    port = write(world, lambda tx: create_port(tx, network.id, "h1"))
    write(world, lambda tx: ports.update(tx, ADMIN, port.id, {"host": "h2"}))
    world.settle()
    assert {name: len(desired.prewired) for name, desired in world.desired.items()} == {"h1": 0, "h2": 1}


def test_a_restart_with_the_same_intent_loads_the_same_state(world: World, tmp_path: Path) -> None:
    world.register("h1", 1)
    network = write(world, create_network)
    port = write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.see("h1", ("vnet0", port.id, 7))
    told = world.told()["h1"]
    again = World(tmp_path)
    again.views = dict(world.views)
    again.rows = dict(world.rows)
    again.reconciler.start()
    again.reconciler.view_changed("h1")
    again.settle()
    assert again.told()["h1"] == told
    again.close()


def test_what_happened_longer_ago_than_the_journal_goes_back_is_done_all_the_same(world: World) -> None:
    """The journal is pruned under a reconciler that is behind: it starts over from the store, and forgets nothing."""
    for number, host in enumerate(HOSTS, start=1):
        world.register(host, number)
    network, doomed, group = (*(write(world, create_network) for _ in range(2)), write(world, create_group))
    write(world, lambda tx: create_subnet(tx, network.id, "10.0.0.0/24"))
    wanted = [(network, "h1"), (network, "h2"), (doomed, "h1"), (doomed, "h3"), (network, "h3")]
    made = [
        write(world, lambda tx, n=n, h=h: create_port(tx, n.id, h, security_group_ids=[group.id])) for n, h in wanted
    ]
    world.see("h1", ("vnet0", made[0].id, 7), ("vnet2", made[2].id, 8))
    gone = {host.name: host.datapath_id for host in write(world, lambda tx: hosts.find(tx, ADMIN, hosts.Query()))}["h2"]
    with world.database.write() as tx:
        for port in made[2:4]:
            ports.delete(tx, ADMIN, port.id)
        networks.delete(tx, ADMIN, doomed.id)
        ports.update(tx, ADMIN, made[4].id, {"host": "h1"})
        create_rule(tx, group.id, protocol="tcp")
    with world.database.write() as tx:
        hosts.delete(tx, ADMIN, "h2", force=True)
    with world.database.write() as tx:
        prune_journal(tx, last_seq(tx))
    world.settle()
    assert_told_is_compiled(world)
    assert_stated_is_intent(world)
    assert gone not in world.switches
    assert not {port.id for port in made[2:4]} & world.reconciler.port_states.keys()
    assert [switch.loads for switch in world.switches.values()] == [1, 1], "what is the same is not sent again"


def test_a_deleted_rule_is_taken_from_the_switch_with_what_it_let_in(world: World) -> None:
    """The flow goes and the zone is flushed, in one change of the switch."""
    world.register("h1", 1)
    network, group = write(world, create_network), write(world, create_group)
    port = write(world, lambda tx: create_port(tx, network.id, "h1", security_group_ids=[group.id]))
    rule = write(world, lambda tx: create_rule(tx, group.id, protocol="tcp", port_range_min=22, port_range_max=22))
    world.settle()
    switch = next(iter(world.switches.values()))
    before = len(switch.deltas)
    write(world, lambda tx: security_group_rules.delete(tx, ADMIN, rule.id))
    world.settle()
    [delta] = switch.deltas[before:]
    assert [flow.why for flow in delta.deleted_flows] == [f"security group rule {rule.id}"]
    assert delta.revoked_zones == (port.binding.ofport,)


def test_rules_the_switch_refuses_are_told_at_the_ports_that_have_them(world: World) -> None:
    world.register("h1", 1)
    network, group = write(world, create_network), write(world, create_group)
    port = write(world, lambda tx: create_port(tx, network.id, "h1", security_group_ids=[group.id]))
    world.settle()
    world.see("h1", ("vnet0", port.id, 7))
    dpid, switch = next(iter(world.switches.items()))
    owners = {flow.cookie: decode(flow.cookie) for flow in switch.tables.flows.values()}
    refused = next(c for c, o in owners.items() if o and (o.kind, o.key) == (ObjectKind.RULESET, group.key))
    token = len(switch.deltas) + 99
    refusal = Refusal(cookie=refused, error="no room", what="flow")
    world.reconciler.switch_event(dpid, Failed(token, (refusal,)))
    world.settle()
    state = world.port_states[port.id]
    assert (state.status, state.reason) == (PortStatus.ERROR, Reason.PROGRAMMING_FAILED)
    assert "no room" in state.detail
    assert "no room" in (world.host_states[HostName("h1")].problem or "")
    world.reconciler.switch_event(dpid, Synced(token))
    world.settle()
    assert world.port_states[port.id].status is PortStatus.ACTIVE
    assert world.host_states[HostName("h1")].problem is None


# migration ------------------------------------------------------------------------------------------------------------


def migrating(world: World) -> Port:
    """Return a port of one host that is to go to another."""
    for number, host in enumerate(("h1", "h2"), start=1):
        world.register(host, number)
    network = write(world, create_network)
    port = write(world, lambda tx: create_port(tx, network.id, "h1", device_owner="compute:nova"))
    wanted = {"host": "h2", "vnic_type": "normal", "profile": {}}
    write(world, lambda tx: bindings.create(tx, ADMIN, port.id, wanted))
    world.settle()
    return port  # type: ignore[no-any-return]


def show(world: World, port: Port, host: str) -> None:
    """Let the guest announce itself on a host, five times as QEMU does."""
    with world.database.read() as tx:
        [dpid] = [h.datapath_id for h in load_snapshot(tx).hosts if h.name == host]
    for _ in range(5):
        world.directory.packet_in(dpid, encode(Feature.MIGRATION, port.key), 1, b"\xff" * 60)
    world.settle()
    world.settle()


def bound(world: World) -> tuple[str | None, str | None]:
    with world.database.read() as tx:
        [port] = load_snapshot(tx).ports
    active, standby = port.binding, port.standby
    return active.host if active else None, standby.host if standby else None


def test_a_guest_that_shows_itself_where_it_migrates_to_is_switched_over_once(world: World) -> None:
    port = migrating(world)
    assert bound(world) == ("h1", "h2")
    show(world, port, "h2")
    assert bound(world) == ("h2", "h1")
    assert world.activated.count(True) == 1
    assert_told_is_compiled(world)


@pytest.mark.parametrize("host", ["h1"])
def test_a_guest_where_it_always_was_changes_nothing(world: World, host: str) -> None:
    show(world, migrating(world), host)
    assert (bound(world), world.activated) == (("h1", "h2"), [])


def test_a_guest_that_is_not_moved_changes_nothing(world: World) -> None:
    port = migrating(world)
    write(world, lambda tx: bindings.delete(tx, ADMIN, port.id, "h2"))
    world.settle()
    show(world, port, "h2")
    assert (bound(world), world.activated) == (("h1", None), [])


def test_a_plug_where_a_port_migrates_to_is_not_elsewhere(world: World) -> None:
    port = migrating(world)
    world.see("h1", ("vnet0", port.id, 7))
    world.see("h2", ("vnet9", port.id, 9))
    assert (world.port_states[port.id].reason, world.port_states[port.id].host) == (Reason.WIRED, "h1")
    world.see("h1")
    assert world.port_states[port.id].reason is Reason.NOT_PLUGGED
    show(world, port, "h2")
    assert (world.port_states[port.id].reason, world.port_states[port.id].host) == (Reason.WIRED, "h2")
    write(world, lambda tx: bindings.delete(tx, ADMIN, port.id, "h1"))
    world.see("h1", ("vnet0", port.id, 7))
    world.see("h2")
    assert world.port_states[port.id].reason is Reason.PLUGGED_ELSEWHERE


# what is told unasked -------------------------------------------------------------------------------------------------


def test_a_network_that_begins_to_advertise_tells_its_ports_at_once(world: World) -> None:
    world.register("h1", 1)
    network = write(world, create_network)
    port = write(world, lambda tx: create_port(tx, network.id, "h1"))
    world.see("h1", ("vnet0", port.id, 7))
    slaac = {"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    write(world, lambda tx: create_subnet(tx, network.id, "fd00::/64", **slaac))
    world.settle()
    world.settle()
    assert [ofport for _, ofport, _ in world.sent] == [7]
    assert world.reconciler.advertisements == {"sent": 1, "dropped": 0}


def test_the_geneve_tunnel_is_asked_for_with_the_first_network_of_that_type(world: World) -> None:
    world.register("h1", 1)
    world.register("h2", 2)
    assert [len(world.desired[name].bridge.tunnels) for name in ("h1", "h2")] == [1, 1]
    network = write(world, lambda tx: create_network(tx, network_type="geneve"))
    world.settle()
    assert [len(world.desired[name].bridge.tunnels) for name in ("h1", "h2")] == [2, 2]
    write(world, lambda tx: networks.delete(tx, ADMIN, network.id))
    world.settle()
    assert [len(world.desired[name].bridge.tunnels) for name in ("h1", "h2")] == [1, 1]


def test_a_port_whose_host_lacks_the_physical_network_is_down_until_the_host_has_it(world: World) -> None:
    world.register("h1", 1)
    world.register("h2", 2, "blue")
    with world.database.write() as tx:
        network = create_network(tx, network_type="flat", physical_network="blue")
        port = create_port(tx, network.id, "h1")
    assert port.binding is not None
    plug = (f"tap{port.id[:11]}", port.id, port.binding.ofport)
    world.settle()
    world.see("h1", plug)
    state = world.port_states[port.id]
    assert (state.status, state.reason) == (PortStatus.DOWN, Reason.PHYSNET_MISSING)
    assert "no way to physical network blue" in state.detail
    with world.database.write() as tx:
        hosts.update(tx, ADMIN, "h1", {"physnets": [("green", "br-green"), ("blue", "br-blue")]})
    world.settle()
    world.see("h1", plug)
    assert world.port_states[port.id].reason is Reason.WIRED
    assert world.told() == world.fully_compiled()


def test_a_physical_network_added_before_another_changes_no_flow(world: World) -> None:
    """Its patch has the number it had: no frame of one physical network gets into another."""
    world.register("h1", 1, "blue")
    with world.database.write() as tx:
        network = create_network(tx, network_type="flat", physical_network="blue")
        port = create_port(tx, network.id, "h1")
    assert port.binding is not None
    plug = (f"tap{port.id[:11]}", port.id, port.binding.ofport)
    world.settle()
    world.see("h1", plug)
    before = world.told()
    with world.database.write() as tx:
        hosts.update(tx, ADMIN, "h1", {"physnets": [("green", "br-green"), ("blue", "br-blue")]})
    world.settle()
    assert world.told() == before
    world.see("h1", plug)
    assert world.told() == before
