"""When a delivery that failed for the time being is tried again: never by count, until its age says no.

The wait grows with each attempt and is drawn at random from nothing up to that ("full jitter"), so that what failed
together does not come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

GROWTH = 2.0
RETRY_AFTER_MAX_S = 86_400.0
"""A destination that asks for a longer wait is asked again after a day: it may have meant something else."""
_DOUBLINGS_MAX = 60
"""More would be beyond what a float holds exactly; every longest wait is reached long before."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a destination is to be with."""

    first_wait_s: float = 2.0
    longest_wait_s: float = 300.0
    age_max_s: float = 7 * 86_400.0
    """A delivery that is older goes to the shelf for people."""


def next_attempt_at(
    policy: RetryPolicy,
    *,
    now: float,
    received_at: float,
    failures: int,
    draw: Callable[[], float],
    retry_after_s: float | None = None,
) -> float | None:
    """Return when to try again after so many failures in a row, None where the delivery has become too old.

    `draw` gives numbers from 0 up to 1. What the destination itself asks for (`Retry-After`) is waited for, and no
    less; the last attempt falls on the end of the delivery's time.
    """
    ends_at = received_at + policy.age_max_s
    if now >= ends_at:
        return None
    if retry_after_s is not None:
        return min(now + min(max(0.0, retry_after_s), RETRY_AFTER_MAX_S), ends_at)
    return min(now + draw() * wait_ceiling_s(policy, failures), ends_at)


def wait_ceiling_s(policy: RetryPolicy, failures: int) -> float:
    """Return the longest wait after so many failures in a row, the first of them counted as 1."""
    doublings = min(max(failures, 1) - 1, _DOUBLINGS_MAX)
    return min(policy.longest_wait_s, policy.first_wait_s * GROWTH**doublings)
