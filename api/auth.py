"""Who sends this request, and which requests need nobody to be known?

Here is mode ``none``: everybody who can connect is an administrator, so the service must listen on loopback addresses
only; ``refuse_exposed`` is the check, and whoever opens the socket calls it. The other modes have modules of their own.
"""

import ipaddress
from typing import Protocol

from flask import g, request
from werkzeug.datastructures import Headers

from controller.caller import Caller
from controller.errors import ConfigurationError
from controller.policy.rights import Policy, default_policy

DEFAULT_PROJECT = "fake_project_id"
"""The owner of what is created without naming a project (Neutron's noauth mode)."""
_LONGEST_PROJECT = 255
CALLER = "weft_caller"
"""Where the current request's caller is noted (``flask.g``)."""
DISCOVERY = frozenset({"/", "/v2.0", "/v2.0/"})
"""Clients ask for the versions before they know whom to authenticate with."""
MONITORING = frozenset({"/healthz", "/metrics", "/openapi.json"})


class Auth(Protocol):
    """Tells who the caller of a request is."""

    def caller(self, headers: Headers) -> Caller:
        """Return the caller, from the request's headers."""
        ...


class NoAuth:
    """Mode ``none``: every caller is an administrator.

    Nova without a Keystone has but this caller, so it has the service role as well. Clients send
    ``X-Auth-Token: notused`` and the like in this mode: a token that is there is not looked at.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self._roles = frozenset({"admin", "service"})
        self._rights = (policy or default_policy()).rights(self._roles)

    def caller(self, headers: Headers) -> Caller:
        """Return an administrator of the project in ``X-Project-Id``, or of the default project."""
        project_id = headers.get("X-Project-Id", "").strip()[:_LONGEST_PROJECT]
        return Caller(project_id=project_id or DEFAULT_PROJECT, roles=self._roles, is_admin=True, granted=self._rights)


class Gate:
    """Asks every request who sends it, before anything looks at it: no path can forget to."""

    def __init__(self, auth: Auth, *, is_monitoring_open: bool) -> None:
        self._auth = auth
        self.open_paths = DISCOVERY | MONITORING if is_monitoring_open else DISCOVERY

    def check(self) -> None:
        """Note the caller of the current request.

        Raises:
            Unauthenticated: nobody is known to send it, and it is not open to everybody.
        """
        if request.path not in self.open_paths:
            setattr(g, CALLER, self._auth.caller(request.headers))


def refuse_exposed(host: str) -> None:
    """Refuse to serve mode ``none`` where other machines could connect.

    Args:
        host: the address about to be listened on, as text; a name other than ``localhost`` is not trusted to stay
            on loopback.

    Raises:
        ConfigurationError: the address is not a loopback address (127.0.0.0/8, ::1).
    """
    try:
        is_loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        raise ConfigurationError(
            f"Refusing to listen on {host or 'every address'}: without authentication every caller is an "
            "administrator. Listen on 127.0.0.1 or ::1, and put an authenticating proxy in front for other machines.",
        )
