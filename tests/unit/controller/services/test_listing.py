"""Do list requests filter, sort and page as Neutron's, with a handful of statements?"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import InvalidInput, NetworkNotFound, PortNotFound
from controller.services import networks, ports, subnets
from controller.services.query import Filter, Query, Sort
from controller.store.database import Database, Transaction
from tests.unit.controller.store.builders import ADMIN, a_member, a_network, a_port, a_subnet, counted


def _names(tx: Transaction, *filters: Filter, **query: Any) -> list[str]:
    return [port.name for port in ports.find(tx, ADMIN, Query(filters=filters, **query))]


def _a_filter(name: str, *values: object) -> Filter:
    return Filter(name=name, values=values)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (_a_filter("name", "a"), {"a"}),
        (_a_filter("name", "a", "b"), {"a", "b"}),
        (_a_filter("name", ""), {""}),
        (_a_filter("name", "a' OR 1=1"), set()),
        (_a_filter("admin_state_up", True), {"a", ""}),
        (_a_filter("admin_state_up", False), {"b"}),
        (_a_filter("mac_address", "02:00:00:00:00:0a"), {"a"}),
        (_a_filter("status", "DOWN"), {"a", "b", ""}),
        (_a_filter("host", "h1"), {"a"}),
        (_a_filter("host", ""), {"b", ""}),
        (_a_filter("host", "h1", ""), {"a", "b", ""}),
        (_a_filter("fixed_ips:ip_address", "10.20.0.10"), {"a"}),
        (_a_filter("fixed_ips:ip_address_substr", "0.1"), {"a", "b"}),
        (_a_filter("fixed_ips:ip_address_substr", "%"), set()),
        (_a_filter("revision_number", "1"), {"a", "b", ""}),
        (_a_filter("revision_number", "x"), set()),
        (_a_filter("revision_number", 10**30), set()),
    ],
)
def test_ports_are_filtered(database: Database, wanted: Filter, found: set[str]) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        a_port(
            tx,
            network,
            name="a",
            mac_address="02:00:00:00:00:0a",
            host="h1",
            fixed_ips=[{"ip_address": "10.20.0.10"}],
        )
        a_port(tx, network, name="b", admin_state_up=False, fixed_ips=[{"ip_address": "10.20.0.11"}])
        a_port(tx, a_network(tx), name="")
        assert found == set(_names(tx, wanted))
        assert {"a", "b"} == set(_names(tx, _a_filter("fixed_ips:subnet_id", subnet.id)))
        assert _names(tx, _a_filter("network_id", network.id), _a_filter("admin_state_up", True)) == ["a"]


def test_released_addresses_are_not_found(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        port = a_port(tx, network, fixed_ips=[{"ip_address": "10.20.0.10"}])
        ports.update(tx, ADMIN, port.id, {"fixed_ips": []})
        assert _names(tx, _a_filter("fixed_ips:ip_address", "10.20.0.10")) == []


def test_networks_are_filtered_by_segment_and_subnets_by_missing_values(database: Database) -> None:
    with database.write() as tx:
        one = a_network(tx, network_type="vxlan", segmentation_id=7)
        other = a_network(tx)
        a_subnet(tx, one, gateway_ip=None)
        with_gateway = a_subnet(tx, other)
        found = networks.find(tx, ADMIN, Query(filters=(_a_filter("segment:segmentation_id", 7),)))
        assert [one.id] == [network.id for network in found]
        both = networks.find(tx, ADMIN, Query(filters=(_a_filter("segment:network_type", "vxlan"),)))
        assert {one.id, other.id} == {network.id for network in both}
        without = subnets.find(tx, ADMIN, Query(filters=(_a_filter("gateway_ip", None),)))
        assert [one.id] == [subnet.network_id for subnet in without]
        assert [with_gateway] == subnets.find(tx, ADMIN, Query(filters=(_a_filter("gateway_ip", "10.20.0.1"),)))


def test_ports_are_sorted_by_several_keys(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        for name, device in (("b", "1"), ("a", "1"), ("a", "2")):
            a_port(tx, network, name=name, device_id=device)
        sorts = (Sort(name="name"), Sort(name="device_id", descending=True))
        found = ports.find(tx, ADMIN, Query(sorts=sorts))
        assert [(port.name, port.device_id) for port in found] == [("a", "2"), ("a", "1"), ("b", "1")]


@pytest.mark.parametrize("query", [Query(filters=(_a_filter("nope", 1),)), Query(sorts=(Sort(name="nope"),))])
def test_unknown_names_are_refused(database: Database, query: Query) -> None:
    with database.read() as tx, pytest.raises(InvalidInput, match="nope"):
        ports.find(tx, ADMIN, query)


def test_an_unknown_marker_is_not_found(database: Database) -> None:
    """Sample 062."""
    with database.read() as tx:
        with pytest.raises(PortNotFound, match=r"^Port nope could not be found.$"):
            ports.find(tx, ADMIN, Query(limit=1, marker="nope"))
        with pytest.raises(NetworkNotFound):
            networks.find(tx, ADMIN, Query(marker="nope"))


def test_the_marker_must_be_visible(database: Database) -> None:
    with database.write() as tx:
        port = a_port(tx, a_network(tx))
        with pytest.raises(PortNotFound):
            ports.find(tx, a_member("other"), Query(marker=port.id))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(["", "a", "b"]), max_size=9),
    limit=st.integers(1, 4),
    descending=st.booleans(),
    by=st.sampled_from(["name", "id", "admin_state_up", "revision_number", "key"]),
)
def test_pages_forward_and_backward_add_up_to_the_whole_list(
    database: Database, names: list[str], limit: int, descending: bool, by: str
) -> None:
    with database.write() as tx:
        network = a_network(tx)
        for name in names:
            a_port(tx, network, name=name, admin_state_up=bool(name))
        here = (_a_filter("network_id", network.id),)
        sorts = (Sort(name=by, descending=descending),)
        whole = [port.id for port in ports.find(tx, ADMIN, Query(filters=here, sorts=sorts))]
        for page_reverse in (False, True):
            pages: list[list[str]] = []
            marker = None
            while True:
                query = Query(filters=here, sorts=sorts, limit=limit, marker=marker, page_reverse=page_reverse)
                page = [port.id for port in ports.find(tx, ADMIN, query)]
                if not page:
                    break
                pages.append(page)
                marker = page[0] if page_reverse else page[-1]
            in_order = pages[::-1] if page_reverse else pages
            assert whole == [port_id for page in in_order for port_id in page]


def test_a_long_list_costs_as_many_statements_as_a_short_one(database: Database) -> None:
    costs = []
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
    for _ in range(2):
        with database.write() as tx:
            for _ in range(40):
                a_port(tx, network, host="h1")
        with database.read() as tx, counted(database) as statements:
            ports.find(tx, ADMIN, Query())
            networks.find(tx, ADMIN, Query())
            subnets.find(tx, ADMIN, Query())
        costs.append(len(statements))
    assert costs[0] == costs[1] == 8
