"""Does ``--plan`` change nothing and say what would have changed, on every command that changes something?"""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from api.app import create_app
from api.auth import NoAuth
from controller.cli import main
from controller.store.database import Database
from tests.unit.api.conftest import NoController


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    database = Database(f"sqlite:///{tmp_path}/weft.db")
    database.migrate()
    server = make_server("127.0.0.1", 0, create_app(database, auth=NoAuth(), control=NoController()), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    database.close()


def test_every_kind_of_command_can_be_planned(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> str:
        assert main([*words, "--url", url]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    host = ("host", "add", "h1", "--ovsdb", "tcp:192.0.2.1:6640", "--tunnel-ip", "192.0.2.1")
    assert "created host h1" in run(*host, "--plan")
    assert json.loads(run("host", "list", "--format", "json")) == []
    run(*host)
    assert "created network red" in run("network", "create", "red", "--plan")
    assert json.loads(run("network", "list", "--format", "json")) == []
    run("network", "create", "red")
    changed = run("network", "set", "red", "--mtu", "1400", "--plan")
    assert "changed network red" in changed
    assert "mtu: 1450 -> 1400" in changed
    assert "deleted network red" in run("network", "delete", "red", "--plan")
    assert "deleted host h1" in run("host", "remove", "h1", "--plan")
    run("vnic", "create", "eth0")
    run("port", "create", "p1", "--network", "red")
    assert "changed vnic eth0" in run("vnic", "plug", "eth0", "--port", "p1", "--plan")
    plan = json.loads(run("port", "set", "p1", "--host", "h1", "--plan", "--format", "json"))
    assert (plan["status"], [one["host"] for one in plan["hosts"]]) == (200, ["h1"])
    assert "flows: 0 added" not in run("port", "set", "p1", "--host", "h1", "--plan")
    [port] = json.loads(run("port", "list", "--format", "json"))
    assert port["binding:host_id"] == ""
