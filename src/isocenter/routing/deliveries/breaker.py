"""The breaker of a destination: after failures of its own, whatever the instance, nothing is sent to it but probes.

    closed ──(failures)──▶ open ──(probe is due)──▶ probing ──(it succeeds)──▶ recovering ──(all workers)──▶ closed
                            ▲                          │                          │
                            └──────(it fails)──────────┴────────(a failure)───────┘

While it is open deliveries wait; none is failed by it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum

RECENT_WINDOW_S = 60.0
"""Over which the share of failures is counted."""
RECENT_ATTEMPTS_MIN = 4
"""Fewer attempts say nothing about a share."""
RECENT_KEPT_MAX = 256
"""Attempts that are remembered; a destination that takes more in a minute is told by the last of them."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a destination counts as sick, and how often it is probed."""

    failures_in_a_row: int = 5
    first_probe_s: float = 30.0
    longest_probe_s: float = 600.0


class BreakerState(StrEnum):
    """How a destination is."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a destination."""

    state: BreakerState = BreakerState.CLOSED
    failures_in_a_row: int = 0
    recent: tuple[tuple[float, bool], ...] = ()
    """When attempts ended lately, and whether they failed."""
    opened_at: float | None = None
    probes_failed: int = 0
    probe_at: float | None = None
    workers: int = 0
    """How many may send while it recovers."""


def succeeded(breaker: Breaker, *, now: float, workers_max: int) -> Breaker:
    """Return the breaker after an attempt or a probe that the destination answered, be it with a refusal."""
    if breaker.state is BreakerState.CLOSED:
        return replace(breaker, failures_in_a_row=0, recent=_with(breaker.recent, now, is_failure=False))
    workers = 1 if breaker.state is not BreakerState.RECOVERING else breaker.workers * 2
    if workers >= workers_max:
        return Breaker()
    return Breaker(BreakerState.RECOVERING, workers=workers, opened_at=breaker.opened_at)


def failed(breaker: Breaker, policy: BreakerPolicy, *, now: float, retry_after_s: float | None = None) -> Breaker:
    """Return the breaker after an attempt, or a probe, that failed for a reason of the destination's own."""
    if breaker.state is BreakerState.OPEN:
        return breaker
    in_a_row = breaker.failures_in_a_row + 1
    recent = _with(breaker.recent, now, is_failure=True)
    is_sick = breaker.state is not BreakerState.CLOSED or in_a_row >= policy.failures_in_a_row or _most_failed(recent)
    if not is_sick:
        return replace(breaker, failures_in_a_row=in_a_row, recent=recent)
    return _opened(breaker, policy, now, retry_after_s)


def suspended(breaker: Breaker, policy: BreakerPolicy, *, now: float) -> Breaker:
    """Return the breaker after the destination said that nothing goes as things are: one such answer is enough."""
    return breaker if breaker.state is BreakerState.OPEN else _opened(breaker, policy, now, None)


def _opened(breaker: Breaker, policy: BreakerPolicy, now: float, retry_after_s: float | None) -> Breaker:
    probes_failed = breaker.probes_failed + (breaker.state is BreakerState.PROBING)
    wait_s = min(policy.longest_probe_s, policy.first_probe_s * 2.0 ** min(probes_failed, 30))
    return Breaker(
        BreakerState.OPEN,
        opened_at=now if breaker.opened_at is None else breaker.opened_at,
        probes_failed=probes_failed,
        probe_at=now + max(wait_s, retry_after_s or 0.0),
    )


def probe_at_once(breaker: Breaker, *, now: float) -> Breaker:
    """Return the breaker after a person wants to know now how the destination is."""
    return replace(breaker, probe_at=now) if breaker.state is BreakerState.OPEN else breaker


def begin_probe(breaker: Breaker, *, now: float) -> Breaker | None:
    """Return the breaker while one probe is under way, None where none is due."""
    if breaker.state is not BreakerState.OPEN or breaker.probe_at is None or now < breaker.probe_at:
        return None
    return replace(breaker, state=BreakerState.PROBING, probe_at=None)


def workers_allowed(breaker: Breaker, workers_max: int) -> int:
    """Return how many deliveries may be under way at a time."""
    match breaker.state:
        case BreakerState.CLOSED:
            return workers_max
        case BreakerState.RECOVERING:
            return min(breaker.workers, workers_max)
        case _:
            return 0


def _with(recent: tuple[tuple[float, bool], ...], now: float, *, is_failure: bool) -> tuple[tuple[float, bool], ...]:
    first = max(bisect_right(recent, (now - RECENT_WINDOW_S, True)), len(recent) - RECENT_KEPT_MAX + 1)
    return (*recent[first:], (now, is_failure))


def _most_failed(recent: tuple[tuple[float, bool], ...]) -> bool:
    failures = sum(is_failure for _, is_failure in recent)
    return len(recent) >= RECENT_ATTEMPTS_MIN and failures * 2 > len(recent)
