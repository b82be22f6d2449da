"""Does a change make anew what it concerns, and never less? Rows made step by step are those made at once."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.plugins.ovn.acls import DROP_KEY
from controller.plugins.ovn.intent import Intent
from controller.plugins.ovn.rows import Member, Row, RowKey
from controller.reconcile.feed import Changes
from controller.records import AddressGroup, Network, Port, SecurityGroup, Snapshot, Subnet
from tests.unit.controller.reconcile.builders import (
    a_group,
    a_network,
    a_port,
    a_rule,
    a_segment,
    a_subnet,
    an_address_group,
)

Record = Network | Subnet | Port | SecurityGroup | AddressGroup


def a_snapshot(*records: Record) -> Snapshot:
    return Snapshot(
        epoch="epoch",
        seq=1,
        networks=tuple(one for one in records if isinstance(one, Network)),
        subnets=tuple(one for one in records if isinstance(one, Subnet)),
        ports=tuple(one for one in records if isinstance(one, Port)),
        hosts=(),
        security_groups=tuple(one for one in records if isinstance(one, SecurityGroup)),
        address_groups=tuple(one for one in records if isinstance(one, AddressGroup)),
    )


def rows_of(*records: Record) -> Mapping[RowKey, Row]:
    return Intent(a_snapshot(*records)).rows


def a_geneve(number: int = 1, **more: Any) -> Network:
    return a_network(number, a_segment(number, "geneve"), **more)


def changes_of(present: Mapping[tuple[type, str], Record], gone: Mapping[tuple[type, str], Record]) -> Changes:
    """Return what says that some records are there and others are not."""

    def of(kind: type) -> Any:
        return {i: None for t, i in gone if t is kind} | {i: one for (t, i), one in present.items() if t is kind}

    return Changes(
        networks=of(Network),
        subnets=of(Subnet),
        ports=of(Port),
        security_groups=of(SecurityGroup),
        address_groups=of(AddressGroup),
    )


VARIANTS: tuple[Record, ...] = (
    a_geneve(1),
    a_geneve(1, admin_state_up=False),
    a_geneve(1, mtu=1300),
    a_subnet(1),
    a_subnet(1, enable_dhcp=False),
    a_subnet(1, gateway_ip="10.0.0.1", host_routes=(("192.0.2.0/24", "10.0.0.9"),)),
    a_port(1, "10.0.0.5", groups=["g16"]),
    a_port(1, "10.0.0.5", groups=["g16", "g17"]),
    a_port(1, "10.0.0.5", port_security_enabled=False),
    a_port(2, "10.0.0.6", groups=["g17"], extra_dhcp_opts=(("mtu", "1200", 4),)),
    a_port(2, "10.0.0.6", groups=["g18"], host=None),
    a_geneve(2),
    a_port(2, "10.0.0.6", network=2, groups=["g17"], pairs=[("", "10.0.0.9")]),
    a_port(3, "10.0.0.7", network=2, groups=["g16"]),
    a_group(16, a_rule("r1", group="g16", remote_group_id="g17")),
    a_group(16, a_rule("r1", group="g16", remote_address_group_id="a50")),
    a_group(17, a_rule("r2", group="g17", remote_group_id="g16"), stateful=False),
    a_group(17),
    a_group(18, a_rule("r3", group="g18", remote_group_id="g17", ethertype="IPv6")),
    an_address_group(50, "192.0.2.0/24", "2001:db8::/64"),
    an_address_group(50, "198.51.100.0/24"),
)
STEP = st.tuples(st.sampled_from(VARIANTS), st.booleans())


@settings(max_examples=300, deadline=None)
@given(batches=st.lists(st.lists(STEP, min_size=1, max_size=4), max_size=12))
def test_rows_made_change_by_change_are_those_made_at_once(batches: list[list[tuple[Record, bool]]]) -> None:
    intent = Intent(a_snapshot())
    there: dict[tuple[type, str], Record] = {}
    for batch in batches:
        before = dict(intent.rows)
        touched: dict[tuple[type, str], Record] = {}
        for record, is_there in batch:
            key = (type(record), str(record.id))
            touched[key] = record
            there.pop(key, None)
            if is_there:
                there[key] = record
        present = {key: there[key] for key in touched if key in there}
        dirty = intent.change(changes_of(present, {key: one for key, one in touched.items() if key not in there}))
        expected = Intent(a_snapshot(*there.values())).rows
        assert intent.rows == expected
        changed = {key for key in before.keys() | expected.keys() if before.get(key) != expected.get(key)}
        assert changed <= dirty


def test_a_network_becomes_a_switch_with_its_number_on_the_wire() -> None:
    row = rows_of(a_geneve())[RowKey("network/n1")]
    assert row.columns == {"name": "weft-n1", "other_config": {"requested-tnl-key": "101"}}


def test_a_vlan_network_has_a_port_to_its_physical_network_with_its_tag() -> None:
    rows = rows_of(a_network(1, a_segment(1, "vlan", "physnet1")))
    row = rows[RowKey("segment/s1")]
    assert row.columns["type"] == "localnet"
    assert row.columns["options"] == {"network_name": "physnet1"}
    assert row.columns["tag"] == frozenset({101})
    assert rows[RowKey("network/n1")].columns["other_config"] == {}


def test_a_flat_network_has_a_port_to_its_physical_network_without_a_tag() -> None:
    assert rows_of(a_network(1, physical_network="physnet1"))[RowKey("segment/s1")].columns["tag"] == frozenset()


def test_a_guarded_port_may_use_its_addresses_and_is_in_its_groups_and_in_the_one_that_drops() -> None:
    row = rows_of(a_geneve(), a_group(16), a_port(1, "10.0.0.5", groups=["g16"]))[RowKey("port/p1")]
    assert row.columns["name"] == "p1"
    assert row.columns["addresses"] == row.columns["port_security"] == frozenset({"fa:16:3e:00:00:01 10.0.0.5"})
    assert row.columns["options"] == {"requested-chassis": "h1"}
    assert row.members == {
        Member("Logical_Switch", RowKey("network/n1"), "ports"),
        Member("Port_Group", DROP_KEY, "ports"),
        Member("Port_Group", RowKey("security-group/g16/n1"), "ports"),
    }


def test_a_guarded_port_without_addresses_may_use_none() -> None:
    row = rows_of(a_geneve(), a_port(1))[RowKey("port/p1")]
    assert row.columns["port_security"] == frozenset({"fa:16:3e:00:00:01 0.0.0.0"})


def test_an_open_port_is_in_no_group_and_gets_what_nobody_else_is_known_to_have() -> None:
    row = rows_of(a_geneve(), a_group(16), a_port(1, "10.0.0.5", port_security_enabled=False))[RowKey("port/p1")]
    assert row.columns["port_security"] == frozenset()
    assert row.columns["addresses"] == frozenset({"fa:16:3e:00:00:01 10.0.0.5", "unknown"})
    assert row.members == {Member("Logical_Switch", RowKey("network/n1"), "ports")}


def test_pairs_may_be_used_by_mac_address() -> None:
    pairs = [("", "10.0.0.9"), ("02:00:00:00:00:99", "10.0.0.0/28")]
    row = rows_of(a_geneve(), a_port(1, "10.0.0.5", pairs=pairs))[RowKey("port/p1")]
    assert row.columns["port_security"] == frozenset(
        {"fa:16:3e:00:00:01 10.0.0.5 10.0.0.9", "02:00:00:00:00:99 10.0.0.0/28"}
    )
    assert "unknown" in row.columns["addresses"]  # type: ignore[operator]


def test_a_migrating_port_may_be_on_both_hosts_and_speaks_on_the_new_one_after_its_guest() -> None:
    row = rows_of(a_geneve(), a_port(1, host="h1", standby="h2"))[RowKey("port/p1")]
    assert row.columns["options"] == {"requested-chassis": "h1,h2", "activation-strategy": "rarp"}


def test_a_port_that_is_down_or_whose_network_is_is_disabled_and_nobody_answers_for_it() -> None:
    for network, port in ((a_geneve(admin_state_up=False), a_port(1)), (a_geneve(), a_port(1, admin_state_up=False))):
        columns = rows_of(network, port)[RowKey("port/p1")].columns
        assert columns["enabled"] == frozenset({False})
        assert columns["addresses"] == frozenset()


def test_a_subnet_tells_what_weft_tells_and_a_port_with_options_has_a_row_of_its_own() -> None:
    subnet = a_subnet(
        gateway_ip="10.0.0.1",
        dns_nameservers=("192.0.2.53", "192.0.2.54"),
        host_routes=(("198.51.100.0/24", "10.0.0.9"),),
    )
    options = (("domain-name", "weft.example", 4), ("router", None, 4))
    rows = rows_of(a_geneve(), subnet, a_port(1, "10.0.0.5"), a_port(2, "10.0.0.6", extra_dhcp_opts=options))
    shared = rows[RowKey("subnet/n1-4")]
    assert shared.columns["options"] == {
        "server_id": "10.0.0.1",
        "server_mac": "02:57:45:46:54:01",
        "lease_time": "86400",
        "mtu": "1450",
        "router": "10.0.0.1",
        "dns_server": "{192.0.2.53, 192.0.2.54}",
        "classless_static_route": "{198.51.100.0/24,10.0.0.9, 0.0.0.0/0,10.0.0.1}",
        "ms_classless_static_route": "{198.51.100.0/24,10.0.0.9, 0.0.0.0/0,10.0.0.1}",
    }
    own = rows[RowKey("port-options/p2/4")].columns["options"]
    assert own["domain_name"] == '"weft.example"'  # type: ignore[index,call-overload]
    assert "router" not in own  # type: ignore[operator]
    assert rows[RowKey("port/p1")].columns["dhcpv4_options"] == shared.key
    assert rows[RowKey("port/p2")].columns["dhcpv4_options"] == RowKey("port-options/p2/4")


def test_guests_are_told_their_name_and_the_domain_of_their_network_or_their_own() -> None:
    named = a_port(1, "10.0.0.5", dns_name="db"), a_port(2, "10.0.0.6", dns_domain="own.example.")
    rows = rows_of(a_geneve(dns_domain="weft.example."), a_subnet(), *named, a_port(3, "10.0.0.7"))

    def told(key: str) -> list[str | None]:
        options: Any = rows[RowKey(key)].columns["options"]
        return [options.get(name) for name in ("hostname", "domain_name", "domain_search_list")]

    assert told("subnet/n1-4") == [None, '"weft.example"', '"weft.example"']
    assert told("port-options/p1/4") == ['"db"', '"weft.example"', '"weft.example"']
    assert told("port-options/p2/4") == [None, '"own.example"', '"own.example"']
    assert rows[RowKey("port/p3")].columns["dhcpv4_options"] == RowKey("subnet/n1-4")


def test_an_option_may_be_named_as_dnsmasq_takes_it() -> None:
    asked = (("option:MTU", "1300", 4), ("252", "http://wpad.example/", 4), ("42", "192.0.2.7", 4))
    row = rows_of(a_geneve(), a_subnet(), a_port(1, "10.0.0.5", extra_dhcp_opts=asked))[RowKey("port-options/p1/4")]
    options: Any = row.columns["options"]
    assert [options[name] for name in ("mtu", "wpad", "ntp_server")] == ["1300", '"http://wpad.example/"', "192.0.2.7"]


def _told_beside(subnet: Any, *asked: tuple[str, str | None]) -> Any:
    """Return the options of a port that asks for some of its own."""
    port = a_port(1, "10.0.0.5", extra_dhcp_opts=tuple((name, value, 4) for name, value in asked))
    return rows_of(a_geneve(), subnet, port)[RowKey("port-options/p1/4")].columns["options"]


def test_values_are_written_as_ovn_reads_them() -> None:
    """RFC 2132 section 9.4: option 66 is a string, also one that looks like an address; OVN would write four octets."""
    options = _told_beside(
        a_subnet(), ("tftp-server", "192.0.2.7"), ("hostname", "10.0.0.5"), ("lease-time", "12h"), ("T1", "5m")
    )
    assert (options["tftp_server"], options["hostname"]) == ('"192.0.2.7"', '"10.0.0.5"')
    assert (options["lease_time"], options["T1"]) == ("43200", "300")


def test_a_port_with_routes_of_its_own_keeps_its_default_route() -> None:
    """RFC 3442: a client that gets option 121 ignores option 3."""
    subnet = a_subnet(gateway_ip="10.0.0.1", host_routes=(("198.51.100.0/24", "10.0.0.9"),))
    own = _told_beside(subnet, ("classless-static-route", "10.9.1.1/16,10.0.0.5"))
    assert own["classless_static_route"] == "{10.9.0.0/16,10.0.0.5, 0.0.0.0/0,10.0.0.1}"
    assert own["ms_classless_static_route"] == own["classless_static_route"]
    elsewhere = _told_beside(subnet, ("router", "10.0.0.33"))
    assert elsewhere["classless_static_route"] == "{198.51.100.0/24,10.0.0.9, 0.0.0.0/0,10.0.0.33}"
    nowhere = _told_beside(subnet, ("router", None))
    assert nowhere["classless_static_route"] == "{198.51.100.0/24,10.0.0.9}"


def test_an_option_that_ovn_could_not_read_silences_nobody() -> None:
    """A network that was another plug-in's may bring some along; OVN would drop the whole answer for one of them."""
    options = _told_beside(a_subnet(), ("ntp-server", "time.example"), ("mtu", "1300"))
    assert "ntp_server" not in options
    assert options["mtu"] == "1300"


