"""Where the embedded identity provider keeps its signing keys, and what it handed out to be shown again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isocenter.domain.directory import Grant, GrantKind, SigningKey


class SigningKeys(Protocol):
    """Keep the keys with which tokens are signed."""

    def revision(self) -> int:
        """Return a number that differs after every change, whoever made it."""

    def signing_keys(self) -> Sequence[SigningKey]:
        """Return all keys, the oldest first."""

    def change_signing_keys(self, *, add: Sequence[SigningKey], remove: Sequence[str], known: Sequence[str]) -> bool:
        """Add and remove keys in one commit; return False, with nothing changed, where others than `known` are there.

        So of several processes that find the same key too old, one makes the next.
        """


class Grants(Protocol):
    """Keep codes, refresh tokens and sessions, by the digest of what was handed out."""

    def add_grant(self, grant: Grant) -> None:
        """Keep something that is handed out."""

    def grant(self, kind: GrantKind, digest: bytes) -> Grant | None:
        """Return what was handed out."""

    def grants_of_kind(self, kind: GrantKind) -> Sequence[Grant]:
        """Return all of a kind, the oldest first; for kinds of which there are few."""

    def take_grant(self, kind: GrantKind, digest: bytes) -> Grant | None:
        """Return what was handed out and forget it; of several callers only one gets it."""

    def prolong_grant(self, kind: GrantKind, digest: bytes, *, expires_at: float) -> bool:
        """Let something be valid for longer; return False where it is not there any more."""

    def forget_grants(self, *, expired_at: float) -> int:
        """Forget what has expired by then, and return how many those were."""
