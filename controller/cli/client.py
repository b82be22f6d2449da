"""How does a command talk to the API, and what does it say when that fails?"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import requests

from controller.cli.credentials import HOW, credentials

_UNAUTHORIZED = 401
DEFAULT_URL = "http://127.0.0.1:9696"
_TIMEOUT_S = 30.0
"""Longer than any deadline inside the server, so that its own answer is seen."""
PAGE = 500
"""Objects asked for at a time where all are wanted."""
_FIRST_ERROR = 400
_NO_CONTENT = 204


class CommandFailed(Exception):  # noqa: N818 - what happened, as the user reads it
    """A command could not do what was asked; the text is one line for the user."""


class NotThere(CommandFailed):
    """The API does not know the object."""


class Client:
    """The API at one URL."""

    def __init__(self, url: str, *, timeout_s: float = _TIMEOUT_S, plan: bool = False) -> None:
        """Prepare; with ``plan`` whatever would change something is only planned, and answers with its plan."""
        import requests  # noqa: PLC0415 - half of the time a command needs that asks no server (--help, completion)

        self._plan = plan
        self._url = url.rstrip("/").removesuffix("/v2.0")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the web must not see requests to a local controller
        self._session.headers.update(credentials(os.environ))

    def get(self, *path: str, **query: str | None) -> Mapping[str, object]:
        """Return the answer to GET."""
        return self._ask("GET", path, query=query)

    def pages(self, collection: str, name: str) -> Iterator[Mapping[str, object]]:
        """Return every object of a collection, a page at a time."""
        marker: str | None = None
        while True:
            query = {"limit": str(PAGE)} | ({} if marker is None else {"marker": marker})
            found = self._ask("GET", (collection,), query=query).get(name)
            if not isinstance(found, list):
                raise CommandFailed(f"{self._url} is no Weft API: it has no list of {name}. Check --url or WEFT_URL.")
            yield from found
            if len(found) < PAGE:
                return
            marker = str(found[-1]["id"])

    def post(self, *path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """Return the answer to POST."""
        return self._ask("POST", path, body=body)

    def put(self, *path: str, body: Mapping[str, object] | None = None, **query: str | None) -> Mapping[str, object]:
        """Return the answer to PUT."""
        return self._ask("PUT", path, query=query, body=body)

    def delete(self, *path: str, **query: str | None) -> Mapping[str, object]:
        """Return the answer to DELETE: nothing, or its plan."""
        return self._ask("DELETE", path, query=query)

    def send(
        self,
        method: str,
        *path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, object] | None = None,
        if_revision: int | None = None,
    ) -> Mapping[str, object]:
        """Return the answer to any request; a query parameter may come several times."""
        headers = {} if if_revision is None else {"If-Match": f"revision_number={if_revision}"}
        return self._ask(method, path, query=query, body=body, headers=headers)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str | None] | Sequence[tuple[str, str]] | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, object]:
        if self._plan and method != "GET":
            given = query.items() if isinstance(query, Mapping) else query or ()
            query = [*((name, value) for name, value in given if value is not None), ("plan", "true")]
        url = "/".join([self._url, "v2.0", *(quote(part, safe="") for part in path)])
        content = None if body is None else json.dumps(body)
        sent = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        import requests  # noqa: PLC0415 - as above

        try:
            reply = self._session.request(
                method, url, params=query, data=content, headers=sent, timeout=self._timeout_s
            )
        except requests.Timeout:
            raise CommandFailed(
                f"{self._url} did not answer within {self._timeout_s:g} s. Look at the log of `weft serve` there."
            ) from None
        except requests.RequestException as error:
            raise CommandFailed(
                f"cannot reach {self._url} ({_cause(error)}). "
                "Start `weft serve`, or name the right server with --url or WEFT_URL."
            ) from None
        if reply.status_code >= _FIRST_ERROR:
            if reply.status_code == _UNAUTHORIZED:
                raise CommandFailed(f"{self._url} does not know you. {HOW}")
            failure = NotThere if reply.status_code == requests.codes["not_found"] else CommandFailed
            raise failure(_message(reply))
        if reply.status_code == _NO_CONTENT:
            return {}
        try:
            answer = reply.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CommandFailed(f"{self._url} is no Weft API: it did not answer with JSON. Check --url or WEFT_URL.")
        return answer


def add_options(parser: argparse.ArgumentParser, *, formats: Sequence[str] = ("table", "json")) -> None:
    """Add the options every client command has."""
    parser.add_argument(
        "--url",
        default=os.environ.get("WEFT_URL") or DEFAULT_URL,
        help=f"the API (default: $WEFT_URL, else {DEFAULT_URL})",
    )
    parser.add_argument("--format", choices=formats, default="table", help="how to print (default: table)")


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add the option that only says what a command would do."""
    parser.add_argument("--plan", action="store_true", help="only say what this would do; nothing is changed")


def _message(reply: "requests.Response") -> str:
    """Return what the server said was wrong."""
    try:
        body = reply.json()
    except ValueError:
        body = None
    fault = body.get("NeutronError") if isinstance(body, dict) else None
    if isinstance(fault, dict) and fault.get("message"):
        return str(fault["message"])
    return f"{reply.url} answered {reply.status_code} {reply.reason}"


def _cause(error: "requests.RequestException") -> str:
    """Return the innermost reason: requests wraps urllib3, which wraps the socket's."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return getattr(seen, "strerror", None) or str(seen).rpartition(": ")[2] or type(error).__name__
