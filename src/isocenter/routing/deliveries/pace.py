"""How fast a destination is sent to: a bucket that fills with what may be sent, and empties by what is.

Something larger than the bucket is sent whole as soon as the bucket is full; the debt is worked off before the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

BURST_S = 1.0
"""So much of the rate may go out at once; more would be felt on the line that the limit is to spare."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What may still be sent: bytes, or instances."""

    rate_per_s: float
    """Above 0."""
    level: float
    filled_at: float

    @property
    def capacity(self) -> float:
        """Return what it holds when it is full."""
        return max(self.rate_per_s * BURST_S, 1.0)


def full_bucket(rate_per_s: float, *, now: float) -> Bucket:
    """Return a bucket that nothing was taken from."""
    empty = Bucket(rate_per_s, 0.0, now)
    return replace(empty, level=empty.capacity)


def wait_s(bucket: Bucket, amount: float, *, now: float) -> float:
    """Return how long to wait before so much may be sent, 0 where it may be now."""
    wanted = min(amount, bucket.capacity)
    return max(0.0, (wanted - _level_at(bucket, now)) / bucket.rate_per_s)


def taken(bucket: Bucket, amount: float, *, now: float) -> Bucket:
    """Return the bucket after so much was sent."""
    return replace(bucket, level=_level_at(bucket, now) - amount, filled_at=max(now, bucket.filled_at))


def at_rate(bucket: Bucket, rate_per_s: float, *, now: float) -> Bucket:
    """Return the bucket at another rate from now on, as another hour of the calendar has it; a debt stays."""
    changed = replace(bucket, rate_per_s=rate_per_s, level=_level_at(bucket, now), filled_at=max(now, bucket.filled_at))
    return replace(changed, level=min(changed.level, changed.capacity))


def _level_at(bucket: Bucket, now: float) -> float:
    gained = max(0.0, now - bucket.filled_at) * bucket.rate_per_s
    return min(bucket.capacity, bucket.level + gained)
