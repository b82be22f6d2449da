"""A Keystone of a few lines on a real socket: who has which token is written below (Identity API v3)."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKENS = {
    "of-admin": ("blue", ["admin", "manager", "member", "reader"]),
    "of-member": ("blue", ["member", "reader"]),
    "of-nova": ("services", ["service"]),
    "unscoped": (None, []),
}


class FakeKeystone(BaseHTTPRequestHandler):
    """Discovery, a token for the middleware itself, and the validation of those in TOKENS (Identity API v3)."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass

    def do_GET(self) -> None:
        root = f"http://{self.headers['Host']}/v3/"
        if self.path.startswith("/v3/auth/tokens"):
            self._token(self.headers.get("X-Subject-Token", ""))
        else:
            link = {"rel": "self", "href": root}
            version = {"id": "v3.14", "status": "stable", "links": [link], "media-types": []}
            self._answer(300 if self.path == "/" else 200, {"versions": {"values": [version]}, "version": version})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._token("of-nova", 201)

    def _token(self, token: str, status: int = 200) -> None:
        found = TOKENS.get(token)
        if found is None:
            self._answer(404, {"error": {"code": 404, "title": "Not Found", "message": "no such token"}})
            return
        project, roles = found
        body: dict[str, Any] = {
            "methods": ["password"],
            "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "audit_ids": [token],
        }
        if project:
            body |= {
                "project": {"id": project, "name": project, "domain": {"id": "default", "name": "Default"}},
                "roles": [{"id": role, "name": role} for role in roles],
                "catalog": [{"id": "k", "type": "identity", "name": "keystone", "endpoints": [self._endpoint()]}],
            }
        self._answer(status, {"token": body}, token)

    def _endpoint(self) -> dict[str, str]:
        root = f"http://{self.headers['Host']}"
        return {"id": "e", "interface": "internal", "region": "r", "region_id": "r", "url": root}

    def _answer(self, status: int, body: object, token: str = "") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if token:
            self.send_header("X-Subject-Token", token)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def a_keystone() -> Iterator[str]:
    """Serve on a free port of this machine; gives the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeKeystone)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_keystone_config(directory: Path, url: str) -> Path:
    """Write what keystonemiddleware needs to ask that Keystone."""
    path = directory / "keystone.conf"
    path.write_text(
        "[keystone_authtoken]\n"
        f"www_authenticate_uri = {url}\nauth_url = {url}\nauth_type = password\n"
        "username = weft\npassword = secret\nproject_name = services\n"
        "user_domain_id = default\nproject_domain_id = default\n"
    )
    return path
