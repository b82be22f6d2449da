"""Do the client commands of ``weft`` do what they say against a real server?"""

import json
import socket
import threading
from pathlib import Path

import pytest
import requests

from controller.cli import main
from controller.records import HostName, HostState
from controller.store.database import Database
from controller.store.states import save_host_state
from tests.api.conftest import Server

ADDRESS = "tcp:192.0.2.1:6640"


@pytest.fixture
def weft(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, found through the environment."""
    monkeypatch.setenv("WEFT_URL", server.url)
    return server


def test_a_host_is_added_listed_shown_and_removed(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["host", "add", "h1", "--ovsdb", ADDRESS, "--tunnel-ip", "192.0.2.1", "--datapath-type", "netdev"]
    assert main([*command, "--physnet", "blue:br-blue", "--physnet", "red:br-red", "--format", "json"]) == 0
    added = json.loads(capsys.readouterr().out)
    assert (added["name"], added["status"], len(added["physnets"])) == ("h1", "DOWN", 2)

    assert main(["host", "list"]) == 0
    headings, row = capsys.readouterr().out.splitlines()
    assert headings.split()[:3] == ["NAME", "STATUS", "OVSDB"]
    assert row.split()[:4] == ["h1", "DOWN", ADDRESS, "192.0.2.1"]

    assert main(["host", "show", "h1"]) == 0
    assert "datapath_type       netdev" in capsys.readouterr().out
    assert main(["host", "list", "--format", "json"]) == 0
    assert [added] == json.loads(capsys.readouterr().out)

    assert main(["host", "remove", "h1"]) == 0
    said = capsys.readouterr()
    assert said.out == "host h1 removed\n"
    assert "flushes the bridge's flows" in said.err
    assert main(["host", "show", "h1"]) == 1
    assert capsys.readouterr().err == "weft: Host h1 could not be found.\n"


def test_the_server_s_refusal_is_shown_and_fails(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "h1", "--ovsdb", "ssl:192.0.2.1:6640"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "ssl: is not supported yet" in said.err
    assert said.err.count("\n") == 1


def test_a_host_with_bound_ports_needs_force(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "h1", "--ovsdb", ADDRESS]) == 0
    api = f"{weft.url}/v2.0"
    network = requests.post(f"{api}/networks", json={"network": {}}, timeout=10).json()["network"]
    port = {"network_id": network["id"], "binding:host_id": "h1"}
    requests.post(f"{api}/ports", json={"port": port}, timeout=10).raise_for_status()
    assert main(["host", "remove", "h1"]) == 1
    assert "remove the host with force" in capsys.readouterr().err
    assert main(["host", "remove", "h1", "--force", "--format", "json"]) == 0


def test_a_machine_s_network_is_printed_as_a_file(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    api = f"{weft.url}/v2.0"
    network = requests.post(f"{api}/networks", json={"network": {}}, timeout=10).json()["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    requests.post(f"{api}/subnets", json={"subnet": subnet}, timeout=10).raise_for_status()
    wanted = {"network_id": network["id"], "device_id": "vm"}
    port = requests.post(f"{api}/ports", json={"port": wanted}, timeout=10).json()["port"]
    assert main(["port", "network-data", port["id"]]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [one["type"] for one in printed["networks"]] == ["ipv4_dhcp"]
    assert main(["port", "network-data", "--device", "vm", "--static"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["networks"]
    assert (entry["type"], entry["ip_address"]) == ("ipv4", port["fixed_ips"][0]["ip_address"])
    assert main(["port", "network-data", "nobody"]) == 1


def test_waiting_in_vain_says_what_is_missing(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "h1", "--ovsdb", ADDRESS, "--wait", "0.3"]) == 1
    said = capsys.readouterr().err
    assert "not up after 0.3 s" in said
    assert f"its OVSDB server at {ADDRESS} is not connected" in said


def test_waiting_ends_when_the_host_is_up(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def come_up() -> None:
        database = Database(weft.database)
        name = HostName("h1")
        up = HostState(name=name, ovsdb_connected=True, openflow_connected=True, programmed=True, problem=None)
        with database.write() as tx:
            save_host_state(tx, up)
        database.close()

    timer = threading.Timer(0.5, come_up)
    timer.start()
    assert main(["host", "add", "h1", "--ovsdb", ADDRESS, "--wait", "20", "--format", "json"]) == 0
    timer.join()
    assert json.loads(capsys.readouterr().out)["status"] == "UP"


def test_the_status_of_a_port_is_printed(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    api = f"{weft.url}/v2.0"
    network = requests.post(f"{api}/networks", json={"network": {}}, timeout=10).json()["network"]
    port = requests.post(f"{api}/ports", json={"port": {"network_id": network["id"]}}, timeout=10).json()["port"]
    assert main(["port", "status", port["id"]]) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line.strip())
    assert (lines["port_id"], lines["status"], lines["reason"]) == (port["id"], "DOWN", "UNBOUND")
    assert main(["port", "status", port["id"], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "UNBOUND"


def test_flows_are_printed_with_owner_and_reason(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    flow = {
        "table": "classify",
        "table_id": 0,
        "priority": 100,
        "match": "in_port=32768",
        "actions": "goto_table:10",
        "cookie": "0x57",
        "owner": "port web-1 (3f2a)",
        "why": "the port is here",
        "packets": 1,
        "bytes": 2,
    }
    asked: list[dict[str, object]] = []

    def controller(listener: socket.socket) -> None:
        client, _address = listener.accept()
        with client, client.makefile("rwb") as lines:
            for line in lines:
                message = json.loads(line)
                if message["op"] == "flows":
                    asked.append(message["args"])
                    lines.write(json.dumps({"id": message["id"], "result": {"flows": [flow]}}).encode() + b"\n")
                    lines.flush()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(weft.control))
        listener.listen()
        threading.Thread(target=controller, args=(listener,), daemon=True).start()
        assert main(["host", "add", "h1", "--ovsdb", ADDRESS]) == 0
        api = f"{weft.url}/v2.0"
        network = requests.post(f"{api}/networks", json={"network": {"name": "n"}}, timeout=10).json()["network"]["id"]
        port = {"network_id": network, "name": "p"}
        port_id = requests.post(f"{api}/ports", json={"port": port}, timeout=10).json()["port"]["id"]
        capsys.readouterr()
        assert main(["flows", "h1", "--port", "p", "--network", "n", "--table", "classify"]) == 0
        table = capsys.readouterr().out
        assert main(["flows", "h1", "--format", "json"]) == 0
        assert [flow] == json.loads(capsys.readouterr().out)
    assert asked == [{"host": "h1", "port_id": port_id, "network_id": network, "table": "classify"}, {"host": "h1"}]
    headings, row = table.splitlines()
    assert headings.split() == ["TABLE", "PRIORITY", "MATCH", "ACTIONS", "OWNER", "REASON", "PACKETS", "BYTES"]
    assert "port web-1 (3f2a)" in row
    assert "the port is here" in row


def test_flows_without_a_controller_fail_with_a_sentence(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "h1", "--ovsdb", ADDRESS]) == 0
    assert main(["flows", "h1"]) == 1
    assert "The controller process cannot be reached" in capsys.readouterr().err


def test_a_url_with_the_version_in_it_works_too(weft: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "list", "--url", f"{weft.url}/v2.0/", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_database_of_the_server_is_where_it_was_told(weft: Server, tmp_path: Path) -> None:
    assert weft.database == f"sqlite:///{tmp_path}/weft.db"
