"""Does Weft pass the conformance tests of Neutron's API? Tempest and neutron-tempest-plugin, against a Weft of its own.

    python3 -m venv /tmp/tempest && /tmp/tempest/bin/pip install tempest neutron-tempest-plugin
    PYTHONPATH=. .venv/bin/python scripts/clients/conformance.py /tmp/tempest/bin/tempest [--regex REGEX]

Weft runs in mode ``token`` with an empty database. The tests want Keystone: a small server here answers as it, makes
what users and projects they ask for, and gives each of Weft's own tokens. Routers, floating addresses and qualities of
service are no duty of Weft's and left out, with the tests that need them.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from controller.services.identities import create_token
from controller.store.database import Database

TESTS = r"^(tempest\.api\.network|neutron_tempest_plugin\.api)"
NO_DUTY = (
    "outer|TagsExtTest|floating|Floating|metering|[Qq]os|QoS|[Tt]runk|ndp_proxy|vpn|bgp|DHCPv6|ExternalNetworksRBAC.*(project_att"
    "ached|attach_ext_gw|allocate_floatingip|shares_with_another|wildcard_to_specific|default_ext)"
)
"""What needs layer 3 or another service; the end of the list makes a router or a floating address in its midst."""
ROLES = ("admin", "manager", "member", "reader")
USERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("operators", ("admin", "member", "reader")),
    "red": ("red", ("member", "reader")),
    "green": ("green", ("member", "reader")),
    "blue": ("blue", ("member", "reader")),
    "looker": ("red", ("reader",)),
    "chief": ("red", ("manager", "member", "reader")),
}
"""Who is there from the beginning: project and roles."""
QUOTAS = "network=500,port=2000,subnet=500,subnetpool=100,security_group=200,security_group_rule=2000,rbac_policy=500"
DOMAIN = {"id": "default", "name": "Default"}
LIFETIME = timedelta(days=1)


def an_id(*of: str) -> str:
    """Return the id of something with a name: always the same, as Keystone spells ids."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(of)).hex


