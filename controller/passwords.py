"""Is this the password? Stored as scrypt of it (RFC 7914), which is slow on purpose.

N = 2^15, r = 8, p = 3 are among the parameters of OWASP's Password Storage Cheat Sheet: 32 MiB and some 200 ms. Who
checks one for each request remembers the answer (``api.basic``).
"""

import hashlib
import hmac
import os
from collections.abc import Callable

_COST, _BLOCK, _PASSES = 1 << 15, 8, 3
_MEMORY = 64 * 1024 * 1024
"""Bytes; 128 * N * r = 32 MiB are needed."""
_SALT_BYTES = 16
LONGEST = 1024
"""Bytes of a password; what is longer is refused before it costs anything."""


def hashed(password: str, *, salt: Callable[[int], bytes] = os.urandom) -> str:
    """Return what is stored of a password."""
    chosen = salt(_SALT_BYTES)
    return (
        f"scrypt:{_COST}:{_BLOCK}:{_PASSES}${chosen.hex()}${_derived(password, chosen, _COST, _BLOCK, _PASSES).hex()}"
    )


def matches(password: str, stored: str) -> bool:
    """Say whether a password is the one stored, in a time that does not depend on how much of it is right."""
    if len(password.encode()) > LONGEST:
        return False
    method, salt, expected = stored.split("$")
    _name, cost, block, passes = method.split(":")
    derived = _derived(password, bytes.fromhex(salt), int(cost), int(block), int(passes))
    return hmac.compare_digest(derived, bytes.fromhex(expected))


def _derived(password: str, salt: bytes, cost: int, block: int, passes: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=passes, maxmem=_MEMORY, dklen=32)