def test_nobody_is_told_a_router_that_is_not_there() -> None:
    options = rows_of(a_geneve(), a_subnet())[RowKey("subnet/n1-4")].columns["options"]
    assert "router" not in options  # type: ignore[operator]
    assert options["server_id"] == "169.254.0.1"  # type: ignore[index,call-overload]


def test_an_ipv6_subnet_is_served_as_its_modes_say() -> None:
    def options(**modes: Any) -> Any:
        rows = rows_of(a_geneve(), a_subnet(1, "2001:db8::/64", **{"enable_dhcp": True, **modes}))
        row = rows.get(RowKey("subnet/n1-6"))
        return None if row is None else row.columns["options"]

    assert options(ipv6_address_mode="dhcpv6-stateful") == {"server_id": "02:57:45:46:54:01"}
    assert options(ipv6_address_mode="dhcpv6-stateless")["dhcpv6_stateless"] == "true"
    assert options(ipv6_address_mode="slaac") is None
    assert options(enable_dhcp=False) is None
    assert options() == {"server_id": "02:57:45:46:54:01"}


def test_rules_of_a_group_nobody_is_in_are_not_written() -> None:
    group = a_group(16, a_rule("r1"))
    assert RowKey("rule/r1/n1") not in rows_of(a_geneve(), group)
    assert RowKey("rule/r1/n1") in rows_of(a_geneve(), group, a_port(1, groups=["g16"]))


