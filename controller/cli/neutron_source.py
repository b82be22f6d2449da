"""What does an existing Neutron have? Read by its API, page by page, with a token, with Keystone, or without either."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.cli.client import CommandFailed

if TYPE_CHECKING:
    import requests

PAGE = 500
_TIMEOUT_S = 60.0
_MISSING, _FIRST_REDIRECT = 404, 300
COLLECTIONS: Mapping[str, tuple[str, str, bool]] = {
    "address_scope": ("address-scopes", "address_scopes", False),
    "subnetpool": ("subnetpools", "subnetpools", False),
    "address_group": ("address-groups", "address_groups", False),
    "security_group": ("security-groups", "security_groups", False),
    "security_group_rule": ("security-group-rules", "security_group_rules", False),
    "network": ("networks", "networks", True),
    "subnet": ("subnets", "subnets", True),
    "port": ("ports", "ports", True),
    "ip_reservation": ("ip-reservations", "ip_reservations", False),
}
"""Path, name in the answer, and whether every Neutron has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystone:
    """How a token is asked for (Identity API v3, password authentication with scoped authorization)."""

    url: str
    user: str
    password: str
    project: str
    user_domain: str = "Default"
    project_domain: str = "Default"


class NeutronSource:
    """A Neutron that is only read."""

    def __init__(self, url: str, *, token: str | None = None, keystone: Keystone | None = None) -> None:
        import requests  # noqa: PLC0415 - as in client: most commands ask no server

        self._url = url.rstrip("/").removesuffix("/v2.0")
        self._session = requests.Session()
        self._session.trust_env = False
        if keystone is not None:
            token = self._token(keystone)
        if token is not None:
            self._session.headers["X-Auth-Token"] = token

    def objects(self) -> list[dict[str, Any]]:
        """Return everything that can be imported, as the API shows it.

        Raises:
            CommandFailed
        """
        return [
            {"type": kind, "where": f"{kind} {one.get('id')}", "attributes": dict(one)}
            for kind in COLLECTIONS
            for one in self._all(kind)
        ]

    def _all(self, kind: str) -> Iterator[Mapping[str, Any]]:
        path, name, is_core = COLLECTIONS[kind]
        query: dict[str, str] = {"limit": str(PAGE)}
        while True:
            answer = self._get(f"{self._url}/v2.0/{path}", query, may_miss=not is_core)
            found = answer.get(name, [])
            if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
                raise CommandFailed(f"{self._url} is no Neutron: /v2.0/{path} has no list of {name}")
            yield from found
            links = answer.get(f"{name}_links") or ()
            if not found or not any(link.get("rel") == "next" for link in links):
                return
            query["marker"] = str(found[-1].get("id"))  # the link itself may name another host

    def _get(self, url: str, query: Mapping[str, str], *, may_miss: bool) -> Mapping[str, Any]:
        reply = self._ask("GET", url, params=query)
        if reply.status_code == _MISSING and may_miss:
            return {}
        self._check(reply, url)
        try:
            answer = reply.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CommandFailed(f"{self._url} is no Neutron: it did not answer {url} with JSON")
        return answer

    def _token(self, keystone: Keystone) -> str:
        user = {"name": keystone.user, "domain": {"name": keystone.user_domain}, "password": keystone.password}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": keystone.project, "domain": {"name": keystone.project_domain}}},
            }
        }
        url = f"{keystone.url.rstrip('/').removesuffix('/v3')}/v3/auth/tokens"
        reply = self._ask("POST", url, json=body)
        self._check(reply, url)
        token: str | None = reply.headers.get("X-Subject-Token")
        if token is None:
            raise CommandFailed(f"{url} is no Keystone: its answer has no X-Subject-Token")
        return token

    def _ask(self, method: str, url: str, **more: Any) -> "requests.Response":
        import requests  # noqa: PLC0415

        try:
            return self._session.request(method, url, timeout=_TIMEOUT_S, allow_redirects=False, **more)
        except requests.RequestException as error:
            raise CommandFailed(f"cannot read {url} ({type(error).__name__}); nothing was imported") from None

    @staticmethod
    def _check(reply: "requests.Response", url: str) -> None:
        if reply.status_code >= _FIRST_REDIRECT:
            hint = " Give --token-file, or --user with --auth-url." if reply.status_code in {401, 403} else ""
            raise CommandFailed(f"{url} answered {reply.status_code} {reply.reason}; nothing was imported.{hint}")
