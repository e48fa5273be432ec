"""How a destination is, and what that means for those who send to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from isocenter.routing.calendar import is_open, next_opening
from isocenter.routing.configuration.destination import Destination
from isocenter.routing.deliveries.breaker import (
    Breaker,
    BreakerState,
    failed,
    succeeded,
    suspended,
    workers_allowed,
)
from isocenter.routing.deliveries.retry import RETRY_AFTER_MAX_S
from isocenter.routing.deliveries.verdict import SUSPENDING, Judgement, Verdict


class DestinationState(StrEnum):
    """What a destination is doing, for people."""

    RUNNING = "running"
    DISABLED = "disabled"
    """The configuration switches it off."""
    HELD = "held"
    """A person put it aside."""
    CLOSED = "closed"
    """It is not its hour."""
    RESTING = "resting"
    """It asked to be left alone for a while, or has just failed."""
    WAITING = "waiting"
    """It does not answer, or answers with failures of its own: its breaker is open."""
    SUSPENDED = "suspended"
    """It will not take anything until somebody changes something: sign-in, address, certificate."""
    PROBING = "probing"
    RECOVERING = "recovering"
    """It is back, and is given more and more to do."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who put a destination aside, when and why."""

    by: str
    since: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last thing that went wrong."""

    note: str
    """Code of the catalogue."""
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of a destination."""

    hold: Hold | None = None
    breaker: Breaker = field(default_factory=Breaker)
    rest_until: float = 0.0
    is_suspended: bool = False
    failure: Failure | None = None
    """The last one, of the destination or of an instance."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether something may be sent now."""

    state: DestinationState
    workers: int
    """How many may send at a time; 0 while it is shut."""
    until: float | None = None
    """When that changes by itself, None where nobody knows."""


def gate(destination: Destination, condition: Condition, *, now: float, moment: datetime) -> Gate:
    """Return what may be done; `moment` is now in the time of the place."""
    if not destination.is_enabled:
        return Gate(DestinationState.DISABLED, 0)
    if condition.hold is not None:
        return Gate(DestinationState.HELD, 0)
    breaker = condition.breaker
    if breaker.state is BreakerState.OPEN:
        state = DestinationState.SUSPENDED if condition.is_suspended else DestinationState.WAITING
        return Gate(state, 0, breaker.probe_at)
    if breaker.state is BreakerState.PROBING:
        return Gate(DestinationState.PROBING, 0)
    if not is_open(destination.open, moment):
        opens_in_s = (next_opening(destination.open, moment) - moment).total_seconds()
        return Gate(DestinationState.CLOSED, 0, now + opens_in_s)
    if now < condition.rest_until:
        return Gate(DestinationState.RESTING, 0, condition.rest_until)
    is_recovering = breaker.state is BreakerState.RECOVERING
    state = DestinationState.RECOVERING if is_recovering else DestinationState.RUNNING
    return Gate(state, workers_allowed(breaker, destination.workers))


def answered(condition: Condition, destination: Destination, *, now: float) -> Condition:
    """Return the condition after the destination did what it is there for, be it with a refusal."""
    breaker = succeeded(condition.breaker, now=now, workers_max=destination.workers)
    return replace(condition, breaker=breaker, is_suspended=False)


def judged(
    condition: Condition, judgement: Judgement, destination: Destination, *, now: float, draw: Callable[[], float]
) -> Condition:
    """Return the condition after what came of an attempt or a probe; `draw` gives numbers from 0 up to 1.

    After a failure of the destination it is left alone for a moment, so that what waits is not thrown at it.
    """
    if judgement.verdict in SUSPENDING:
        breaker = suspended(condition.breaker, destination.breaker, now=now)
        return replace(condition, breaker=breaker, is_suspended=True)
    if not judgement.is_of_destination:
        # Only who says of an instance that it has it, or why it does not take it, has proved to be well.
        return condition if judgement.verdict is Verdict.TRANSIENT else answered(condition, destination, now=now)
    breaker = failed(condition.breaker, destination.breaker, now=now, retry_after_s=judgement.retry_after_s)
    asked_s = min(judgement.retry_after_s or 0.0, RETRY_AFTER_MAX_S)
    rest_until = now + max(asked_s, draw() * destination.retry.first_wait_s)
    rest_until = max(rest_until, condition.rest_until)
    return replace(condition, breaker=breaker, rest_until=rest_until, is_suspended=False)