def test_a_member_that_is_down_lets_nobody_in_by_its_address() -> None:
    group = a_group(16, a_rule("r1", remote_group_id="g16"))
    ports = (
        a_port(number, f"10.0.0.{number}", security_group_ids=("g16",), admin_state_up=number > 1) for number in (1, 2)
    )
    rows = rows_of(a_geneve(), group, *ports)
    assert rows[RowKey("members/g16/n1/4")].columns["addresses"] == frozenset({"10.0.0.2"})


def test_members_that_a_rule_lets_in_are_those_of_the_same_network_with_their_pairs() -> None:
    rows = rows_of(
        a_geneve(1),
        a_geneve(2),
        a_group(16, a_rule("r1", remote_group_id="g17")),
        a_group(17, a_rule("r2", group="g17")),
        a_port(1, "10.0.0.5", groups=["g16"]),
        a_port(2, "10.0.0.6", groups=["g17"], pairs=[("", "10.0.0.128/28")]),
        a_port(3, "10.0.0.7", network=2, groups=["g17"]),
    )
    assert rows[RowKey("members/g17/n1/4")].columns["addresses"] == frozenset({"10.0.0.6", "10.0.0.128/28"})
    assert RowKey("members/g17/n2/4") not in rows, "nobody there lets them in"
    assert RowKey("rule/r2/n2") in rows
