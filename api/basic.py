"""Who sends this request, by user name and password (RFC 7617)?

Checking a password is slow on purpose, so that one matched a stored hash is remembered for a while, under a key that
only this process can compute. User and hash are read for each request: a changed or removed user counts at once.
"""

import base64
import binascii
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable

from werkzeug.datastructures import Headers

from api.errors import Unauthenticated
from controller import passwords
from controller.caller import Caller
from controller.policy.rights import Policy
from controller.services import identities
from controller.store.database import Database

CHALLENGE = 'Basic realm="weft", charset="UTF-8"'
REMEMBERED_S = 300.0
_MOST_REMEMBERED = 10_000
_CHECKS_AT_ONCE = 2
"""Each takes 32 MiB and a processor: guessing must not take them all."""


class BasicAuth:
    """Mode ``basic``: users of Weft's own database."""

    def __init__(self, database: Database, policy: Policy, *, now: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._policy = policy
        self._now = now
        self._key = os.urandom(32)
        self._matched: dict[bytes, float] = {}
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)
        self._nobodys = passwords.hashed(os.urandom(16).hex())

    def caller(self, headers: Headers) -> Caller:
        """Return the user of the request.

        Raises:
            Unauthenticated: no credentials, or wrong ones; which of the two and why is not said.
        """
        name, password = _credentials(headers.get("Authorization", ""))
        with self._database.read() as tx:
            found = identities.stored_password(tx, name)
        # For an unknown user as much is computed as for a known one.
        is_right = self._is_right(name, password, self._nobodys if found is None else found[1])
        if found is None or not is_right:
            raise Unauthenticated(CHALLENGE)
        user = found[0]
        return Caller(
            project_id=user.project_id,
            roles=user.roles,
            is_admin="admin" in user.roles,
            granted=self._policy.rights(user.roles),
        )

    def _is_right(self, name: str, password: str, stored: str) -> bool:
        proof = hmac.new(
            self._key, b"\0".join(part.encode() for part in (name, stored, password)), hashlib.sha256
        ).digest()
        now = self._now()
        if self._matched.get(proof, 0.0) > now:
            return True
        with self._checks:
            if self._matched.get(proof, 0.0) <= now and not passwords.matches(password, stored):
                return False
        if len(self._matched) >= _MOST_REMEMBERED:
            self._matched = {}
        self._matched[proof] = now + REMEMBERED_S
        return True


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated(CHALLENGE)
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unauthenticated(CHALLENGE) from None
    if not colon or "\0" in name:
        raise Unauthenticated(CHALLENGE)
    return name, password