class Keystone:
    """Identity service, version 3, as far as the tests ask."""

    def __init__(self, database: Database, weft: str, url: str) -> None:
        self._database, self._weft, self._url = database, weft, url
        self._lock = threading.Lock()
        self._projects = {an_id("project", name): name for name, _ in USERS.values()}
        self._users = {an_id("user", name): name for name in USERS}
        self._grants: dict[tuple[str, str], set[str]] = {
            (an_id("user", name), an_id("project", project)): set(roles) for name, (project, roles) in USERS.items()
        }
        self._secrets: dict[tuple[str, str], str] = {}
        self.app = Flask("keystone", static_folder=None)
        for rule, methods, view in (
            ("/v3", ["GET"], self._version),
            ("/v3/", ["GET"], self._version),
            ("/v3/auth/tokens", ["POST"], self._authenticate),
            ("/v3/<kind>", ["GET", "POST"], self._collection),
            ("/v3/<kind>/<object_id>", ["GET", "DELETE"], self._item),
            ("/v3/<kind>/<object_id>/users/<user_id>/roles/<role_id>", ["PUT"], self._grant),
        ):
            self.app.add_url_rule(rule, endpoint=f"{rule} {methods}", view_func=view, methods=methods)

    def secret(self, name: str) -> str:
        """Return a token of somebody who is there from the beginning."""
        return self._token(an_id("user", name), an_id("project", USERS[name][0]))[0]

    def _version(self) -> Response:
        links = [{"rel": "self", "href": f"{self._url}/v3/"}]
        return jsonify(version={"id": "v3.14", "status": "stable", "links": links})

    def _token(self, user: str, project: str) -> tuple[str, set[str]]:
        with self._lock:
            roles = self._grants.get((user, project)) or {"member", "reader"}
            if (user, project) not in self._secrets:
                with self._database.write() as tx:
                    made = create_token(tx, project_id=project, roles=sorted(roles), lifetime=LIFETIME)
                self._secrets[user, project] = made[1]
            return self._secrets[user, project], roles

    def _authenticate(self) -> Response | tuple[Response, int]:
        asked: Any = request.get_json()["auth"]
        user = self._whom(asked["identity"])
        if user is None:
            return jsonify(error={"code": 401, "message": "who?", "title": "Unauthorized"}), 401
        project = self._which(asked.get("scope", {}).get("project", {}), user)
        secret, roles = self._token(user, project)
        now = datetime.now(UTC)
        services = (("identity", f"{self._url}/v3"), ("network", self._weft))
        answer = jsonify(
            token={
                "methods": ["password"],
                "user": {"id": user, "name": self._users[user], "domain": DOMAIN, "password_expires_at": None},
                "audit_ids": ["a"],
                "issued_at": f"{now:%Y-%m-%dT%H:%M:%S.000000Z}",
                "expires_at": f"{now + LIFETIME:%Y-%m-%dT%H:%M:%S.000000Z}",
                "project": {"id": project, "name": self._projects[project], "domain": DOMAIN},
                "is_domain": False,
                "roles": [{"id": an_id("role", role), "name": role} for role in sorted(roles)],
                "catalog": [
                    {
                        "type": kind,
                        "name": kind,
                        "id": an_id(kind),
                        "endpoints": [
                            {"id": an_id(kind, face), "interface": face, "region": "R", "region_id": "R", "url": url}
                            for face in ("public", "internal", "admin")
                        ],
                    }
                    for kind, url in services
                ],
            }
        )
        answer.status_code = 201
        answer.headers["X-Subject-Token"] = secret
        return answer

    def _whom(self, identity: Mapping[str, Any]) -> str | None:
        if "password" not in identity:
            given = identity["token"]["id"]
            return next((user for (user, _), secret in self._secrets.items() if secret == given), None)
        user = identity["password"]["user"]
        return next((i for i, name in self._users.items() if user.get("id") == i or user.get("name") == name), None)

    def _which(self, asked: Mapping[str, Any], user: str) -> str:
        if asked.get("id") in self._projects:
            return str(asked["id"])
        named = next((i for i, name in self._projects.items() if name == asked.get("name")), None)
        return named or next(project for one, project in self._grants if one == user)

    def _of(self, kind: str) -> dict[str, str]:
        if kind == "roles":
            return {an_id("role", role): role for role in ROLES}
        return {"projects": self._projects, "users": self._users}.get(kind, {DOMAIN["id"]: DOMAIN["name"]})

    def _collection(self, kind: str) -> Response | tuple[Response, int]:
        if request.method == "POST":
            object_id, name = uuid.uuid4().hex, str(request.get_json()[kind.removesuffix("s")]["name"])
            self._of(kind)[object_id] = name
            return jsonify({kind.removesuffix("s"): _shown(object_id, name)}), 201
        name = request.args.get("name")
        found = [_shown(i, one) for i, one in self._of(kind).items() if name in {None, one}]
        return jsonify({kind: found, "links": {"next": None, "previous": None, "self": request.url}})

    def _item(self, kind: str, object_id: str) -> Response | tuple[Response, int] | tuple[str, int]:
        name = self._of(kind).get(object_id)
        if name is None:
            return jsonify(error={"code": 404, "message": "not there", "title": "Not Found"}), 404
        if request.method == "DELETE":
            return "", 204  # its tokens may be wanted to tidy up
        return jsonify({kind.removesuffix("s"): _shown(object_id, name)})

    def _grant(self, kind: str, object_id: str, user_id: str, role_id: str) -> tuple[str, int]:
        if kind == "projects":
            self._grants.setdefault((user_id, object_id), set()).add(self._of("roles")[role_id])
        return "", 204


def _shown(object_id: str, name: str) -> dict[str, object]:
    return {"id": object_id, "name": name, "domain_id": DOMAIN["id"], "enabled": True}


