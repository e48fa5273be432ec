"""Ask again what failed for the time being, ever more slowly; the one retry layer of a migration."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.errors import IsocenterError, PeerUnreachable, Refused, Unavailable
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    HttpAnswered,
    Report,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.retry import RetryPolicy, next_attempt_at
from isocenter.routing.deliveries.verdict import Verdict, judge

T = TypeVar("T")

_AWAY = frozenset(
    {
        TransportFault.NAME_UNKNOWN,
        TransportFault.CONNECTION_REFUSED,
        TransportFault.UNREACHABLE,
        TransportFault.CONNECT_TIMEOUT,
    }
)
"""Nobody answers at the address."""


@dataclass(slots=True)
class Patience:
    """Counts the failures of one journey, and waits."""

    policy: RetryPolicy
    throttle: Throttle
    random: Random
    who: str
    """Whose failures they are, for the last word."""
    began_at: float | None = None
    failures: int = 0

    def wait(self, report: Report, *, told: str = "") -> None:
        """Wait before the next attempt; raises Unavailable when it has been too long, Stopped."""
        now = time.monotonic()
        if self.began_at is None:
            self.began_at = now
        self.failures += 1
        due = next_attempt_at(
            self.policy,
            now=now,
            received_at=self.began_at,
            failures=self.failures,
            draw=self.random.random,
            retry_after_s=judge(report).retry_after_s,
        )
        if due is None:
            is_away = isinstance(report, TransportFailed) and report.fault in _AWAY
            kind = PeerUnreachable if is_away else Unavailable
            raise kind(f"{describe(self.who, report, told=told)} Give the same command again to go on.")
        self.throttle.rest(max(0.0, due - now))

    def succeeded(self) -> None:
        """Begin anew after a success."""
        self.began_at, self.failures = None, 0


def patiently(
    patience: Patience,
    action: Callable[[], T],
    report_of: Callable[[IsocenterError], Report],
) -> T:
    """Do something, again where it failed for the time being. Raises what it failed with otherwise."""
    while True:
        try:
            return action()
        except Unavailable as error:
            patience.throttle.require_going()
            report = report_of(error)
            if judge(report).verdict not in (Verdict.TRANSIENT, Verdict.DELIVERED):
                raise Refused(describe(patience.who, report, told=error.message)) from error
            patience.wait(report, told=error.message)


_BREAKS = frozenset({TransportFault.ANSWER_GARBLED, TransportFault.ANSWER_TIMEOUT, TransportFault.CONNECTION_LOST})


def breaks_off(report: Report) -> bool:
    """Tell whether an answer broke off, as it does where what was asked for is damaged; a busy archive says so."""
    match report:
        case TransportFailed(fault):
            return fault in _BREAKS
        case HttpAnswered(status):
            return status in (404, 406, 410, 500)
        case _:
            return isinstance(report, AssociationAborted)


def describe(who: str, report: Report, *, told: str = "") -> str:
    """Return what happened and what to do, in the words of the catalogue."""
    entry = explain_report(report)
    remedy = entry.remedy.removeprefix("It is tried again.").strip()
    said = f" ({told.rstrip('.')})" if told else ""
    return f"{who}: {entry.meaning.rstrip('.')}{said}. {remedy}".strip()
