"""Sessions of the console: who signed in, known by a random cookie of which only the digest is kept."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isocenter.domain.directory import Grant, GrantKind
from isocenter.ports.grants import Grants

COOKIE_SIZE_BYTES = 32
PROLONGED_AFTER = 0.1
"""A session in use is prolonged when this part of its idle time is over: not with each request, for it is a commit."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """How long a session lasts: without a request, and at most."""

    idle_s: float = 3600.0
    total_s: float = 12 * 3600.0


class Sessions:
    """Open, find and end sessions."""

    def __init__(self, grants: Grants, now: Callable[[], float], times: SessionTimes) -> None:
        self._grants = grants
        self._now = now
        self._times = times

    def open(self, object_id: str, details: dict[str, Any] | None = None) -> str:
        """Begin a session and return its cookie. `details` are what an external issuer said of the person."""
        cookie = secrets.token_urlsafe(COOKIE_SIZE_BYTES)
        now = self._now()
        expires_at = now + min(self._times.idle_s, self._times.total_s)
        self._grants.add_grant(
            Grant(GrantKind.SESSION, digest_of(cookie), object_id, "", expires_at, now, json.dumps(details or {}))
        )
        return cookie

    def find(self, cookie: str) -> Grant | None:
        """Return the session of a cookie, None where it has ended."""
        found = self._grants.grant(GrantKind.SESSION, digest_of(cookie))
        return found if found is not None and self._now() < found.expires_at else None

    def wants_longer(self, session: Grant) -> bool:
        """Tell whether a session that is in use should be prolonged."""
        used_s = self._times.idle_s - (session.expires_at - self._now())
        return used_s > PROLONGED_AFTER * self._times.idle_s and session.expires_at < self._end(session)

    def prolong(self, session: Grant) -> None:
        """Let a session last for a further idle time, within its total."""
        expires_at = min(self._now() + self._times.idle_s, self._end(session))
        self._grants.prolong_grant(GrantKind.SESSION, session.digest, expires_at=expires_at)

    def close(self, cookie: str) -> None:
        """End a session at once."""
        self._grants.take_grant(GrantKind.SESSION, digest_of(cookie))

    def _end(self, session: Grant) -> float:
        return session.created_at + self._times.total_s


def digest_of(secret: str) -> bytes:
    """Return by what a random secret is known; it has 256 bits, so that a plain digest cannot be turned back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
