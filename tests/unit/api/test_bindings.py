"""What does the API say about the two bindings of a live migration?"""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from controller.records import HostName
from controller.store.bindings import activate_binding
from controller.store.database import Database
from controller.store.snapshot import journal_after, last_seq, load_ports
from controller.store.states import bind_unbound

INACTIVE = {"vif_type": "ovs", "vnic_type": "normal", "profile": {"a": 1}, "status": "INACTIVE"}


@pytest.fixture
def port(make: SimpleNamespace) -> dict[str, Any]:
    """A port of compute on h1; h2 and h3 are there too."""
    for number in (1, 2, 3):
        make.host(name=f"h{number}", ovsdb=f"tcp:192.0.2.{number}:6640", tunnel_ip=f"192.0.2.{number}")
    network = make.network()
    found: dict[str, Any] = make.port(network_id=network["id"], device_owner="compute:a", binding__host_id="h1")
    return found


def fault(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["NeutronError"]["type"]


def add(client: FlaskClient, port: dict[str, Any], host: str, **attributes: object) -> Any:
    return client.post(f"/v2.0/ports/{port['id']}/bindings", json={"binding": {"host": host, **attributes}})


def statuses(client: FlaskClient, port: dict[str, Any]) -> dict[str, str]:
    listed = client.get(f"/v2.0/ports/{port['id']}/bindings").json["bindings"]
    return {one["host"]: one["status"] for one in listed}


def test_a_second_binding_is_inactive_and_has_a_number_of_its_own(
    client: FlaskClient, port: dict[str, Any], database: Database
) -> None:
    reply = add(client, port, "h2", profile={"a": 1})
    assert reply.status_code == 201
    assert INACTIVE.items() <= reply.json["binding"].items()
    assert reply.json["binding"]["vif_details"]["bridge_name"] == "br-int"
    assert statuses(client, port) == {"h1": "ACTIVE", "h2": "INACTIVE"}
    assert client.get(f"/v2.0/ports/{port['id']}").json["port"]["binding:host_id"] == "h1"
    with database.read() as tx:
        stored = load_ports(tx, [port["id"]])[port["id"]]
    assert stored.standby is not None
    assert (stored.standby.host, stored.standby.active, stored.standby.ofport) == ("h2", False, 32768)
    assert stored.standby.datapath_type is not None


def test_activating_swaps_the_bindings(client: FlaskClient, port: dict[str, Any], database: Database) -> None:
    add(client, port, "h2", profile={"a": 1})
    with database.read() as tx:
        before = load_ports(tx, [port["id"]])[port["id"]]
        seq = last_seq(tx)
    reply = client.put(f"/v2.0/ports/{port['id']}/bindings/h2/activate")
    assert (reply.status_code, reply.json["binding"]["status"]) == (200, "ACTIVE")
    assert statuses(client, port) == {"h2": "ACTIVE", "h1": "INACTIVE"}
    shown = client.get(f"/v2.0/ports/{port['id']}").json["port"]
    assert (shown["binding:host_id"], shown["binding:profile"], shown["status"]) == ("h2", {"a": 1}, "DOWN")
    with database.read() as tx:
        after = load_ports(tx, [port["id"]])[port["id"]]
        assert [entry.object_id for entry in journal_after(tx, seq)] == [port["id"]]
    assert after.binding is not None
    assert after.standby is not None
    assert before.standby is not None
    assert before.binding is not None
    assert (after.binding.ofport, after.standby.ofport) == (before.standby.ofport, before.binding.ofport)
    again = client.put(f"/v2.0/ports/{port['id']}/bindings/h2/activate")
    assert fault(again) == (409, "PortBindingAlreadyActive")
    assert client.put(f"/v2.0/ports/{port['id']}/bindings/h1/activate").status_code == 200
    gone = client.put(f"/v2.0/ports/{port['id']}/bindings/h3/activate")
    assert fault(gone) == (404, "PortBindingNotFound")


def test_the_controller_may_activate_once_a_guest_announces_itself(
    client: FlaskClient, port: dict[str, Any], database: Database
) -> None:
    add(client, port, "h2")
    with database.write() as tx:
        assert activate_binding(tx, port["id"], "h2")
        assert not activate_binding(tx, port["id"], "h2")
        assert not activate_binding(tx, port["id"], "h3")
    assert statuses(client, port) == {"h2": "ACTIVE", "h1": "INACTIVE"}


def test_a_binding_changes_and_goes(client: FlaskClient, port: dict[str, Any]) -> None:
    add(client, port, "h2")
    path = f"/v2.0/ports/{port['id']}/bindings"
    changed = client.put(f"{path}/h2", json={"binding": {"profile": {"b": 2}, "host": "h2"}})
    assert changed.json["binding"]["profile"] == {"b": 2}
    assert client.get(f"{path}/h2").json["binding"]["profile"] == {"b": 2}
    client.put(f"{path}/h1", json={"binding": {"profile": {"c": 3}}})
    assert client.get(f"/v2.0/ports/{port['id']}").json["port"]["binding:profile"] == {"c": 3}
    assert client.delete(f"{path}/h2").status_code == 204
    assert fault(client.delete(f"{path}/h2")) == (404, "PortBindingNotFound")
    assert client.delete(f"{path}/h1").status_code == 204
    shown = client.get(f"/v2.0/ports/{port['id']}").json["port"]
    assert (shown["binding:host_id"], shown["binding:vif_type"]) == ("", "unbound")
    assert add(client, port, "h3").json["binding"]["status"] == "ACTIVE"


def test_an_impossible_binding_is_refused(client: FlaskClient, port: dict[str, Any], make: SimpleNamespace) -> None:
    assert fault(add(client, port, "h1")) == (409, "PortBindingAlreadyExists")
    assert fault(add(client, port, "nowhere")) == (409, "PortBindingError")
    add(client, port, "h2")
    assert fault(add(client, port, "h3")) == (409, "PortBindingError")
    assert fault(add(client, port, "h3", vnic_type="nope")) == (400, "HTTPBadRequest")
    assert fault(add(client, port, "h3", status="ACTIVE")) == (400, "HTTPBadRequest")
    assert fault(client.post(f"/v2.0/ports/{port['id']}/bindings", json={"binding": {}})) == (400, "HTTPBadRequest")
    plain = make.port(network_id=port["network_id"])
    assert fault(add(client, plain, "h1")) == (400, "BadRequest")
    assert fault(client.get(f"/v2.0/ports/{port['network_id']}/bindings")) == (404, "PortNotFound")


@pytest.mark.parametrize("host", ["h2", "h3", ""])
def test_moving_a_port_ends_its_second_binding(
    client: FlaskClient, port: dict[str, Any], database: Database, host: str
) -> None:
    """Also to the host that was prepared, where the device keeps its number."""
    add(client, port, "h2")
    with database.read() as tx:
        prepared = load_ports(tx, [port["id"]])[port["id"]].standby
    body = {"port": {"binding:host_id": host, "binding:profile": {"x": 1}}}
    assert client.put(f"/v2.0/ports/{port['id']}", json=body).status_code == 200
    with database.read() as tx:
        after = load_ports(tx, [port["id"]])[port["id"]]
    assert after.standby is None
    assert (after.binding.host if after.binding else "") == host
    assert statuses(client, port) == ({host: "ACTIVE"} if host else {})
    if host == "h2":
        assert after.binding is not None
        assert prepared is not None
        assert (after.binding.ofport, after.binding.profile) == (prepared.ofport, {"x": 1})


def test_a_plug_where_a_port_was_prepared_takes_it_there(
    client: FlaskClient, port: dict[str, Any], database: Database
) -> None:
    add(client, port, "h2")
    client.delete(f"/v2.0/ports/{port['id']}/bindings/h1")
    with database.write() as tx:
        assert bind_unbound(tx, port["id"], HostName("h2"))
    assert statuses(client, port) == {"h2": "ACTIVE"}


def test_removing_the_prepared_host_leaves_the_port_where_it_is(client: FlaskClient, port: dict[str, Any]) -> None:
    add(client, port, "h2")
    assert client.delete("/v2.0/hosts/h2").status_code == 409
    assert client.delete("/v2.0/hosts/h2?force=true").status_code == 204
    assert statuses(client, port) == {"h1": "ACTIVE"}
