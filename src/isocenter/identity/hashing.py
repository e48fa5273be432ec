"""Secrets and passwords as they are kept: hashed with Argon2id, in the form of PHC strings.

A hash takes memory on purpose (RFC 9106), so that many guesses are dear; therefore only a few are made at a time.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from isocenter.domain.errors import Overloaded

MEMORY_KIB = 19 * 1024
"""With two passes the least that OWASP's sheet on password storage asks of Argon2id; some 40 ms of one core."""
PASSES = 2
SALT_SIZE_BYTES = 16
DIGEST_SIZE_BYTES = 32
SECRET_LENGTH_MAX = 1024
"""Nobody's secret is longer; hashing a megabyte would be somebody's attack."""
AT_A_TIME_MAX = 4
"""80 MB at most, and cores left for other requests."""
WAIT_MAX_S = 10.0
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Well-formed, and the hash of nothing that anybody knows."""


class SecretHasher:
    """Hash secrets and compare with hashes, a few at a time."""

    def __init__(self, *, at_a_time_max: int = AT_A_TIME_MAX, wait_max_s: float = WAIT_MAX_S) -> None:
        self._slots = threading.BoundedSemaphore(at_a_time_max)
        self._wait_max_s = wait_max_s

    def hash(self, secret: str) -> str:
        """Return what may be kept of a secret."""
        salt = secrets.token_bytes(SALT_SIZE_BYTES)
        hashing = Argon2id(salt=salt, length=DIGEST_SIZE_BYTES, iterations=PASSES, lanes=1, memory_cost=MEMORY_KIB)
        with self._slot():
            return hashing.derive_phc_encoded(_octets(secret))

    def matches(self, secret: str, digest: str | None) -> bool:
        """Tell whether a secret is the one that was hashed.

        Takes as long where there is none to compare with. Raises Overloaded where too many ask.
        """
        if len(secret) > SECRET_LENGTH_MAX:
            return False
        with self._slot():
            try:
                Argon2id.verify_phc_encoded(_octets(secret), digest or _NOBODYS)
            except InvalidKey:
                return False
        return digest is not None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._wait_max_s):
            raise Overloaded()
        try:
            yield
        finally:
            self._slots.release()


def _octets(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")
