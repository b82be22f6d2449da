"""Does openstacksdk work unmodified, with every spelling of the endpoint?"""

from collections.abc import Iterator

import openstack
import pytest
from openstack.connection import Connection
from openstack.exceptions import BadRequestException, ConflictException, NotFoundException, PreconditionFailedException

from tests.api.conftest import Server

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::openstack.warnings.RemovedInSDK{release}Warning") for release in (50, 60)
]


def connect(endpoint: str) -> Connection:
    return openstack.connect(auth_type="none", auth={"endpoint": endpoint}, load_yaml_config=False, load_envvars=False)


@pytest.fixture
def sdk(server: Server) -> Iterator[Connection]:
    connection = connect(server.url)
    yield connection
    connection.close()


@pytest.mark.parametrize("ending", ["", "/", "/v2.0", "/v2.0/"])
def test_every_spelling_of_the_endpoint_is_discovered(server: Server, ending: str) -> None:
    connection = connect(server.url + ending)
    network = connection.network.create_network(name="n")
    assert [network.id] == [found.id for found in connection.network.networks()]
    connection.close()


def test_networks_subnets_and_ports_live_and_die(sdk: Connection) -> None:
    api = sdk.network
    network = api.create_network(name="n1", description="first")
    assert (network.status, network.provider_network_type, network.is_router_external) == ("ACTIVE", "vxlan", False)
    subnet = api.create_subnet(network_id=network.id, name="s1", ip_version=4, cidr="10.1.0.0/24")
    assert subnet.gateway_ip == "10.1.0.1"
    port = api.create_port(network_id=network.id, name="p1", fixed_ips=[{"ip_address": "10.1.0.9"}])
    assert port.fixed_ips == [{"subnet_id": subnet.id, "ip_address": "10.1.0.9"}]

    assert api.update_network(network, name="n2").name == "n2"
    assert api.update_subnet(subnet, dns_nameservers=["192.0.2.1"]).dns_nameservers == ["192.0.2.1"]
    changed = api.update_port(port, name="p2", binding_host_id="h1", device_id="vm", device_owner="compute:nova")
    assert (changed.name, changed.binding_host_id, changed.binding_vif_type) == ("p2", "h1", "binding_failed")

    assert api.find_network("n2").id == network.id
    assert api.find_port("p2").id == port.id
    assert api.find_subnet("nope") is None
    assert [found.id for found in api.ports(network_id=network.id, is_admin_state_up=True)] == [port.id]
    assert api.get_network(network.id).subnet_ids == [subnet.id]

    with pytest.raises(ConflictException, match="There are one or more ports still in use"):
        api.delete_network(network)
    with pytest.raises(ConflictException, match="already allocated"):
        api.create_port(network_id=network.id, fixed_ips=[{"ip_address": "10.1.0.9"}])
    with pytest.raises(BadRequestException, match="overlaps with another subnet"):
        api.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/25")
    with pytest.raises(PreconditionFailedException):
        api.update_port(port.id, name="p3", if_revision=99)

    api.delete_port(port, ignore_missing=False)
    api.delete_subnet(subnet, ignore_missing=False)
    api.delete_network(network, ignore_missing=False)
    with pytest.raises(NotFoundException):
        api.get_network(network.id)
    assert [list(api.ports()), list(api.subnets()), list(api.networks())] == [[], [], []]


def test_pages_are_followed(sdk: Connection) -> None:
    network = sdk.network.create_network()
    made = {port.id for port in sdk.network.create_ports([{"network_id": network.id} for _ in range(7)])}
    listed = [port.id for port in sdk.network.ports(limit=3)]
    assert (7, made) == (len(listed), set(listed))


def test_security_groups_and_their_rules_live_and_die(sdk: Connection) -> None:
    api = sdk.network
    web = api.create_security_group(name="web", description="d", stateful=True)
    assert (web.name, web.is_shared, len(web.security_group_rules)) == ("web", False, 2)
    office = api.create_address_group(name="office", addresses=["10.0.0.0/8"])
    assert api.add_addresses_to_address_group(office, ["192.0.2.0/24"]).addresses == ["10.0.0.0/8", "192.0.2.0/24"]
    assert api.remove_addresses_from_address_group(office, ["10.0.0.0/8"]).addresses == ["192.0.2.0/24"]
    rule = api.create_security_group_rule(
        security_group_id=web.id,
        direction="ingress",
        protocol="tcp",
        port_range_min=443,
        port_range_max=443,
        remote_address_group_id=office.id,
    )
    assert (rule.port_range_min, rule.remote_address_group_id) == (443, office.id)
    with pytest.raises(ConflictException, match=f"Rule id is {rule.id}"):
        api.create_security_group_rule(
            security_group_id=web.id,
            direction="ingress",
            protocol="6",
            port_range_min=443,
            port_range_max=443,
            remote_address_group_id=office.id,
        )
    assert [found.id for found in api.security_group_rules(security_group_id=web.id, protocol="tcp")] == [rule.id]

    port = api.create_port(network_id=api.create_network().id, security_groups=[web.id])
    assert [found.id for found in api.ports(security_groups=web.id)] == [port.id]
    with pytest.raises(ConflictException, match="in use"):
        api.delete_security_group(web)
    assert api.update_port(port, security_groups=[]).security_group_ids == []
    assert api.find_security_group("default").project_id == port.project_id
    api.delete_security_group_rule(rule, ignore_missing=False)
    api.delete_security_group(web, ignore_missing=False)
    api.delete_address_group(office, ignore_missing=False)
    template = api.create_default_security_group_rule(direction="ingress", protocol="vrrp")
    assert template.used_in_non_default_sg
    api.delete_default_security_group_rule(template, ignore_missing=False)


def test_extensions_are_found(sdk: Connection) -> None:
    assert sdk.network.find_extension("port-security").name == "Port Security"
    assert {"weft-host", "weft-flows", "weft-port-status"} <= {one.alias for one in sdk.network.extensions()}


def test_subnet_pools_and_address_scopes_live_and_die(sdk: Connection) -> None:
    api = sdk.network
    scope = api.create_address_scope(name="s", ip_version=4)
    pool = api.create_subnet_pool(
        name="p", prefixes=["10.0.0.0/16"], default_prefix_length=24, is_default=True, address_scope_id=scope.id
    )
    assert (pool.minimum_prefix_length, pool.default_prefix_length, pool.ip_version) == (8, 24, 4)
    network = api.create_network()
    subnet = api.create_subnet(network_id=network.id, ip_version=4, subnet_pool_id=pool.id, prefix_length=26)
    other = api.create_subnet(network_id=network.id, ip_version=4, use_default_subnet_pool=True)
    assert [(one.cidr, one.subnet_pool_id) for one in (subnet, other)] == [
        ("10.0.0.0/26", pool.id),
        ("10.0.1.0/24", pool.id),
    ]
    assert api.get_network(network.id).ipv4_address_scope_id == scope.id
    assert {found.id for found in api.subnets(subnet_pool_id=pool.id)} == {subnet.id, other.id}
    assert api.update_subnet_pool(pool, default_quota=1).default_quota == 1
    with pytest.raises(ConflictException, match="quota exceeded"):
        api.create_subnet(network_id=network.id, ip_version=4, use_default_subnet_pool=True)
    with pytest.raises(BadRequestException, match="existing allocations"):
        api.delete_subnet_pool(pool)
    with pytest.raises(ConflictException, match="in use on the address scope"):
        api.delete_address_scope(scope)
    api.delete_network(network, ignore_missing=False)
    api.delete_subnet_pool(pool, ignore_missing=False)
    api.delete_address_scope(scope, ignore_missing=False)
