"""Does everything of another Neutron, or of a file, come over with its ids, once and whole?

The source is a second Weft, which speaks Neutron, or a stub that serves recorded answers of Neutron 29; both over HTTP.
"""

import csv
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from api.app import create_app
from api.auth import NoAuth
from controller.cli import main
from scripts.replay_samples import samples
from tests.databases import a_database
from tests.unit.api.conftest import NoController

COLLECTIONS = (
    *("subnetpools", "address-groups", "security-groups", "networks", "subnets", "ports"),
    "ip-reservations",
)
_NEW_HERE = {"created_at", "updated_at", "revision_number"}


class Quiet(WSGIRequestHandler):
    """Says nothing."""

    def log(self, *_: object) -> None:  # type: ignore[override]
        pass


class Served:
    """A Weft over HTTP."""

    def __init__(self, directory: Path) -> None:
        self.database = a_database(directory, rng=random.Random(3))
        self.app: Flask = create_app(self.database, auth=NoAuth(), control=NoController())
        self.client: FlaskClient = self.app.test_client()
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.database.close()

    def make(self, collection: str, member: str, **body: object) -> dict[str, Any]:
        named = {name.replace("__", ":"): value for name, value in body.items()}
        reply = self.client.post(f"/v2.0/{collection}", json={member: named})
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json[member]
        return made

    def everything(self) -> dict[str, dict[str, Any]]:
        """All that can be imported, by id, without what is new in any place."""
        found = {}
        for path in COLLECTIONS:
            reply = self.client.get(f"/v2.0/{path}").json
            for one in reply[path.replace("-", "_")]:
                one["rules"] = [
                    {name: value for name, value in rule.items() if name not in _NEW_HERE}
                    for rule in sorted(one.pop("security_group_rules", []), key=lambda rule: rule["id"])
                ]
                found[one["id"]] = {name: value for name, value in one.items() if name not in _NEW_HERE}
        return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    weft = Served(tmp_path_factory.mktemp("source"))
    members = weft.make("address-groups", "address_group", name="dns", addresses=["192.0.2.53/32"])
    group = weft.make("security-groups", "security_group", name="web", description="w")
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 80}
    weft.make("security-group-rules", "security_group_rule", **rule, port_range_max=90, remote_group_id=group["id"])
    dns = {"security_group_id": group["id"], "direction": "egress", "remote_address_group_id": members["id"]}
    weft.make("security-group-rules", "security_group_rule", **dns)
    scope = weft.make("address-scopes", "address_scope", name="s", ip_version=4)["id"]
    prefixes = {"prefixes": ["10.0.0.0/8"], "default_prefixlen": 24, "address_scope_id": scope}
    pool = weft.make("subnetpools", "subnetpool", name="p", **prefixes)
    network = weft.make("networks", "network", name="n1", project_id="blue", shared=True)
    weft.client.put(f"/v2.0/networks/{network['id']}/tags", json={"tags": ["red", "blue"]})
    of_pool = {"ip_version": 4, "subnetpool_id": pool["id"]}
    subnet = weft.make("subnets", "subnet", network_id=network["id"], name="s4", **of_pool)
    slaac = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac", "ip_version": 6, "cidr": "2001:db8::/64"}
    weft.make("subnets", "subnet", network_id=network["id"], gateway_ip=None, dns_nameservers=["2001:db8::53"], **slaac)
    weft.make(
        "ports", "port", network_id=network["id"], name="vm", security_groups=[group["id"]], binding__host_id="h7"
    )
    weft.make("ports", "port", network_id=network["id"], device_owner="network:dhcp")
    vip = {"subnet_id": subnet["id"], "ip_address": "10.0.0.77", "project_id": "blue"}
    weft.make("ip-reservations", "ip_reservation", name="vip", **vip)
    weft.make("ports", "port", network_id=network["id"], project_id="blue", fixed_ips=[{"ip_address": "10.0.0.77"}])
    weft.make(
        "ip-reservations", "ip_reservation", name="later", subnet_id=subnet["id"], expires_at="2999-01-01T00:00:00Z"
    )
    pair = {"ip_address": "10.0.0.99"}
    weft.make("ports", "port", network_id=network["id"], project_id="blue", tags=["t"], allowed_address_pairs=[pair])
    yield weft
    weft.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Served]:
    weft = Served(tmp_path)
    yield weft
    weft.close()


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(list(words)) == status, capsys.readouterr()
    said = capsys.readouterr()
    return said.err if status else said.out


def imported(target: Served, source: str, *more: str) -> tuple[str, ...]:
    return ("import", "neutron", "--from", source, "--url", target.url, *more)


