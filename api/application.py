"""What of Flask does every request pass? The application class: Flask without what no request here needs.

There are no blueprints, no coroutines and no redirects, and Flask looks for each of them several times a request.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from werkzeug.exceptions import BadHost
from werkzeug.routing import MapAdapter

from api.wire import ApiResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_HOSTS = 1024


class ApiRequest(Request):
    """A request to the API."""

    blueprints: list[str] = []  # noqa: RUF012 - Flask reverses it; nobody changes it


class Application(Flask):
    """The WSGI application."""

    request_class = ApiRequest
    response_class = ApiResponse

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view or hook as it is: none is a coroutine."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the view of a request.

        Raises:
            BadHost: the client names a host that cannot be one (RFC 9110 section 7.2), as Flask itself refuses it.
        """
        if request is None:
            return None  # outside of requests no URL is made
        environ: WSGIEnvironment = request.environ
        return MapAdapter(
            self.url_map,
            _host(request.host),
            environ.get("SCRIPT_NAME") or "/",
            self.url_map.default_subdomain,
            environ["wsgi.url_scheme"],
            environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace") or "/",
            environ["REQUEST_METHOD"],
            environ.get("QUERY_STRING", ""),
        )


@lru_cache(maxsize=_HOSTS)
def _host(name: str) -> str:
    """Return a host in ASCII; there are not many."""
    host, colon, port = name.lower().partition(":")
    try:
        return f"{host.encode('idna').decode('ascii')}{colon}{port}"
    except UnicodeError as error:
        raise BadHost from error
