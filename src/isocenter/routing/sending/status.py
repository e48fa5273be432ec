"""How a destination is doing, as a value and in words: what is safe here, why it waits, when it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from isocenter.domain.delivery_counters import Counters
from isocenter.routing.catalogue.entry import Entry, Family
from isocenter.routing.catalogue.lookup import entry_of
from isocenter.routing.sending.condition import DestinationState, Failure, Hold
from isocenter.routing.sending.recent import Rate


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """One destination at one moment; times are seconds since the epoch."""

    name: str
    state: DestinationState
    observed_at: float
    since: float | None
    """When it began to be sick, or was put aside; None otherwise."""
    hold: Hold | None
    failure: Failure | None
    """The last one; over, where the destination is running again."""
    next_at: float | None
    """When it goes on by itself: the next probe, opening, or attempt. None where nobody knows, or nothing waits."""
    counters: Counters
    waiting_bytes: int
    oldest_received_at: float | None
    """Of what waits."""
    sending: int
    """Deliveries under way."""
    workers: int
    """How many workers are sending."""
    rate: Rate
    """Of the last minute."""
    clears_in_s: float | None
    """How long the backlog takes at the present speed, or at the last one there was; None where none is known."""

    @property
    def oldest_age_s(self) -> float | None:
        """Return how long the oldest delivery has been waiting."""
        return None if self.oldest_received_at is None else max(0.0, self.observed_at - self.oldest_received_at)


def clears_in_s(*, waiting: int, waiting_bytes: int, rate: Rate) -> float | None:
    """Return how long a backlog takes at a rate: by bytes and by number, whichever is longer."""
    if not waiting:
        return 0.0
    if rate.instances <= 0:
        return None
    by_bytes = waiting_bytes / rate.size_bytes if rate.size_bytes > 0 else 0.0
    return max(waiting / rate.instances, by_bytes)


def explain_failure(failure: Failure) -> Entry:
    """Return what the catalogue says of a failure."""
    family, _, code = failure.note.partition(":")
    return entry_of(Family(family), code)


def describe(status: DestinationStatus, *, local: datetime) -> str:
    """Return a status in a few sentences; `local` is the moment of observation in the time of the place."""
    parts = [_STATES[status.state](status, local)]
    if status.counters.waiting:
        number = "1 instance" if status.counters.waiting == 1 else f"{status.counters.waiting:,} instances"
        parts.append(f"{number}, {describe_size(status.waiting_bytes)}, safe on disk.")
    if status.counters.needs_human:
        parts.append(f"{status.counters.needs_human:,} on the shelf for people.")
    estimate = status.clears_in_s
    if status.counters.waiting and estimate is not None:
        after = "" if status.state in _SENDING else " after it goes on"
        parts.append(f"At the present speed the backlog clears in about {_span(estimate)}{after}.")
    return " ".join(parts)


_SENDING = frozenset({DestinationState.RUNNING, DestinationState.RECOVERING})


def _why(status: DestinationStatus) -> str:
    return "" if status.failure is None else f" ({explain_failure(status.failure).name}, {status.failure.note})"


def _next(status: DestinationStatus, what: str) -> str:
    return "" if status.next_at is None else f" {what} in {_span(status.next_at - status.observed_at)}."


def _clock(at: float | None, local: datetime) -> str:
    return "" if at is None else f" since {datetime.fromtimestamp(at, local.tzinfo):%Y-%m-%d %H:%M}"


def _held(status: DestinationStatus, local: datetime) -> str:
    if status.hold is None:
        return "Held."
    why = f": {status.hold.why}" if status.hold.why else ""
    return f"Held by {status.hold.by}{_clock(status.hold.since, local)}{why}."


_STATES: Mapping[DestinationState, Callable[[DestinationStatus, datetime], str]] = {
    DestinationState.RUNNING: lambda status, local: "Running.",
    DestinationState.DISABLED: lambda status, local: "Switched off in the configuration.",
    DestinationState.HELD: _held,
    DestinationState.CLOSED: lambda status, local: "Outside its hours." + _next(status, "It opens"),
    DestinationState.RESTING: lambda status, local: f"Left alone for a moment{_why(status)}." + _next(status, "Again"),
    DestinationState.WAITING: lambda status, local: (
        f"Waiting{_clock(status.since, local)}{_why(status)}." + _next(status, "Next probe")
    ),
    DestinationState.SUSPENDED: lambda status, local: (
        f"Suspended{_clock(status.since, local)}{_why(status)}." + _next(status, "Next probe")
    ),
    DestinationState.PROBING: lambda status, local: f"Being probed{_why(status)}.",
    DestinationState.RECOVERING: lambda status, local: "Recovering.",
}


def describe_size(size_bytes: float) -> str:
    """Return a size as people say it: 3.1 GB."""
    amount = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    for unit_s, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * unit_s:
            return f"{round(whole / unit_s)} {name}"
    return f"{whole} s"
