"""Callers whose evidence was verified a moment ago, so that it need not be again with each request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from isocenter.domain.principal import Principal
from isocenter.ports.directory import Directory

REMEMBERED_MAX = 4096
"""Callers whose evidence is not verified anew with each request."""
REMEMBERED_S = 60.0
REVISION_S = 1.0
"""How long a change of roles may go unnoticed."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    until: float
    revision: int


class RememberedPrincipals:
    """Principals by a digest of their evidence; any change of the directory voids them. Safe for threads."""

    def __init__(self, directory: Directory, *, now: Callable[[], float]) -> None:
        self._directory = directory
        self._now = now
        self._lock = threading.Lock()
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._revision = directory.revision()
        self._revision_read_at = now()

    def __len__(self) -> int:
        return len(self._remembered)

    def recall(self, key: bytes, find: Callable[[], tuple[Principal, float]]) -> Principal:
        """Return who is remembered under a key; else whom `find` finds, with the time until which that holds."""
        revision = self._current_revision()
        with self._lock:
            kept = self._remembered.get(key)
        if kept is not None and self._now() < kept.until and kept.revision == revision:
            return kept.principal
        principal, until = find()
        with self._lock:
            self._remembered[key] = _Remembered(principal, min(until, self._now() + REMEMBERED_S), revision)
            while len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return principal

    def forget(self, key: bytes) -> None:
        """Forget one at once."""
        with self._lock:
            self._remembered.pop(key, None)

    def _current_revision(self) -> int:
        now = self._now()
        if abs(now - self._revision_read_at) >= REVISION_S:
            self._revision_read_at = now
            self._revision = self._directory.revision()
        return self._revision
