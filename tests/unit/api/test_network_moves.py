"""Is every reason against a move told, nothing done then, and a move that is begun shown and taken back?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from api.app import create_app
from api.auth import NoAuth
from controller.caller import Caller
from controller.plugins.contract import Advertisement, Capability, Condition, Feature, FoundHost, Health, Plugin, Vif
from controller.plugins.faces import Faces
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Loaded, Registry
from controller.records import HostName
from controller.services import network_moves as moves
from controller.services import ports
from controller.store import network_moves
from controller.store.database import Database
from controller.store.plugin_states import save_health
from controller.store.schema import NETWORKS
from tests.unit.api.conftest import NoController
from tests.unit.controller.store.builders import ADMIN

HOST = {"name": "h1", "ovsdb": "tcp:192.0.2.1:6640", "tunnel_ip": "192.0.2.1", "datapath_type": "netdev"}


class Cluster(Plugin):
    """Somebody else's engine on the same hosts."""

    name: ClassVar[str] = "cluster"
    version: ClassVar[str] = "1"
    prepares_moves: ClassVar[bool] = True

    def advertise(self) -> Advertisement:
        return Advertisement(
            summary="Others.",
            network_types=("geneve", "vlan"),
            overheads={"geneve": 38},
            capabilities=tuple(
                Capability(feature=one) for one in (Feature.IPV4_DHCP, Feature.PORT_SECURITY, Feature.SECURITY_GROUPS)
            ),
            missing={Feature.IPV6_RA: "nobody advertises there", Feature.ALLOWED_ADDRESS_PAIRS: "guards are strict"},
        )

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="ovs", details={"bridge_name": self.settings["bridge"], "datapath_type": datapath_type})


@pytest.fixture
def bridge() -> str:
    return "br-other"


@pytest.fixture
def database(tmp_path: Path, bridge: str) -> Iterator[Database]:
    plugins = {
        one.name: Loaded(plugin=one, advertisement=one.advertise(), distribution="tests")
        for one in (OpenFlowPlugin({}), Cluster({"bridge": bridge}))
    }
    database = Database(f"sqlite:///{tmp_path / 'weft.db'}", faces=Faces(Registry(plugins, ())))
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def client(database: Database) -> FlaskClient:
    return create_app(database, auth=NoAuth(), control=NoController()).test_client()