def test_a_whole_neutron_comes_over_and_a_second_time_nothing_changes(
    source: Served, target: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {
        object_id: one for object_id, one in source.everything().items() if one.get("device_owner") != "network:dhcp"
    }
    planned = run(capsys, *imported(target, source.url, "--plan"))
    assert "port: 3 would be created, 0 there already" in planned
    assert "ip_reservation: 2 would be created" in planned
    assert target.client.get("/v2.0/networks").json == {"networks": []}

    said = run(capsys, *imported(target, source.url))
    assert "network: 1 created, 0 there already" in said
    assert "left out: port" in said
    assert target.everything() == wanted

    again = json.loads(run(capsys, *imported(target, source.url, "--format", "json")))
    assert again["created"] == {}
    assert again["unchanged"]["port"] == 3
    assert target.everything() == wanted


def test_everything_that_stands_in_the_way_is_said_at_once_and_nothing_is_stored(
    source: Served, target: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    network = source.client.get("/v2.0/networks").json["networks"][0]
    target.make(
        "networks",
        "network",
        name="mine",
        provider__segmentation_id=network["provider:segmentation_id"],
        provider__network_type="vxlan",
    )
    before = target.everything()
    said = run(capsys, *imported(target, source.url), status=1)
    assert "nothing was stored" in said
    assert f"network {network['id']}: network n1: Unable to create the network. The tunnel ID" in said
    assert said.count("could not be found") >= 4  # subnets and ports of it
    assert target.everything() == before


class Recorded:
    """Serves lists as Neutron 29 answered them, two objects a page, to those with the right token."""

    def __init__(self) -> None:
        said = {one["name"]: one["answer"] for one in samples()}
        lists = {
            "networks": {"networks": [said["016-network-get"]["network"]]},
            "subnets": {"subnets": [said["017-subnet-get"]["subnet"], *said["020-subnet-list"]["subnets"]]},
            "ports": {"ports": [said["018-port-get"]["port"]]},
            "security-groups": said["128-list-security-groups"],
            "security-group-rules": said["129-list-security-group-rules"],
        }
        stub = self
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                password = given["auth"]["identity"]["password"]["user"]["password"]
                self._say(201 if password == "secret" else 401, {}, "token-1")  # noqa: S105

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                stub.asked.append(self.path)
                path, query = parts.path.removeprefix("/v2.0/"), parse_qs(parts.query)
                if self.headers["X-Auth-Token"] != "token-1":
                    self._say(401, {"error": {}})
                elif path not in lists:
                    self._say(404, {"message": "The resource could not be found."})
                else:
                    ((name, found),) = lists[path].items()
                    ids = [one["id"] for one in found]
                    start = ids.index(query["marker"][0]) + 1 if "marker" in query else 0
                    links = [{"rel": "next", "href": "http://elsewhere.invalid/"}] if start + 2 < len(ids) else []
                    self._say(200, {name: found[start : start + 2], f"{name}_links": links})

            def _say(self, status: int, answer: object, token: str | None = None) -> None:
                content = json.dumps(answer).encode()
                self.send_response(status)
                if token is not None:
                    self.send_header("X-Subject-Token", token)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.lists = lists
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    neutron = Recorded()
    yield neutron
    neutron.close()


def test_a_recorded_neutron_is_read_page_by_page_with_a_token_of_keystone(
    recorded: Recorded, target: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OS_TOKEN", "OS_AUTH_URL", "OS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    refused = run(capsys, *imported(target, recorded.url), status=1)
    assert "answered 401" in refused
    assert "--token-file" in refused
    monkeypatch.setenv("OS_PASSWORD", "secret")
    words = imported(target, recorded.url, "--auth-url", recorded.url, "--user", "admin", "--plan", "--format", "json")
    planned = json.loads(run(capsys, *words))
    listed = {name: one for answer in recorded.lists.values() for name, one in answer.items()}
    for kind in ("network", "subnet", "port", "security_group", "security_group_rule"):
        assert planned["created"].get(kind, 0) == len(listed.get(f"{kind}s", ())), kind
        assert planned["created"].get(kind, 0) > 0, kind
    assert sum("/v2.0/security-group-rules?" in path for path in recorded.asked) == 4


@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_exported_file_imports_into_an_empty_weft(
    source: Served, target: Served, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ipam"
    run(capsys, "ipam", "export", "--url", source.url, "--format", form, "--output", str(file))
    run(capsys, "ipam", "import", str(file), "--url", target.url)
    there, here = source.everything(), target.everything()
    for one in there.values():
        if "fixed_ips" in one and one["device_owner"] != "network:dhcp":
            copy = here[one["id"]]
            same = ("name", "project_id", "network_id", "mac_address", "fixed_ips", "tags", "binding:host_id")
            assert {name: copy[name] for name in same} == {name: one[name] for name in same}
        if "cidr" in one or "prefixes" in one or "expires_at" in one:
            assert here[one["id"]] == one
    assert {one["name"] for one in here.values() if "expires_at" in one} == {"vip", "later"}
    again = json.loads(run(capsys, "ipam", "import", str(file), "--url", target.url, "--format", "json"))
    assert again["created"] == {}


def test_every_bad_line_of_a_file_is_named(target: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = target.make("networks", "network", name="n")["id"]
    subnet = target.make("subnets", "subnet", network_id=network, cidr="10.1.0.0/24", ip_version=4)["id"]
    file = tmp_path / "addresses.csv"

    def write(*lines: tuple[str, ...]) -> None:
        with file.open("w") as target_file:
            csv.writer(target_file).writerows(lines)

    head = ("type", "network_id", "subnet_id", "address", "mac_address", "attributes")
    write(
        head,
        ("allocation", network, subnet, "10.1.0.5", "", ""),
        ("allocated", network, "", "", "", ""),
        ("allocation", network, subnet, "10.1.0.6", "", "{no"),
    )
    said = run(capsys, "ipam", "import", str(file), "--url", target.url, status=1)
    assert "line 3: there is no type 'allocated'; write" in said
    assert "line 4: attributes is no JSON" in said

    mac = "02:00:00:00:00:01"
    write(
        head,
        ("allocation", network, subnet, "10.1.0.5", mac, ""),
        ("allocation", network, subnet, "10.1.0.5", "", ""),
        ("allocation", network, subnet, "10.2.0.1", "", ""),
        ("allocation", network, subnet, "10.1.0.7", mac, ""),
    )
    said = run(capsys, "ipam", "import", str(file), "--url", target.url, status=1)
    assert "line 3: port: IP address 10.1.0.5 already allocated" in said
    assert "line 4: port: IP address 10.2.0.1 is not a valid IP for the specified subnet" in said
    assert f"line 5: port: Unable to complete operation for network {network}. The mac address {mac}" in said
    assert target.client.get("/v2.0/ports").json == {"ports": []}
    write(head, ("allocation", network, subnet, "10.1.0.5", mac, ""))
    assert "port: 1 would be created" in run(capsys, "ipam", "import", str(file), "--url", target.url, "--plan")


def test_a_reservation_from_a_file_is_kept_before_others_may_choose_and_one_that_is_over_is_left_out(
    target: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A /30 has one address beside its gateway's: whoever chooses first gets it."""
    network = target.make("networks", "network", name="n")["id"]
    subnet = target.make("subnets", "subnet", network_id=network, cidr="10.1.0.0/30", ip_version=4)["id"]
    file = tmp_path / "addresses.csv"
    over = json.dumps({"expires_at": "2020-01-01T00:00:00Z"})
    with file.open("w") as written:
        csv.writer(written).writerows(
            [
                ("type", "name", "network_id", "subnet_id", "address", "attributes"),
                ("reservation", "gone", "", subnet, "10.1.0.1", over),
                ("reservation", "wrong", "", subnet, "10.9.0.1", ""),
                ("reservation", "any", "", subnet, "", ""),
                ("allocation", "vm", network, subnet, "", ""),
            ]
        )
    said = run(capsys, "ipam", "import", str(file), "--url", target.url, status=1)
    assert "line 3: ip_reservation wrong: IP address 10.9.0.1 is not a valid IP" in said
    assert "line 5: port vm: No more IP addresses available" in said
    text = file.read_text().splitlines()
    file.write_text("\n".join([text[0], text[1], text[3]]) + "\n")
    done = json.loads(run(capsys, "ipam", "import", str(file), "--url", target.url, "--format", "json"))
    assert done["created"] == {"ip_reservation": 1}
    assert done["left_out"] == ["line 2: ip_reservation gone: its time is over"]
    (kept,) = target.client.get("/v2.0/ip-reservations").json["ip_reservations"]
    assert (kept["name"], kept["ip_address"]) == ("any", "10.1.0.2")


def test_the_drivers_are_listed_for_people(target: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert "built-in  up" in run(capsys, "ipam", "list", "--url", target.url)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ({"type": ["port"], "attributes": {}}, "there is no type"),
        ({"type": "port", "attributes": {"id": "me"}}, "'me' is no UUID"),
        ({"type": "port", "attributes": {"tags": 5}}, "tags must be a list of texts"),
        ({"type": "port", "attributes": {"device_owner": [], "fixed_ips": [{"subnet_id": {}}]}}, "network_id"),
    ],
)
def test_what_is_no_object_is_refused_by_its_place(target: Served, one: object, said: str) -> None:
    reply = target.client.post("/v2.0/imports", json={"import": {"objects": [one]}})
    assert reply.status_code in {400, 409}
    assert "object 1" in reply.text
    assert said in reply.text
