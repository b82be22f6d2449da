"""A NetBox over HTTP: the parts of ``/api/ipam/`` that the driver uses, answering as NetBox 4.x documents them."""

import ipaddress
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 - of the fake


class NetBoxStub:
    """What is stored, and what goes wrong."""

    def __init__(self, *prefixes: str) -> None:
        self.prefixes = dict(enumerate(prefixes, start=1))
        self.ranges: dict[int, tuple[str, str]] = {}
        self.addresses: dict[int, dict[str, Any]] = {}
        self.is_unique = True
        self.fault: int | None = None
        """Answered to everything."""
        self.delay_s = 0.0
        self.seen: list[tuple[str, str]] = []
        self.headers: list[str] = []
        self.lock = threading.Lock()
        self._last = 100
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # head and body at once: the client would wait for its own acknowledgement

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                stub.headers.append(str(self.headers.get("Authorization")))
                stub.seen.append((self.command, self.path))
                time.sleep(stub.delay_s)
                if stub.fault is not None:
                    status, answer = stub.fault, {"detail": "as told"}
                elif self.headers.get("Authorization") != f"Token {TOKEN}":
                    status, answer = 403, {"detail": "Invalid token"}
                else:
                    with stub.lock:
                        status, answer = stub.answer(self.command, self.path, body)
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the server's names

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, address: str, **more: object) -> dict[str, Any]:
        """Store an address, as a person would."""
        return self._make(address, dict(more))

    @property
    def held(self) -> list[str]:
        return sorted(one["address"].partition("/")[0] for one in self.addresses.values())

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.removeprefix("/api/ipam/").strip("/").split("/"):
            case ["prefixes"] if method == "GET":
                found = [self._prefix(n) for n, one in self.prefixes.items() if one == query["prefix"]]
                return self._page(parts.path, query, found)
            case ["ip-ranges"] if method == "GET":
                return self._page(parts.path, query, [self._range(number) for number in self.ranges])
            case ["prefixes" | "ip-ranges" as kind, number, "available-ips"]:
                return self._available(method, kind, int(number), query, body)
            case ["ip-addresses"] if method == "GET":
                return self._page(parts.path, query, self._listed(query))
            case ["ip-addresses"] if method == "POST":
                bare = body["address"].partition("/")[0]
                if self.is_unique and bare in self.held:
                    return 400, {"address": [f"Duplicate IP address found in global table: {body['address']}"]}
                return 201, self._make(body["address"], body)
            case ["ip-addresses", number] if int(number) in self.addresses:
                if method == "DELETE":
                    del self.addresses[int(number)]
                    return 204, None
                one = self.addresses[int(number)]
                one |= body | {"status": _choice(body["status"])}
                return 200, one
        return 404, {"detail": "No IPAddress matches the given query."}

    def _available(self, method: str, kind: str, number: int, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if kind == "prefixes":
            network = ipaddress.ip_network(self.prefixes[number])
            everything, length = network.hosts(), network.prefixlen
        else:
            start, end = (ipaddress.ip_interface(one) for one in self.ranges[number])
            length = start.network.prefixlen
            everything = (start.ip + n for n in range(int(end.ip) - int(start.ip) + 1))  # type: ignore[assignment]
        taken, free = set(self.held), []
        for address in everything:
            if str(address) not in taken:
                free.append(f"{address}/{length}")
            if len(free) == 1000:
                break
        if method == "GET":
            listed = free[: int(query.get("limit", 50))]
            return 200, [{"family": 4, "address": one, "vrf": None, "description": ""} for one in listed]
        wanted = body if isinstance(body, list) else [body]
        if len(free) < len(wanted):
            detail = f"An insufficient number of IP addresses are available within {number}"
            return 409, {"detail": f"{detail} ({len(wanted)} requested, {len(free)} available)"}
        made = [self._make(address, one) for address, one in zip(free, wanted, strict=False)]
        return 201, made if isinstance(body, list) else made[0]

    def _make(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        number = self._last
        version = 6 if ":" in address else 4
        self.addresses[number] = {
            "id": number,
            "url": f"{self.url}/api/ipam/ip-addresses/{number}/",
            "display_url": f"{self.url}/ipam/ip-addresses/{number}/",
            "display": address,
            "family": {"value": version, "label": f"IPv{version}"},
            "address": address,
            "vrf": None,
            "tenant": None,
            "status": _choice(body.get("status", "active")),
            "role": None,
            "assigned_object_type": None,
            "assigned_object_id": None,
            "assigned_object": None,
            "nat_inside": None,
            "nat_outside": [],
            "dns_name": "",
            "description": body.get("description", ""),
            "comments": "",
            "tags": [],
            "custom_fields": {},
            "created": "2026-01-01T00:00:00.000000Z",
            "last_updated": "2026-01-01T00:00:00.000000Z",
        }
        return self.addresses[number]

    def _listed(self, query: dict[str, str]) -> list[dict[str, Any]]:
        begin = query.get("description__isw", "").lower()
        found = [one for _number, one in sorted(self.addresses.items()) if one["description"].lower().startswith(begin)]
        if "address" in query:
            found = [one for one in found if one["address"].partition("/")[0] == query["address"]]
        return found

    def _page(self, path: str, query: dict[str, str], found: list[dict[str, Any]]) -> tuple[int, Any]:
        limit, offset = min(int(query.get("limit", 50)), 1000), int(query.get("offset", 0))
        further = offset + limit < len(found)
        following = f"{self.url}{path}?limit={limit}&offset={offset + limit}" if further else None
        return 200, {
            "count": len(found),
            "next": following,
            "previous": None,
            "results": found[offset : offset + limit],
        }

    def _prefix(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "url": f"{self.url}/api/ipam/prefixes/{number}/",
            "display": self.prefixes[number],
            "prefix": self.prefixes[number],
            "vrf": None,
            "status": {"value": "active", "label": "Active"},
            "is_pool": False,
            "mark_utilized": False,
        }

    def _range(self, number: int) -> dict[str, Any]:
        start, end = self.ranges[number]
        return {"id": number, "start_address": start, "end_address": end, "vrf": None}


def _choice(value: str) -> dict[str, str]:
    return {"value": value, "label": value.capitalize()}
