"""How often somebody may be wrong: failed sign-ins and secrets, counted by name and by address.

Whoever was wrong too often waits; nobody is locked out for good, because that would be an attack of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isocenter.domain.errors import Overloaded

WINDOW_S = 300.0
"""Failures are forgotten after this."""
KEPT_MAX = 10_000
"""Names and addresses that are remembered; an attacker's many only push each other out."""


class TooManyAttempts(Overloaded):
    """There were too many failed attempts. Wait a few minutes and try again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Counted:
    """What failures are counted by, and how many of them are too many within the window."""

    key: str
    failures_max: int


@dataclass(slots=True)
class _Failures:
    count: int
    began_at: float


class FailureLimiter:
    """Count failures; safe for threads."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def check(self, counted: Sequence[Counted]) -> None:
        """Raise TooManyAttempts where one of them was wrong too often."""
        now = self._now()
        with self._lock:
            for one in counted:
                found = self._failures.get(one.key)
                if found is not None and found.count >= one.failures_max and now < found.began_at + WINDOW_S:
                    raise TooManyAttempts(int(found.began_at + WINDOW_S - now) + 1)

    def note_failure(self, counted: Sequence[Counted]) -> None:
        """Count a failure for each."""
        now = self._now()
        with self._lock:
            for one in counted:
                found = self._failures.get(one.key)
                if found is None or now >= found.began_at + WINDOW_S:
                    self._failures[one.key] = found = _Failures(0, now)
                found.count += 1
                self._failures.move_to_end(one.key)
            while len(self._failures) > KEPT_MAX:
                self._failures.popitem(last=False)
