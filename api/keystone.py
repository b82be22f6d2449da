"""Who sends this request, by a token of OpenStack's Keystone?

keystonemiddleware stands around the application, validates the token, takes away every identity header the client
sent and writes its own. Nothing of this works, and nobody gets in, unless it stands there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers

from api.errors import Unauthenticated
from controller.caller import Caller
from controller.errors import ConfigurationError
from controller.policy.rights import Policy

CHALLENGE = ""
"""The middleware writes its own, with Keystone's address, into every 401."""
_CONFIRMED = "Confirmed"
_SERVICE = "service"

Application = Callable[..., Any]


class KeystoneAuth:
    """Mode ``keystone``: reads what the middleware wrote."""

    def __init__(self, policy: Policy, config_file: Path) -> None:
        self._policy = policy
        self._config_file = config_file

    def around(self, application: Application) -> Application:
        """Put the middleware around the application; without it nothing a header says would be true.

        Raises:
            ConfigurationError: the middleware is not installed, or does not take the file.
        """
        return _around(application, self._config_file)

    def caller(self, headers: Headers) -> Caller:
        """Return whom Keystone says the token is for.

        Raises:
            Unauthenticated: no valid token, one without a project, or a service token that is not a service's.
        """
        project_id = headers.get("X-Project-Id", "")
        if headers.get("X-Identity-Status") != _CONFIRMED or not project_id:
            raise Unauthenticated(CHALLENGE)
        service_status = headers.get("X-Service-Identity-Status")
        service_roles = _roles(headers.get("X-Service-Roles", ""))
        if service_status is not None and (service_status != _CONFIRMED or _SERVICE not in service_roles):
            raise Unauthenticated(CHALLENGE)
        roles = _roles(headers.get("X-Roles", ""))
        return Caller(
            project_id=project_id,
            roles=roles,
            is_admin="admin" in roles,
            granted=self._policy.rights(roles, service_token=service_status is not None),
        )


def _around(application: Application, config_file: Path) -> Application:
    """Put the middleware around the application.

    Args:
        application: A WSGI application.
        config_file: INI file with a section ``[keystone_authtoken]``, as every OpenStack service has one.

    Raises:
        ConfigurationError: the middleware is not installed, or does not take the file.
    """
    try:
        from keystonemiddleware.auth_token import AuthProtocol  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ConfigurationError("auth: mode keystone needs `pip install weft[keystone]`") from error
    if not config_file.is_file():
        raise ConfigurationError(f"keystone-config: there is no file {config_file}")
    settings = {
        "oslo_config_project": "weft",
        "oslo_config_file": str(config_file),
        # The version document is for everybody: the application itself refuses what is not confirmed.
        "delay_auth_decision": True,
        "service_token_roles": _SERVICE,
        "service_token_roles_required": True,
    }
    try:
        wrapped: Application = AuthProtocol(application, settings)
    except Exception as error:  # whatever oslo.config and keystoneauth raise for a file they do not take
        raise ConfigurationError(f"keystone-config: {config_file}: {error}") from error
    return wrapped


def _roles(text: str) -> frozenset[str]:
    return frozenset(role.strip().lower() for role in text.split(",") if role.strip())
