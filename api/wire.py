"""How are requests spelt and answers written, whatever they are about?

Spellings (``.json``, a trailing slash), request ids, JSON bodies, Content-Length, the URL a client used.
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Request, Response
from werkzeug.datastructures import Headers
from werkzeug.routing import BaseConverter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API_ROOT = "/v2.0"
REQUEST_ID = "weft.request_id"
"""The key of the request's id in the WSGI environment."""
_NO_CONTENT = 204


class ApiResponse(Response):
    """An answer of the API: JSON, and Content-Length even when it is zero."""

    default_mimetype = "application/json"

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        """Return the headers to send.

        RFC 9110 section 8.6 has no Content-Length with 204 and werkzeug drops it, but Neutron sends
        ``Content-Length: 0``, and clients that keep connections open rely on it.
        """
        headers = super().get_wsgi_headers(environ)
        if self.status_code == _NO_CONTENT:
            headers["Content-Length"] = "0"
            headers.pop("Content-Type", None)
        return headers


def answer(status: int, body: object) -> ApiResponse:
    """Return a JSON answer."""
    return ApiResponse(json.dumps(body), status=status)


def no_content() -> ApiResponse:
    """Return the answer to a deletion."""
    return ApiResponse(b"", status=_NO_CONTENT)


class Name(BaseConverter):
    """A variable part of a path; with a NUL in it, which no database keeps, it is the name of nothing: 404."""

    regex = r"[^/\x00]+"
    part_isolating = True


class Spelling:
    """WSGI middleware: one spelling for every path, and an id for every request."""

    def __init__(self, app: "WSGIApplication", new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Hand the request on."""
        environ[REQUEST_ID] = f"req-{self._new_id()}"
        path = environ.get("PATH_INFO", "")
        if path.startswith(API_ROOT):
            path = path.rstrip("/")
            environ["PATH_INFO"] = path.removesuffix(".json")
        return self._app(environ, start_response)


def base_url(request: Request) -> str:
    """Return scheme, host and prefix as the client wrote them, proxies in between included.

    X-Forwarded-* are believed: they only decide the links in the answer to the one who sent them.
    """
    headers = request.headers
    scheme = _first(headers.get("X-Forwarded-Proto")) or request.scheme
    host = _first(headers.get("X-Forwarded-Host")) or request.host
    prefix = _first(headers.get("X-Forwarded-Prefix")).rstrip("/")
    return f"{scheme}://{host}{prefix}"


def _first(value: str | None) -> str:
    return (value or "").partition(",")[0].strip()


def accepts_json(request: Request) -> bool:
    """Say whether the client takes JSON."""
    accept = request.headers.get("Accept", "")
    if accept in ("", "*/*", "application/json"):  # what nearly every client sends
        return True
    return request.accept_mimetypes.best_match(["application/json"]) is not None
