"""Are vNICs on the wire like every other resource, with two actions of their own?"""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from flask.testing import FlaskClient

VNICS = "/v2.0/vnics"


def _vnic(client: FlaskClient, **attributes: Any) -> dict[str, Any]:
    reply = client.post(VNICS, json={"vnic": attributes})
    assert reply.status_code == 201, reply.json
    return reply.json["vnic"]


def test_a_vnic_is_made_plugged_unplugged_and_deleted(client: FlaskClient, make: SimpleNamespace) -> None:
    port = make.port(network_id=make.network()["id"])
    vnic = _vnic(client, name="eth0", owner="vm1", mac_address="02-00-00-00-00-AA")
    assert port["attachment"] is None
    assert vnic == {
        "id": vnic["id"],
        "name": "eth0",
        "description": "",
        "project_id": "fake_project_id",
        "tenant_id": "fake_project_id",
        "mac_address": "02:00:00:00:00:aa",
        "owner": "vm1",
        "device_owner": "compute:weft",
        "port_id": None,
        "network_id": None,
        "status": "DOWN",
        "tags": [],
        "created_at": vnic["created_at"],
        "updated_at": vnic["updated_at"],
        "revision_number": 0,
    }
    path = f"{VNICS}/{vnic['id']}"
    reply = client.put(f"{path}/plug", json={"network_id": port["network_id"]})
    assert (reply.status_code, reply.json["vnic"]["port_id"]) == (200, port["id"])
    plugged = client.get(f"/v2.0/ports/{port['id']}").json["port"]
    assert plugged["attachment"] == {"vnic_id": vnic["id"], "device_id": "vm1", "device_owner": "compute:weft"}
    assert (plugged["device_id"], plugged["mac_address"]) == ("vm1", "02:00:00:00:00:aa")
    assert [one["id"] for one in client.get(f"{VNICS}?port_id={port['id']}&fields=id").json["vnics"]] == [vnic["id"]]
    assert client.get(f"{VNICS}?port_id=").json["vnics"] == []
    assert client.delete(path).status_code == 409
    assert client.put(f"{path}/unplug").json["vnic"]["port_id"] is None
    assert client.put(f"{path}/unplug", json={}).status_code == 409
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_a_device_that_a_client_of_neutron_attached_is_an_attachment_without_a_vnic(
    client: FlaskClient, make: SimpleNamespace
) -> None:
    port = make.port(network_id=make.network()["id"])
    body = {"port": {"device_id": "vm9", "device_owner": "compute:nova"}}
    changed = client.put(f"/v2.0/ports/{port['id']}", json=body).json["port"]
    assert changed["attachment"] == {"vnic_id": None, "device_id": "vm9", "device_owner": "compute:nova"}


def test_what_cannot_be_plugged_says_why(client: FlaskClient, make: SimpleNamespace) -> None:
    port, vnic, other = make.port(network_id=make.network()["id"]), _vnic(client), _vnic(client)
    nowhere = "00000000-0000-0000-0000-000000000000"
    for body, status, kind in (
        ({}, 400, "BadRequest"),
        ({"port_id": port["id"], "network_id": port["network_id"]}, 400, "BadRequest"),
        ({"port_id": 7}, 400, "HTTPBadRequest"),
        ({"port": port["id"]}, 400, "HTTPBadRequest"),
        ({"port_id": nowhere}, 404, "PortNotFound"),
        ({"network_id": nowhere}, 404, "NetworkNotFound"),
        ({"port_id": port["id"]}, 200, None),
        ({"port_id": port["id"]}, 409, "VnicInUse"),
    ):
        reply = client.put(f"{VNICS}/{vnic['id']}/plug", json=body)
        assert (reply.status_code, reply.json.get("NeutronError", {}).get("type")) == (status, kind), body
    for body, kind in (({"port_id": port["id"]}, "PortInUse"), ({"network_id": port["network_id"]}, "NoPortAvailable")):
        reply = client.put(f"{VNICS}/{other['id']}/plug", json=body)
        assert (reply.status_code, reply.json["NeutronError"]["type"]) == (409, kind)
    assert client.post(VNICS, json={"vnic": {"mac_address": "01:00:5e:00:00:01"}}).status_code == 400
    assert client.put(f"{VNICS}/{nowhere}/plug", json={"port_id": port["id"]}).status_code == 404


def test_vnics_plugged_at_once_get_a_port_each(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()["id"]
    free = {make.port(network_id=network)["id"] for _ in range(6)}
    waiting = [_vnic(client)["id"] for _ in range(8)]

    def plug(vnic_id: str) -> str | None:
        reply = client.application.test_client().put(f"{VNICS}/{vnic_id}/plug", json={"network_id": network})
        return str(reply.json["vnic"]["port_id"]) if reply.status_code == 200 else None

    with ThreadPoolExecutor(max_workers=8) as threads:
        got = list(threads.map(plug, waiting))
    assert got.count(None) == 2
    assert {port for port in got if port is not None} == free
