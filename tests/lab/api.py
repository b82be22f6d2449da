"""How do tests and scripts speak to Weft's REST API? With requests and JSON, and an error that shows the body."""

from types import TracebackType
from typing import Any, Self

import requests

TIMEOUT_S = 30.0


class ApiError(Exception):
    """An answer that is no success; `status`, `kind` and `body` are there to be compared."""

    def __init__(self, method: str, url: str, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        fault = body.get("NeutronError", {}) if isinstance(body, dict) else {}
        self.kind: str = fault.get("type", "") if isinstance(fault, dict) else ""
        super().__init__(f"{method} {url}: {status} {body}")


class Api:
    """A client for one Weft; paths are relative to its URL, as ``/v2.0/networks``."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the machine has no business with 127.0.0.1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Send one request and return the answer whatever its status."""
        return self._session.request(method, self.url + path, json=body, timeout=TIMEOUT_S, **options)

    def get(self, path: str, **query: Any) -> Any:
        """GET; the decoded body."""
        return self._decoded(self.request("GET", path, params=query))

    def post(self, path: str, body: Any) -> Any:
        """POST; the decoded body."""
        return self._decoded(self.request("POST", path, body))

    def put(self, path: str, body: Any) -> Any:
        """PUT; the decoded body."""
        return self._decoded(self.request("PUT", path, body))

    def delete(self, path: str) -> None:
        """DELETE."""
        self._decoded(self.request("DELETE", path))

    @staticmethod
    def _decoded(answer: requests.Response) -> Any:
        body: Any = answer.text
        if "json" in answer.headers.get("Content-Type", ""):
            body = answer.json()
        if not answer.ok:
            raise ApiError(answer.request.method or "", answer.url, answer.status_code, body)
        return body

    # ---- what nearly every test needs

    def create(self, resource: str, **attributes: Any) -> dict[str, Any]:
        """Create one ``network``, ``subnet`` or ``port`` and return it."""
        created: dict[str, Any] = self.post(f"/v2.0/{resource}s", {resource: attributes})[resource]
        return created

    def show(self, resource: str, identifier: str) -> dict[str, Any]:
        """Return one object."""
        found: dict[str, Any] = self.get(f"/v2.0/{resource}s/{identifier}")[resource]
        return found

    def list(self, collection: str, **filters: Any) -> list[dict[str, Any]]:
        """Return all objects of a collection (``networks``, ...) that match equality filters."""
        found: list[dict[str, Any]] = self.get(f"/v2.0/{collection}", **filters)[collection]
        return found
