"""Does the directory tell what each plug-in can do, and does the API act on it?"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.auth import NoAuth
from controller.plugins.contract import Advertisement, Capability, Condition, Feature, FoundHost, Health, Plugin, Vif
from controller.plugins.faces import Faces
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Broken, Loaded, Registry
from controller.records import HostName
from controller.store.database import Database
from controller.store.plugin_states import save_health
from tests.databases import a_database
from tests.unit.api.conftest import NoController
from tests.unit.controller.store.builders import counted


class Wires(Plugin):
    """VLANs only, and nothing but DHCP and guards."""

    name: ClassVar[str] = "wires"
    version: ClassVar[str] = "7"

    def advertise(self) -> Advertisement:
        return Advertisement(
            summary="VLANs.",
            network_types=("tokens", "vlan"),
            capabilities=(
                Capability(feature=Feature.IPV4_DHCP, limit="one server"),
                Capability(feature=Feature.PORT_SECURITY),
                Capability(feature=Feature.SECURITY_GROUPS),
            ),
            missing={Feature.IPV6_RA: "nobody is there to advertise"},
        )

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="tap", details={"datapath": datapath_type})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    plugins = {
        one.name: Loaded(plugin=one, advertisement=one.advertise(), distribution="tests")
        for one in (OpenFlowPlugin({}), Wires({}))
    }
    registry = Registry(plugins, (Broken(name="lost", reason="expected something, found nothing"),))
    database = a_database(tmp_path, faces=Faces(registry))
    yield database
    database.close()


@pytest.fixture
def client(database: Database) -> FlaskClient:
    return create_app(database, auth=NoAuth(), control=NoController()).test_client()


def post(client: FlaskClient, one: str, **body: object) -> dict[str, object]:
    answer = client.post(f"/v2.0/{one}s", json={one: body})
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json[one]
    return found


def refusal(client: FlaskClient, one: str, status: int, **body: object) -> str:
    answer = client.post(f"/v2.0/{one}s", json={one: body})
    assert answer.status_code == status, answer.text
    return str(answer.json["NeutronError"]["message"])


def test_the_directory_lists_those_that_work_and_those_that_do_not(client: FlaskClient, database: Database) -> None:
    with database.write() as tx:
        save_health(tx, "wires", Health(condition=Condition.DEGRADED, detail="a wire is cut", versions={"copper": "2"}))
    found = {one["name"]: one for one in client.get("/v2.0/plugins").json["plugins"]}
    assert list(found) == ["openflow", "wires", "lost"]
    assert (found["wires"]["state"], found["wires"]["detail"]) == ("degraded", "a wire is cut")
    assert found["wires"]["versions"] == {"copper": "2"}
    assert {"feature": "ipv4-dhcp", "limit": "one server"} in found["wires"]["features"]
    assert found["wires"]["missing"] == [{"feature": "ipv6-ra", "reason": "nobody is there to advertise"}]
    assert (found["lost"]["state"], found["lost"]["detail"]) == ("failed", "expected something, found nothing")
    assert found["openflow"]["state"] == "down"  # no engine was ever heard of here


def test_one_plugin_is_shown_with_its_hosts_and_an_unknown_one_is_404(client: FlaskClient) -> None:
    post(client, "host", name="h1", ovsdb="tcp:192.0.2.1:6640")
    shown = client.get("/v2.0/plugins/openflow").json["plugin"]
    assert [host["name"] for host in shown["hosts"]] == ["h1"]
    assert client.get("/v2.0/plugins/wires").json["plugin"]["hosts"] == []
    assert client.get("/v2.0/plugins/nobody").status_code == 404


def test_a_network_says_which_plugin_realises_it(client: FlaskClient) -> None:
    assert post(client, "network")["weft:plugin"] == "openflow"
    made = post(client, "network", **{"weft:plugin": "wires", "provider:network_type": "tokens"})
    assert (made["weft:plugin"], made["provider:segmentation_id"]) == ("wires", None)
    found = client.get("/v2.0/networks?weft:plugin=wires").json["networks"]
    assert [one["id"] for one in found] == [made["id"]]


def test_a_type_only_one_plugin_has_sends_the_network_there(client: FlaskClient) -> None:
    assert post(client, "network", **{"provider:network_type": "tokens"})["weft:plugin"] == "wires"


def test_when_none_can_each_says_why_not(client: FlaskClient) -> None:
    message = refusal(client, "network", 409, pvlan=True, **{"provider:network_type": "tokens"})
    assert "openflow: network type 'tokens' is not among vxlan, geneve, vlan, flat" in message
    assert "wires: it does not do pvlan" in message


def test_a_plugin_that_is_not_there_cannot_be_chosen(client: FlaskClient) -> None:
    assert "'lost' is not there" in refusal(client, "network", 400, **{"weft:plugin": "lost"})


def test_bulk_requests_that_span_plugins_are_all_or_nothing(client: FlaskClient) -> None:
    wanted = [{"name": "a"}, {"name": "b", "provider:network_type": "tokens"}, {"name": "c", "weft:plugin": "lost"}]
    assert client.post("/v2.0/networks", json={"networks": wanted}).status_code == 400
    assert client.get("/v2.0/networks").json["networks"] == []
    made = client.post("/v2.0/networks", json={"networks": wanted[:2]}).json["networks"]
    assert [one["weft:plugin"] for one in made] == ["openflow", "wires"]


def test_what_a_network_s_plugin_cannot_do_is_refused_with_the_attribute_and_the_reason(client: FlaskClient) -> None:
    network = post(client, "network", **{"provider:network_type": "tokens"})["id"]
    six = {"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    message = refusal(client, "subnet", 400, network_id=network, **six)
    assert message.startswith("ipv6_ra_mode: plug-in 'wires'")
    assert "nobody is there to advertise" in message
    pair = {"ip_address": "10.0.0.9"}
    assert "allowed_address_pairs" in refusal(client, "port", 400, network_id=network, allowed_address_pairs=[pair])
    assert client.get("/v2.0/subnets").json["subnets"] == client.get("/v2.0/ports").json["ports"] == []
    post(client, "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")
    post(client, "port", network_id=network)


def test_a_network_cannot_become_what_its_plugin_does_not_do(client: FlaskClient) -> None:
    network = post(client, "network", **{"provider:network_type": "tokens"})["id"]
    answer = client.put(f"/v2.0/networks/{network}", json={"network": {"pvlan": True}})
    assert answer.status_code == 400
    assert client.get(f"/v2.0/networks/{network}").json["network"]["pvlan"] is False


def test_compute_is_told_what_the_plugin_of_the_network_says_of_the_host_it_is_bound_to(
    client: FlaskClient, database: Database
) -> None:
    post(client, "host", name="h1", ovsdb="tcp:192.0.2.1:6640", datapath_type="netdev")
    with database.write() as tx:
        found = {HostName("w1"): FoundHost(datapath_type="system")}
        save_health(tx, "wires", Health(condition=Condition.UP, hosts=found))
    networks = post(client, "network"), post(client, "network", **{"provider:network_type": "tokens"})
    told = {
        (network["weft:plugin"], host): post(client, "port", network_id=network["id"], **{"binding:host_id": host})
        for network in networks
        for host in ("h1", "w1", "")
    }
    vifs = {of: (port["binding:vif_type"], port["binding:vif_details"]) for of, port in told.items()}
    own = OpenFlowPlugin({}).vif("netdev")
    assert own.details["bridge_name"] == "br-int"
    assert vifs.pop(("openflow", "h1")) == ("ovs", dict(own.details))
    assert vifs.pop(("wires", "w1")) == ("tap", {"datapath": "system"})
    assert vifs == {
        ("openflow", "w1"): ("binding_failed", {}),
        ("wires", "h1"): ("binding_failed", {}),
        ("openflow", ""): ("unbound", {}),
        ("wires", ""): ("unbound", {}),
    }
    shown = client.get(f"/v2.0/ports/{told['wires', 'w1']['id']}").json["port"]
    assert (shown["binding:vif_type"], shown["binding:vif_details"]) == ("tap", {"datapath": "system"})


def test_a_port_is_told_everything_its_plugin_lacks_at_once_also_what_its_security_groups_ask_for(
    client: FlaskClient,
) -> None:
    network = post(client, "network", **{"provider:network_type": "tokens"})["id"]
    addresses = {"name": "office", "addresses": ["192.0.2.0/24"]}
    office = client.post("/v2.0/address-groups", json={"address_group": addresses}).json["address_group"]["id"]
    group = {"name": "odd", "stateful": False}
    odd = client.post("/v2.0/security-groups", json={"security_group": group}).json["security_group"]["id"]
    rule = {"security_group_id": odd, "direction": "ingress", "remote_address_group_id": office}
    assert client.post("/v2.0/security-group-rules", json={"security_group_rule": rule}).status_code == 201
    wishes: dict[str, object] = {
        "security_groups": [odd],
        "allowed_address_pairs": [{"ip_address": "10.0.0.9"}],
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1300"}],
    }
    message = refusal(client, "port", 400, network_id=network, **wishes)
    for lacking in ("allowed-address-pairs", "extra-dhcp-options", "stateless-security-groups", "address-groups"):
        assert f"it does not do {lacking}" in message


def test_a_rule_is_refused_where_ports_of_its_group_are_in_a_plugin_that_lacks_it(client: FlaskClient) -> None:
    network = post(client, "network", **{"provider:network_type": "tokens"})["id"]
    addresses = {"name": "office", "addresses": ["192.0.2.0/24"]}
    office = client.post("/v2.0/address-groups", json={"address_group": addresses}).json["address_group"]["id"]
    group = client.post("/v2.0/security-groups", json={"security_group": {"name": "g"}}).json["security_group"]["id"]
    port = post(client, "port", network_id=network, security_groups=[group])
    rule = {"security_group_id": group, "direction": "ingress", "remote_address_group_id": office}
    refused = client.post("/v2.0/security-group-rules", json={"security_group_rule": rule})
    assert refused.status_code == 400
    assert "security_groups: plug-in 'wires'" in refused.json["NeutronError"]["message"]
    assert client.delete(f"/v2.0/ports/{port['id']}").status_code == 204
    assert client.post("/v2.0/security-group-rules", json={"security_group_rule": rule}).status_code == 201


def test_a_port_of_a_plugin_that_does_everything_costs_no_more_beside_a_second_one(
    client: FlaskClient, database: Database, tmp_path: Path
) -> None:
    with counted(database) as beside:
        post(client, "port", network_id=post(client, "network")["id"])
    openflow = OpenFlowPlugin({})
    loaded = Loaded(plugin=openflow, advertisement=openflow.advertise(), distribution="tests")
    alone = Database(f"sqlite:///{tmp_path / 'alone.db'}", faces=Faces(Registry({"openflow": loaded}, ())))
    alone.migrate()
    other = create_app(alone, auth=NoAuth(), control=NoController()).test_client()
    with counted(alone) as by_itself:
        post(other, "port", network_id=post(other, "network")["id"])
    alone.close()
    assert len(beside.texts) - len(by_itself.texts) <= 1, "how the plug-ins are, once, to choose the network's"


def test_extensions_are_announced_as_far_as_some_plugin_keeps_them(tmp_path: Path) -> None:
    wires = Wires({})
    faces = Faces(Registry({"wires": Loaded(plugin=wires, advertisement=wires.advertise(), distribution="")}, ()))
    database = Database(f"sqlite:///{tmp_path / 'wires.db'}", faces=faces)
    database.migrate()
    client = create_app(database, auth=NoAuth(), control=NoController()).test_client()
    aliases = {one["alias"] for one in client.get("/v2.0/extensions").json["extensions"]}
    assert {"security-group", "port-security", "weft-plugins"} <= aliases
    assert not {"pvlan", "address-group", "binding-extended", "weft-traces"} & aliases
    assert post(client, "network")["provider:network_type"] == "tokens"
    database.close()
