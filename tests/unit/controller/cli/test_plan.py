"""Does ``--plan`` change nothing and say what would have changed, on every command that changes something?"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from api.app import create_app
from api.auth import NoAuth
from controller.cli import main
from controller.cli.plan import lines
from controller.plugins.faces import Faces
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Loaded, Registry
from controller.store.database import Database
from tests.unit.api.conftest import NoController
from tests.unit.api.test_network_moves import Cluster, find

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

TEMPLATE = """
weft_template: 1
parameters: {guests: {type: integer, default: 2}, name: {type: string, default: red}}
resources:
  red: {type: network, properties: {name: "${parameters.name}"}}
  addresses: {type: subnet, properties: {network_id: "${red}", cidr: CIDR}}
  guest: {type: port, count: "${parameters.guests}", properties: {network_id: "${red}"}}
"""
FILE = {"weft_ipam": 1, "networks": [{"name": "imported"}]}


NONE = {"added": 0, "modified": 0, "deleted": 0}
PLAN = {
    "answer": None,
    "affected": [],
    "addresses_unknown": None,
    "ports": 1,
    "flows": NONE,
    "hosts": [],
    "hosts_unknown": None,
    "plugins": [],
    "connectivity": {"unknown": "there is too much"},
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as url:
        yield url


@contextmanager
def served(directory: Path) -> Iterator[str]:
    plugins = {
        one.name: Loaded(plugin=one, advertisement=one.advertise(), distribution="tests")
        for one in (OpenFlowPlugin({}), Cluster({"bridge": "br-other"}))
    }
    database = Database(f"sqlite:///{directory}/weft.db", faces=Faces(Registry(plugins, ())))
    database.migrate()
    find(database)
    server = make_server("127.0.0.1", 0, create_app(database, auth=NoAuth(), control=NoController()), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
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


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Containers, one of which cannot follow its flavor, and a subnet with an address in quarantine."""
    directory = tmp_path_factory.mktemp("cloud")
    (directory / "file.json").write_text(json.dumps(FILE))
    with served(directory) as url:
        for version, cidr in enumerate(("10.9.0.0/24", "10.99.0.0/24"), start=1):
            (directory / f"{version}.yaml").write_text(TEMPLATE.replace("CIDR", cidr))
        setting_up = (
            "network create n --provider-network-type geneve",
            "subnet create s --network n --cidr 10.0.0.0/24 --ipam-quarantine 3600",
            "port create p --network n --fixed-ip ip-address=10.0.0.7",
            "port create gone --network n --fixed-ip ip-address=10.0.0.200",
            "port delete gone",
            f"container-flavor create pair --template {directory}/1.yaml",
            f"container-flavor create stuck --template {directory}/1.yaml",
            "container create shop --flavor pair",
            "container create held --flavor stuck --parameter name=tight",
            "port create outside --network tight",
            "container member add shop network late --property name=late",
            f"container-flavor create pair --template {directory}/2.yaml",
            f"container-flavor create stuck --template {directory}/2.yaml",
        )
        for line in setting_up:
            assert main([*line.split(), "--url", url]) == 0, line
        yield directory, url


PLANNED = {
    "container create new --flavor pair:1": (
        "container new:\n    created  network red",
        "created port (ID), guest[1] of container new",
        "2 gained, 0 lost",
        "+ guest[0] of container new -> guest[1] of container new: IPv4 any",
    ),
    "container set shop --parameter guests=3": (
        "container shop:\n    created  port guest[2]\n",
        "changed container shop (ID)\n    parameters: - -> guests=3",
        "4 gained, 0 lost",
    ),
    "container set shop --flavor pair:2": (
        "    replaced subnet addresses: cidr\n",
        "deleted subnet (ID), addresses of container shop",
        "created subnet (ID), addresses of container shop",
    ),
    "container delete shop": (
        "deleted container shop (ID)",
        "deleted port (ID), guest[0] of container shop",
        "0 gained, 2 lost",
        "- guest[1] of container shop -> guest[0] of container shop: IPv4 any",
    ),
    "container member add shop port door --object p": ("container shop:\n    created  port added/door\n",),
    "container member remove shop added/late --delete": ("deleted network late (ID), added/late of container shop",),
    "container-flavor create pair --template {directory}/2.yaml": ("created container flavor pair (ID)",),
    "container-flavor roll pair": ("container shop:\n    replaced subnet addresses: cidr\n", "flavor_version: 1 -> 2"),
    "container-flavor roll stuck": ("container held: FAILED: Container held is in use", "ports concerned: 0"),
    "subnet restore s --ip-address 10.0.0.200 --port p": (
        "changed port p (ID)\n    fixed_ips:",
        "ip_address=10.0.0.200",
    ),
    "ip-reservation create r --subnet s": ("created ip reservation r (ID)",),
    "ipam import {directory}/file.json": ("network: 1 would be created, 0 there already",),
    "network move n --plugin cluster": ("planned", "change: weft:plugin: openflow becomes cluster"),
}
"""What is typed before ``--plan``, and what is read then."""


def stored(directory: Path) -> list[str]:
    """Return everything the database has."""
    with closing(sqlite3.connect(directory / "weft.db")) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("line", PLANNED)
def test_a_plan_is_read_before_it_is_done(
    cloud: tuple[Path, str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, url = cloud
    was = stored(directory)
    words = line.format(directory=directory).split()
    capsys.readouterr()
    status = main([*words, "--plan", "--url", url])
    printed = capsys.readouterr()
    assert status == (1 if "stuck" in line else 0), printed.err
    shown = ID.sub("ID", printed.out)
    assert [text for text in PLANNED[line] if text not in shown] == [], shown
    assert stored(directory) == was


def test_what_a_plan_does_not_know_of_addresses_is_told_where_there_is_any() -> None:
    said = "IPAM driver 'x' is asked only when this is done"
    assert f"addresses: {said}" in lines(PLAN | {"addresses_unknown": said})
    assert not [line for line in lines(PLAN) if line.startswith("addresses")]
