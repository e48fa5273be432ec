"""What a report about one instance means for its delivery at this destination, and how it is noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from isocenter.domain.delivery import Delivery, give_up, holds
from isocenter.ports.ledger import Attempt, LedgerRow, Settled
from isocenter.routing.catalogue.lookup import code_of
from isocenter.routing.configuration.destination import Destination, DimseTarget, OnConflict
from isocenter.routing.deliveries.report import InstanceDiffers, Report
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.settlement import settle
from isocenter.routing.deliveries.verdict import Judgement, Verdict, judge

DETAIL_LENGTH_MAX = 500
"""Of what a destination says; some answer with a page."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report as it counts."""

    judgement: Judgement
    note: str
    """Code of the catalogue."""
    detail: str


def outcome_of(report: Report, detail: str, destination: Destination) -> Outcome:
    """Return what a report counts for at a destination."""
    family, code = code_of(report)
    return Outcome(_judgement(report, destination), f"{family}:{code}", " ".join(detail.split())[:DETAIL_LENGTH_MAX])


def _judgement(report: Report, destination: Destination) -> Judgement:
    if isinstance(report, InstanceDiffers) and destination.on_conflict is OnConflict.KEEP:
        return Judgement(Verdict.NOTED)
    target = destination.target
    is_duplicate_stored = target.is_duplicate_stored if isinstance(target, DimseTarget) else True
    return judge(report, is_duplicate_stored=is_duplicate_stored)


def settled(
    row: LedgerRow,
    outcome: Outcome,
    *,
    began_at: float,
    now: float,
    policy: RetryPolicy,
    draw: Callable[[], float],
) -> Settled:
    """Return the end of an attempt."""
    step = partial(
        settle,
        lease_number=row.delivery.lease_number,
        judgement=outcome.judgement,
        now=now,
        policy=policy,
        draw=draw,
        note=outcome.note,
    )
    return Settled(row.delivery_key, step, Attempt(began_at, now, outcome.note, outcome.detail))


def given_back(row: LedgerRow, *, now: float) -> Settled:
    """Return the end of a lease that nothing was tried with: it is due again at once, and no failure is counted."""

    def step(delivery: Delivery) -> Delivery | None:
        return give_up(delivery, now=now) if holds(delivery, row.delivery.lease_number) else None

    return Settled(row.delivery_key, step)
