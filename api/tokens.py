"""Who sends this request, by a token of Weft's own (``X-Auth-Token``)?

Tokens are read for each request: a revoked one counts at once.
"""

from werkzeug.datastructures import Headers

from api.errors import Unauthenticated
from controller.caller import Caller
from controller.policy.rights import Policy
from controller.services import identities
from controller.store.database import Database

CHALLENGE = 'Token realm="weft"'
_SERVICE = "service"


class TokenAuth:
    """Mode ``token``."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def caller(self, headers: Headers) -> Caller:
        """Return whom the token was made for; ``X-Service-Token`` says which service acts for it.

        Raises:
            Unauthenticated: no token, or one that is unknown, expired or no service's.
        """
        with self._database.read() as tx:
            token = identities.token_of(tx, headers.get("X-Auth-Token", ""))
            service_secret = headers.get("X-Service-Token", "")
            service = identities.token_of(tx, service_secret) if service_secret else None
        if token is None or (service_secret and (service is None or _SERVICE not in service.roles)):
            raise Unauthenticated(CHALLENGE)
        return Caller(
            project_id=token.project_id,
            roles=token.roles,
            is_admin="admin" in token.roles,
            granted=self._policy.rights(token.roles, service_token=service is not None),
        )
