"""The rates of a destination as its calendar has them: how much may go out now, and when the next may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from isocenter.routing.configuration.destination import RateLimit
from isocenter.routing.deliveries.pace import Bucket, at_rate, full_bucket, taken, wait_s

BATCH_SHARE = 0.25
"""A batch is begun when so much of a second's worth may go: smaller ones would cost more commits than they send."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """What was sent lately, as far as it counts; None where no limit is set."""

    size: Bucket | None = None
    count: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may go out at once; None sets no limit."""

    size_bytes: int | None = None
    count: int | None = None


def limit_at(limits: Sequence[RateLimit], moment: datetime) -> RateLimit | None:
    """Return the limit of a moment of the place: the first one whose hours it is."""
    return next((limit for limit in limits if limit.during.holds_at(moment)), None)


def adjusted(throttle: Throttle, limit: RateLimit | None, *, now: float) -> Throttle:
    """Return the throttle under the limit of this hour."""
    if limit is None:
        return Throttle()
    return Throttle(
        _adjusted(throttle.size, float(limit.bytes_per_s), now), _adjusted(throttle.count, limit.instances_per_s, now)
    )


def _adjusted(bucket: Bucket | None, rate_per_s: float, now: float) -> Bucket | None:
    if rate_per_s <= 0:
        return None
    return full_bucket(rate_per_s, now=now) if bucket is None else at_rate(bucket, rate_per_s, now=now)


def wait_before_s(throttle: Throttle, *, now: float) -> float:
    """Return how long to wait before the next batch."""
    buckets = [bucket for bucket in (throttle.size, throttle.count) if bucket is not None]
    return max((wait_s(bucket, max(1.0, bucket.capacity * BATCH_SHARE), now=now) for bucket in buckets), default=0.0)


def allowance(throttle: Throttle, *, now: float) -> Allowance:
    """Return how much may go out now, after the wait; one instance always may."""
    return Allowance(_level(throttle.size, now), _level(throttle.count, now))


def _level(bucket: Bucket | None, now: float) -> int | None:
    return None if bucket is None else max(1, int(at_rate(bucket, bucket.rate_per_s, now=now).level))


def charged(throttle: Throttle, *, count: int, size_bytes: int, now: float) -> Throttle:
    """Return the throttle after so much began to go out."""
    size = None if throttle.size is None else taken(throttle.size, size_bytes, now=now)
    return replace(throttle, size=size, count=None if throttle.count is None else taken(throttle.count, count, now=now))
