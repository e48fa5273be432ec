"""How much a destination has taken lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 60
"""Long enough to be steady, short enough to follow a change."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Per second."""

    instances: float = 0.0
    size_bytes: float = 0.0


class RecentDeliveries:
    """Count what was delivered, by the second, for a minute."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int, int]] = deque(maxlen=WINDOW_S)
        self._last_at = 0.0

    def note(self, *, count: int, size_bytes: int, now: float) -> None:
        """Count deliveries."""
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            _, counted, counted_bytes = self._seconds.pop()
            count, size_bytes = count + counted, size_bytes + counted_bytes
        self._seconds.append((second, count, size_bytes))
        self._last_at = now

    def rate(self, *, now: float) -> Rate:
        """Return the rate of the last minute, or since the first delivery in it."""
        recent = [one for one in self._seconds if one[0] > now - WINDOW_S]
        span_s = max(1.0, now - recent[0][0]) if recent else 1.0
        return Rate(sum(one[1] for one in recent) / span_s, sum(one[2] for one in recent) / span_s)

    @property
    def last_rate(self) -> Rate:
        """Return the rate when something was delivered last: that of which recovery may be expected."""
        return self.rate(now=self._last_at)
