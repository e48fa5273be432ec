"""Plan a migration: which studies move in which wave, how long that takes, and when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isocenter.app.migrating.job import Job
from isocenter.domain.errors import InvalidRequest
from isocenter.routing.calendar import Calendar
from isocenter.routing.migration.estimate import Estimate, Limits, ends_at, estimate
from isocenter.routing.migration.waves import WAVE_INSTANCES, Order, PlannedStudy, plan_waves


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """How to plan."""

    order: Order = Order.NEWEST
    patients: tuple[str, ...] = ()
    """Who comes first, as they are named."""
    only_patients: bool = False
    wave_instances: int = WAVE_INSTANCES


@dataclass(frozen=True, slots=True)
class Outlook:
    """How long it takes, and when it is done."""

    instances_left: int
    estimate: Estimate
    ends: tuple[datetime | None, datetime | None, datetime | None]
    """At the earliest, likely, at the latest; None beyond a lifetime."""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "instances_left": self.instances_left,
            "work_s": {
                "low": round(self.estimate.low_s, 1),
                "likely": round(self.estimate.likely_s, 1),
                "high": round(self.estimate.high_s, 1),
            },
            "measured_series": self.estimate.measured_series,
            "ends": dict(
                zip(
                    ("low", "likely", "high"),
                    (end and end.isoformat(timespec="minutes") for end in self.ends),
                    strict=True,
                )
            ),
        }


def plan(job: Job, settings: PlanSettings) -> list[dict[str, Any]]:
    """Put the studies of the inventory into waves, and return these; raises InvalidRequest before an inventory."""
    if not job.get("assessed"):
        raise InvalidRequest(f"The inventory of {job.folder} is not complete; run `isocenter migrate assess` first.")
    rank = {patient: number for number, patient in enumerate(settings.patients)}
    studies = [
        PlannedStudy(
            facts.study_instance_uid,
            facts.study_date,
            min(facts.patient_ids, key=lambda one: rank.get(one, len(rank)), default=""),
            facts.listed if facts.listed is not None else facts.counted or 1,
        )
        for facts in job.study_facts()
    ]
    waves = plan_waves(
        studies,
        order=settings.order,
        patients=settings.patients,
        only_patients=settings.only_patients,
        wave_instances=settings.wave_instances,
    )
    job.plan((wave.number, wave.study_instance_uids) for wave in waves)
    job.put("planned", True)
    return job.waves()


def outlook(job: Job, limits: Limits, calendar: Calendar, *, now: datetime) -> Outlook:
    """Return how long what is left takes, by what was measured so far."""
    left = _instances_left(job.waves(), job)
    found = estimate(left, job.measured(), limits)
    early, likely, late = (ends_at(now, work_s, calendar) for work_s in (found.low_s, found.likely_s, found.high_s))
    return Outlook(left, found, (early, likely, late))


def _instances_left(waves: Sequence[dict[str, Any]], job: Job) -> int:
    """Return how many instances are left; of studies that are not listed yet, as many as the source counts."""
    totals = job.totals()
    counted: int = sum(max(wave["listed"], wave["counted"]) for wave in waves)
    return max(totals.left, counted - (totals.instances - totals.left))
