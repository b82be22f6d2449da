"""Can hosts be registered, shown, changed and removed over the API?"""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from controller.records import HostName, HostState
from controller.store.database import Database
from controller.store.states import save_host_state


def test_a_host_is_shown_as_it_was_registered(client: FlaskClient, make: SimpleNamespace) -> None:
    host = make.host(
        name="h1",
        ovsdb="tcp:192.0.2.1:6640",
        tunnel_ip="192.0.2.1",
        datapath_type="netdev",
        physnets=[{"physical_network": "blue", "bridge": "br-blue"}],
    )
    assert host == client.get("/v2.0/hosts/h1").json["host"] == client.get(f"/v2.0/hosts/{host['id']}").json["host"]
    assert len(host["datapath_id"]) == 16
    int(host["datapath_id"], 16)
    expected = {
        "name": "h1",
        "ovsdb": "tcp:192.0.2.1:6640",
        "tunnel_ip": "192.0.2.1",
        "datapath_type": "netdev",
        "physnets": [{"physical_network": "blue", "bridge": "br-blue"}],
        "status": "DOWN",
        "ovsdb_connected": False,
        "openflow_connected": False,
        "programmed": False,
        "problem": None,
        "features": {},
        "seen_at": None,
    }
    assert expected == {key: host[key] for key in expected}


@pytest.mark.parametrize(
    ("ovsdb", "openflow", "programmed", "status"),
    [
        (True, True, True, "DEGRADED"),
        (True, True, False, "DEGRADED"),
        (True, False, False, "DEGRADED"),
        (False, True, True, "DEGRADED"),
        (False, False, True, "DOWN"),
    ],
)
def test_the_status_of_a_host_with_a_problem_says_how_much_of_it_is_reached(
    ovsdb: bool, openflow: bool, programmed: bool, status: str, request: pytest.FixtureRequest
) -> None:
    client: FlaskClient = request.getfixturevalue("client")
    database: Database = request.getfixturevalue("database")
    request.getfixturevalue("make").host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    state = HostState(
        name=HostName("h1"),
        ovsdb_connected=ovsdb,
        openflow_connected=openflow,
        programmed=programmed,
        problem="why",
        features={"ovs_version": "3.1.0"},
        seen_at=datetime(2026, 11, 21, 6, 30, tzinfo=UTC),
    )
    with database.write() as tx:
        save_host_state(tx, state)
    host = client.get("/v2.0/hosts/h1").json["host"]
    assert (status, "why", {"ovs_version": "3.1.0"}, "2026-11-21T06:30:00Z") == (
        host["status"],
        host["problem"],
        host["features"],
        host["seen_at"],
    )


@pytest.mark.parametrize("ovsdb", ["tcp:192.0.2.1:6640", "tcp:[2001:db8::1]:6640", "unix:/var/run/openvswitch/db.sock"])
def test_the_forms_of_an_ovsdb_address(make: SimpleNamespace, ovsdb: str) -> None:
    assert ovsdb == make.host(name="h1", ovsdb=ovsdb)["ovsdb"]


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("ovsdb", "ssl:192.0.2.1:6640", "ssl: is not supported yet"),
        ("ovsdb", "tcp:192.0.2.1", "is not an OVSDB address"),
        ("ovsdb", "tcp:192.0.2.1:0", "is not an OVSDB address"),
        ("ovsdb", "tcp:192.0.2.1:65536", "is not an OVSDB address"),
        ("ovsdb", "tcp:2001:db8::1:6640", "is not an OVSDB address"),
        ("ovsdb", "tcp:[192.0.2.1]:6640", "is not an OVSDB address"),
        ("ovsdb", "unix:relative", "is not an OVSDB address"),
        ("ovsdb", "ptcp:6640", "is not an OVSDB address"),
        ("ovsdb", None, "is not an OVSDB address"),
        ("name", "a/b", "is not a valid host name"),
        ("name", "", "is not a valid host name"),
        ("tunnel_ip", "224.0.0.1", "cannot be a tunnel endpoint"),
        ("tunnel_ip", "192.0.2", "is not a valid IP address"),
        ("datapath_type", "dpdk", "is not in ['system', 'netdev']"),
        ("physnets", [{"physical_network": "x"}], "Invalid data format for physnet"),
        ("physnets", [{"physical_network": "x", "bridge": "far-too-long-name"}], "is not a valid bridge name"),
        ("physnets", [{"physical_network": "x", "bridge": b} for b in ("a", "b")], "Duplicate physical network 'x'"),
        (
            "physnets",
            [{"physical_network": n, "bridge": "br-ex"} for n in ("x", "y")],
            "bridge br-ex is given for two physical networks, x and y",
        ),
        (
            "physnets",
            [{"physical_network": f"n{n}", "bridge": f"br{n}"} for n in range(79)],
            "a host may have 78",
        ),
    ],
)
def test_a_bad_host_is_refused(client: FlaskClient, attribute: str, value: object, words: str) -> None:
    body = {"name": "h1", "ovsdb": "tcp:192.0.2.1:6640", attribute: value}
    reply = client.post("/v2.0/hosts", json={"host": body})
    assert reply.status_code == 400
    assert words in reply.json["NeutronError"]["message"]
    assert client.get("/v2.0/hosts").json["hosts"] == []


def test_a_host_is_changed_and_removed(client: FlaskClient, make: SimpleNamespace) -> None:
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    reply = client.put("/v2.0/hosts/h1", json={"host": {"tunnel_ip": "192.0.2.9"}})
    assert (reply.status_code, reply.json["host"]["tunnel_ip"]) == (200, "192.0.2.9")
    assert client.delete("/v2.0/hosts/h1").status_code == 204
    assert client.get("/v2.0/hosts/h1").json["NeutronError"]["type"] == "HostNotFound"


def test_a_host_with_bound_ports_is_removed_only_by_force(client: FlaskClient, make: SimpleNamespace) -> None:
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    make.port(network_id=make.network()["id"], binding__host_id="h1")
    assert client.delete("/v2.0/hosts/h1").status_code == 409
    assert client.delete("/v2.0/hosts/h1?force=maybe").status_code == 400
    assert client.delete("/v2.0/hosts/h1?force=true").status_code == 204


def test_a_port_is_bound_by_the_host_it_names(client: FlaskClient, make: SimpleNamespace) -> None:
    """vif_type is worked out again when the host registers; null and "" both unbind (Nova sends both)."""
    port = make.port(network_id=make.network()["id"], binding__host_id="h1")
    path = f"/v2.0/ports/{port['id']}"
    assert (port["binding:vif_type"], port["binding:vif_details"]) == ("binding_failed", {})
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640", datapath_type="netdev")
    bound = client.get(path).json["port"]
    assert bound["binding:vif_type"] == "ovs"
    assert bound["binding:vif_details"] == {
        "connectivity": "l2",
        "port_filter": True,
        "ovs_hybrid_plug": False,
        "datapath_type": "netdev",
        "bridge_name": "br-int",
        "bound_drivers": {"0": "weft"},
    }
    for nowhere in (None, ""):
        client.put(path, json={"port": {"binding:host_id": "h1"}})
        unbound = client.put(path, json={"port": {"binding:host_id": nowhere}}).json["port"]
        assert tuple(unbound[f"binding:{key}"] for key in ("host_id", "vif_type", "vif_details")) == ("", "unbound", {})