def settings(directory: Path, keystone: str, aliases: str, public: str) -> str:
    """Return tempest.conf."""
    accounts = [
        {
            "username": name,
            "password": "x",
            "project_name": project,
            "project_id": an_id("project", project),
            "domain_name": DOMAIN["name"],
            "roles": list(roles),
            **({"types": ["admin"]} if name == "admin" else {}),
        }
        for name, (project, roles) in USERS.items()
    ]
    (directory / "accounts.yaml").write_text(json.dumps(accounts))
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_dir": directory, "log_file": "tempest.log"},
        "oslo_concurrency": {"lock_path": directory / "locks"},
        "auth": {
            "use_dynamic_credentials": False,
            "test_accounts_file": directory / "accounts.yaml",
            "admin_username": "admin",
            "admin_password": "x",
            "admin_project_name": "operators",
            "admin_domain_name": DOMAIN["name"],
        },
        "identity": {"uri_v3": f"{keystone}/v3", "auth_version": "v3", "region": "R", "admin_role": "admin"},
        "service_available": {"neutron": True} | dict.fromkeys(("nova", "glance", "cinder", "swift"), False),
        "network": {"public_network_id": public, "project_networks_reachable": False},
        "network-feature-enabled": {
            "api_extensions": aliases,
            "ipv6": True,
            "ipv6_subnet_attributes": True,
            "floating_ips": False,
        },
        "neutron_plugin_options": {
            "agent_availability_zone": "nova",
            "available_type_drivers": "vxlan,vlan,flat,geneve",
            "provider_vlans": "physnet1",
        },
    }
    return "\n".join(
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
        for section, values in sections.items()
    )


def sent(weft: str, token: str, path: str, body: object = None) -> Any:
    """Send one request to Weft and return its answer."""
    headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"{weft}/v2.0/{path}", data=data, headers=headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def main() -> int:
    """Start what is needed, run the tests, print what failed and the balance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tempest", help="the program, of a virtual environment with neutron-tempest-plugin")
    parser.add_argument("--regex", default=TESTS, help="which tests (default: all of the network API)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as name:
        return _run(Path(name), args.tempest, args.regex)


def _run(directory: Path, tempest: str, regex: str) -> int:
    url = f"sqlite:///{directory}/weft.db"
    serve = [sys.executable, "-P", "-c", "import sys; from controller.cli import main; sys.exit(main(sys.argv[1:]))"]
    serve += ["serve", "--database", url, "--api-listen", "127.0.0.1:0", "--openflow-listen", "127.0.0.1:0"]
    serve += ["--auth", "token", "--vlan-ranges", "physnet1:100:199", "--vxlan-ranges", "1:2000", "--quotas", QUOTAS]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as running:
        try:
            ready = re.search(r"api=(\S+)", running.stdout.readline() if running.stdout else "")
            if ready is None:
                print("weft serve did not start", file=sys.stderr)
                return 1
            return _with_weft(directory, tempest, regex, (url, ready[1]))
        finally:
            running.terminate()


def _with_weft(directory: Path, tempest: str, regex: str, places: tuple[str, str]) -> int:
    url, weft = places
    database = Database(url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keystone = Keystone(database, weft, f"http://127.0.0.1:{port}")
    server = make_server("127.0.0.1", port, keystone.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    admin = keystone.secret("admin")
    aliases = ",".join(one["alias"] for one in sent(weft, admin, "extensions")["extensions"])
    public = sent(weft, admin, "networks", {"network": {"name": "public", "router:external": True}})["network"]["id"]
    sent(weft, admin, "subnets", {"subnet": {"network_id": public, "cidr": "172.24.4.0/24", "ip_version": 4}})
    kept = [
        "--name",
        directory.name,
        "--workspace-path",
        str(directory / "workspaces.yaml"),
    ]  # not in the home directory
    subprocess.run([tempest, "init", *kept, str(directory / "work")], check=True, capture_output=True)
    configuration = directory / "work" / "etc" / "tempest.conf"
    configuration.write_text(settings(directory, f"http://127.0.0.1:{port}", aliases, public))
    command = [tempest, "run", "--serial", "--regex", regex, "--exclude-regex", f"({NO_DUTY})"]
    told = subprocess.run(command, cwd=directory / "work", check=False, capture_output=True, text=True).stdout
    server.shutdown()
    database.close()
    for one in re.split(r"\n(?=\{\d+\} )", told):
        if one.split("\n")[0].endswith("FAILED"):
            print(one)
    print(told[told.rfind("\n======\nTotals") :])
    return 0 if re.search(r"- Failed: 0$", told, re.MULTILINE) else 1


if __name__ == "__main__":
    sys.exit(main())
