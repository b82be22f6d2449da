"""Do containers hold on a real process: a kill in the middle, and every command of ``weft container``?"""

import json
import signal
import threading
import time
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from controller.cli import main
from controller.store.database import Database
from tests.api.conftest import Server, start

HUNDRED = {
    "weft_template": 1,
    "resources": {
        "net": {"type": "network", "count": 100},
        "sub": {"type": "subnet", "count": 100, "properties": {"network_id": "${net[index]}", "cidr": "10.0.0.0/24"}},
        **{name: {"type": "port", "count": 100, "properties": {"network_id": "${net[index]}"}} for name in ("a", "b")},
    },
}
WHOLE = {"containers": 1, "container_members": 400, "networks": 100, "subnets": 100, "ports": 200, "segments": 100}


def rows(server: Server) -> dict[str, int]:
    database = Database(server.database)
    with database.read() as tx:
        found = {name: tx.connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in WHOLE}  # noqa: S608
    database.close()
    return found


def test_a_kill_in_the_middle_leaves_the_whole_container_or_nothing_of_it(tmp_path: Path) -> None:
    server = start(tmp_path)
    flavor = {"container_flavor": {"name": "hundred", "template": HUNDRED}}
    requests.post(f"{server.url}/v2.0/container-flavors", json=flavor, timeout=30).raise_for_status()
    took: list[float] = []

    def send(body: object) -> None:
        began = time.monotonic()
        try:
            requests.post(f"{server.url}/v2.0/containers", json=body, timeout=60).raise_for_status()
        except requests.ConnectionError:
            return
        took.append(time.monotonic() - began)

    body = {"container": {"flavor": "hundred"}}
    send(body)
    assert rows(server) == WHOLE
    sending = threading.Thread(target=send, args=(body,))
    sending.start()
    time.sleep(took[0] * 0.6)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(timeout=10)
    sending.join()
    assert rows(server) in (WHOLE, {name: 2 * count for name, count in WHOLE.items()})


def test_every_command_says_what_it_did(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEFT_URL", server.url)

    def weft(line: str) -> tuple[int, str, str]:
        status = main(line.split())
        said = capsys.readouterr()
        return status, said.out, said.err

    path = tmp_path / "red.yaml"
    path.write_text(
        "weft_template: 1\ndescription: Networks.\n"
        "parameters: {n: {type: integer, default: 1}}\n"
        "resources: {red: {type: network, count: '${parameters.n}'}}\n"
    )
    for version in (1, 2):
        status, out, _err = weft(f"container-flavor create reds --template {path} --format json")
        assert (status, json.loads(out)["version"]) == (0, version)
    assert weft("container create one --flavor reds:1 --parameter n=2 --format value -c flavor_version")[1] == "1\n"
    status, out, _err = weft("container set one --parameter n=3 --format json")
    assert (status, [change["path"] for change in json.loads(out)["changes"]]) == (0, ["red[2]"])
    assert weft("network create mine")[0] == 0
    status, out, _err = weft("container member add one network mine --object mine")
    assert (status, out.split()[-3:]) == (0, ["added/mine", "network", "created"])
    assert weft("container member add one port p --property network_id=x")[2].startswith("weft: Invalid container")
    weft("container member add one vnic nic --property name=eth0")
    found = json.loads(weft("container show one --format json")[1])
    weft(f"network delete {found['members'][0]['id']}")
    status, out, _err = weft("container drift one")
    assert (status, out.splitlines()[1].split()[:3]) == (0, ["missing", "red[0]", "network"])
    assert weft("container member remove one added/mine --delete")[0] == 0
    status, out, _err = weft("container-flavor roll reds")
    assert (status, "rolled" in out) == (0, True)
    assert weft("container-flavor delete reds:1")[0] == weft("container delete one")[0] == 0
    assert weft("container-flavor show reds --format value -c version")[1] == "2\n"
    path.write_text("weft_template: 1\nresources: {red: {type: netwrk}}\n")
    status, _out, err = weft(f"container-flavor create bad --template {path}")
    assert status == 1
    assert "resources.red.type (line 2, column 25): 'netwrk' is not one of" in err
    assert weft("container-flavor create bad --template /none")[2].startswith("weft: cannot read /none")