def post(client: FlaskClient, one: str, **body: object) -> dict[str, Any]:
    answer = client.post(f"/v2.0/{one}s", json={one: body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json[one])


def move(client: FlaskClient, network: str, status: int = 200, **body: object) -> dict[str, Any]:
    answer = client.put(f"/v2.0/networks/{network}/move", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json["move" if status == 200 else "NeutronError"])


def find(database: Database, *names: str, tunnel_ip: str = "198.51.100.1") -> None:
    with database.write() as tx:
        found = {HostName(name): FoundHost(datapath_type="netdev", tunnel_ip=tunnel_ip) for name in names}
        save_health(tx, "cluster", Health(condition=Condition.UP, hosts=found))


def a_network(client: FlaskClient, **body: object) -> str:
    return str(post(client, "network", **{"provider:network_type": "geneve", **body})["id"])


def test_a_move_is_planned_begun_shown_and_taken_back(client: FlaskClient, database: Database) -> None:
    post(client, "host", **HOST)
    find(database, "h1")
    network = a_network(client)
    port = post(client, "port", network_id=network, **{"binding:host_id": "h1", "security_groups": []})
    assert port["binding:vif_details"]["bridge_name"] == "br-int"
    planned = move(client, network, plugin="cluster", plan=True)
    assert (planned["phase"], planned["objections"]) == ("planned", [])
    assert "1 ports: the device of each goes from bridge br-int to br-other" in " ".join(planned["changes"])
    assert [(one["id"], one["host"]) for one in planned["ports"]] == [(port["id"], "h1")]
    plan = client.put(f"/v2.0/networks/{network}/move?plan=true", json={"plugin": "cluster"}).json["plan"]
    assert plan["answer"]["move"]["phase"] == "preparing"
    assert [(one["type"], one["id"]) for one in plan["affected"]] == [("network", network)]
    assert (plan["ports"], plan["flows"]["added"]) == (1, 0)
    assert plan["flows"]["deleted"] > 0, "what the network leaves behind when it has arrived"
    assert [(one["plugin"], one["networks"]) for one in plan["plugins"]] == [("cluster", 1)]
    assert client.get(f"/v2.0/networks/{network}/move").json["move"]["phase"] == "arrived"
    assert move(client, network, plugin="cluster")["phase"] == "preparing"
    assert move(client, network, plugin="cluster")["phase"] == "preparing"
    assert client.get(f"/v2.0/networks/{network}").json["network"]["weft:plugin"] == "openflow"
    renamed = client.put(f"/v2.0/networks/{network}?plan=true", json={"network": {"name": "n"}}).json["plan"]
    assert renamed["flows"] == {"added": 0, "modified": 0, "deleted": 0}, "it is under way already"
    assert move(client, network, plugin="openflow")["phase"] == "arrived"
    move(client, network, plugin="cluster")
    with database.write() as tx:
        moving = network_moves.load_moves(tx)[network]
        revision = client.get(f"/v2.0/networks/{network}").json["network"]["revision_number"]
        assert moves.switch(tx, network, revision)
    assert (moving.source_bridge, moving.target_bridge) == ("br-int", "br-other")
    shown = client.get(f"/v2.0/ports/{port['id']}").json["port"]
    assert shown["binding:vif_details"]["bridge_name"] == "br-other"
    plan = client.put(f"/v2.0/networks/{network}/move?plan=true", json={"plugin": "openflow"}).json["plan"]
    assert [(one["plugin"], one["networks"]) for one in plan["plugins"]] == [("cluster", 1)], "which is left"
    assert plan["flows"]["added"] > 0
    back = move(client, network, plugin="openflow")
    assert (back["phase"], back["source"], back["target"]) == ("switched", "cluster", "openflow")
    assert move(client, network, 409, plugin="nobody")["type"] == "NetworkIsMoving"


def test_an_mtu_is_what_every_plug_in_of_the_type_leaves_so_that_a_network_keeps_it_when_it_moves(
    client: FlaskClient, database: Database
) -> None:
    """OVN's tunnels carry an option of eight octets that Weft's own do not."""
    find(database, "h1")
    network = a_network(client)
    assert client.get(f"/v2.0/networks/{network}").json["network"]["mtu"] == 1442
    assert post(client, "network", **{"provider:network_type": "vxlan"})["mtu"] == 1450
    assert client.put(f"/v2.0/networks/{network}", json={"network": {"mtu": 1443}}).status_code == 400
    with database.write() as tx:  # as it was made before the other plug-in was there
        tx.connection.execute(update(NETWORKS).values(mtu=1450))
    assert "mtu: 1450 is more than the 1442" in move(client, network, 409, plugin="cluster")["message"]
    assert client.put(f"/v2.0/networks/{network}", json={"network": {"mtu": 1442}}).status_code == 200
    move(client, network, plugin="cluster")


def test_what_was_asked_for_meanwhile_is_looked_at_before_a_network_is_switched_over(
    client: FlaskClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    find(database)
    network = a_network(client)
    move(client, network, plugin="cluster")
    port = post(client, "port", network_id=network, allowed_address_pairs=[{"ip_address": "10.0.0.9"}])

    def prepared() -> str:
        with database.write() as tx:
            revision = client.get(f"/v2.0/networks/{network}").json["network"]["revision_number"]
            assert moves.switch(tx, network, revision)
        return str(client.get(f"/v2.0/networks/{network}/move").json["move"]["phase"])

    assert prepared() == "given_up"
    assert client.get(f"/v2.0/networks/{network}").json["network"]["weft:plugin"] == "openflow"
    assert "guards are strict" in caplog.text
    shown = client.get(f"/v2.0/networks/{network}/move").json["move"]
    assert (shown["source"], shown["target"]) == ("openflow", "cluster")
    assert shown["given_up_at"].endswith("Z")
    (why,) = shown["objections"]
    assert "guards are strict" in why
    assert f"plug-in 'cluster' was given up: {why}" in status_of(client, port)
    client.delete(f"/v2.0/ports/{port['id']}")
    assert move(client, network, plugin="cluster", plan=True)["given_up_at"] is None
    assert move(client, network, plugin="cluster")["objections"] == []
    assert prepared() == "switched"


def status_of(client: FlaskClient, port: dict[str, Any], headers: dict[str, str] | None = None) -> str:
    reply = client.get(f"/v2.0/ports/{port['id']}/status", headers=headers)
    assert reply.status_code == 200, reply.text
    return str(reply.json["port_status"]["detail"])


def test_an_operator_who_lets_a_network_stay_hears_no_more_of_a_move_that_was_given_up(
    client: FlaskClient, database: Database
) -> None:
    find(database)
    network = a_network(client)
    port = post(client, "port", network_id=network)
    usual = status_of(client, port)
    move(client, network, plugin="cluster")
    with database.write() as tx:
        network_moves.give_up(tx, network_moves.load_moves(tx)[network], ["it rains", "it pours"])
    assert (
        status_of(client, port)
        == f"{usual}; The move of its network to plug-in 'cluster' was given up: it rains; it pours"
    )
    settled = move(client, network, plugin="openflow")
    assert (settled["phase"], settled["target"], settled["given_up_at"]) == ("arrived", "openflow", None)
    assert status_of(client, port) == usual


def test_whose_port_is_in_a_network_of_others_hears_that_a_move_was_given_up_but_not_why(
    client: FlaskClient, database: Database
) -> None:
    """The reasons may name what others have there."""
    find(database)
    network = a_network(client, shared=True)
    port = post(client, "port", network_id=network, project_id="guest")
    move(client, network, plugin="cluster")
    with database.write() as tx:
        network_moves.give_up(tx, network_moves.load_moves(tx)[network], ["it rains"])
        one = ports.get(tx, ADMIN, port["id"])
        guest = Caller(project_id="guest", roles=frozenset({"member", "reader"}), is_admin=False)
        assert moves.note_of_port(tx, guest, one) == "The move of its network to plug-in 'cluster' was given up"
        assert moves.note_of_port(tx, ADMIN, one).endswith("given up: it rains")


def test_every_reason_is_told_and_nothing_is_done(client: FlaskClient, database: Database) -> None:
    post(client, "host", **HOST)
    find(database, "h9")
    network = a_network(client, **{"provider:network_type": "vxlan"})
    slaac = {"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    post(client, "subnet", network_id=network, **slaac)
    stateless = client.post("/v2.0/security-groups", json={"security_group": {"name": "s", "stateful": False}})
    pairs = [{"ip_address": "2001:db8::9"}]
    groups = [stateless.json["security_group"]["id"]]
    post(
        client,
        "port",
        network_id=network,
        allowed_address_pairs=pairs,
        security_groups=groups,
        **{"binding:host_id": "h1"},
    )
    reasons = (
        "network type 'vxlan' is not among geneve, vlan",
        "ipv6_ra_mode: nobody advertises there",
        "allowed_address_pairs: guards are strict",
        "security_groups: it does not do stateless-security-groups",
        "host h1: plug-in 'cluster' does not have it",
    )
    planned = move(client, network, plugin="cluster", plan=True)["objections"]
    refused = move(client, network, 409, plugin="cluster")
    assert refused["type"] == "NetworkCannotMove"
    for reason in reasons:
        assert reason in " ".join(planned)
        assert reason in refused["message"]
    planned = client.put(f"/v2.0/networks/{network}/move?plan=true", json={"plugin": "cluster"})
    assert (planned.status_code, planned.json["NeutronError"]) == (409, refused)
    with database.read() as tx:
        assert network_moves.load_moves(tx) == {}


@pytest.mark.parametrize("bridge", ["br-int"])
def test_two_engines_on_one_host_need_bridges_and_tunnel_addresses_of_their_own(
    client: FlaskClient, database: Database
) -> None:
    post(client, "host", **HOST)
    find(database, "h1", tunnel_ip=str(HOST["tunnel_ip"]))
    network = a_network(client)
    post(client, "port", network_id=network, **{"binding:host_id": "h1"})
    said = " ".join(move(client, network, plugin="cluster", plan=True)["objections"])
    assert "both plug-ins have their devices on bridge br-int" in said
    assert "both plug-ins end their tunnels at 192.0.2.1" in said


def test_a_plugin_that_is_down_or_not_there_gets_no_network(client: FlaskClient) -> None:
    network = a_network(client)
    assert "plug-in 'cluster' is down" in move(client, network, 409, plugin="cluster")["message"]
    assert "'nobody' is not there" in move(client, network, 400, plugin="nobody")["message"]
    move(client, network, 400)
    move(client, network, 400, plugin="cluster", plan="perhaps")
    assert move(client, network, plugin="openflow")["phase"] == "arrived"
