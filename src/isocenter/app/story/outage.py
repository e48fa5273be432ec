"""What is expected of an outage, and what was seen held against that: a scenario without steps, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.app.story.books import Place
from isocenter.app.story.step import Findings, Outage
from isocenter.modality.faults.record import Record
from isocenter.modality.faults.scenario import (
    AddsUp,
    AllAcknowledged,
    CounterPlan,
    DuplicatesAtMost,
    NothingLost,
    Reached,
    RecoveredWithin,
    Scenario,
)
from isocenter.modality.faults.verdict import Finding, judge

RECOVERED_WITHIN_S = 60.0
"""routing-and-gateway 3.14: "nothing lost, at most two duplicates, recovered within a minute"."""
DUPLICATES_MAX = 2
ACKNOWLEDGED_WITHIN_S = 10.0
"""A modality waits longer; one that waits ten seconds for each picture holds up its next patient."""
WHOLE, PARTS = "received", ("delivered", "waiting", "needs-human", "cancelled")


@dataclass(frozen=True, slots=True)
class OutagePlan:
    """An outage of one archive, or of the line to it."""

    name: str
    thing: str
    """What breaks, as the drawing calls it."""
    suffers: Place
    """The archive that cannot be reached."""
    backlog_min: int
    """So many instances at least must have waited for it, or the outage was none."""


def waiting_counter(place: Place) -> str:
    """Return the name of the counter of what waits for an archive."""
    return f"waiting for the {place}"


def outage_scenario(plan: OutagePlan) -> Scenario:
    """Return what is expected."""
    backlog = waiting_counter(plan.suffers)
    archives = tuple(Place)
    return Scenario(
        name=plan.name,
        description="",
        duration_max_s=0.0,
        files=(),
        processes=(),
        links=(),
        counters=tuple(CounterPlan(name=waiting_counter(place), url="") for place in Place),
        load=None,
        steps=(),
        expectations=(
            AllAcknowledged(within_s=ACKNOWLEDGED_WITHIN_S),
            Reached(counter=backlog, value=plan.backlog_min),
            RecoveredWithin(counter=backlog, time_s=RECOVERED_WITHIN_S),
            AddsUp(whole=WHOLE, parts=PARTS),
            NothingLost(archives=archives),
            *(DuplicatesAtMost(count=DUPLICATES_MAX, archive=place) for place in archives),
        ),
    )


def judge_outage(plan: OutagePlan, record: Record, findings: Findings) -> Outage:
    """Hold what was seen against what was expected, note both, and return it with the verdict."""
    scenario = outage_scenario(plan)
    judged = judge(scenario, record)[1:]  # the first says whether all steps of a scenario were due; here are none
    for one in judged:
        findings.expect(_capital(one.expectation), one.is_met, wanted=one.expectation, found=one.evidence)
    for problem in record.problems:
        findings.expect("Everything went as planned", False, wanted="no trouble but what was made", found=problem)
    is_met = all(one.is_met for one in judged) and not record.problems
    return Outage(scenario, record, verdict_of(record, judged, is_met=is_met), is_met)


def verdict_of(record: Record, judged: list[Finding], *, is_met: bool) -> str:
    """Return what an outage came to, in a sentence."""
    lost = lost_of(record)
    duplicates = sum(found.stored_again for found in record.found.values())
    took_s = next((one.evidence for one in judged if " back at " in one.expectation), "").partition(" s ")[0]
    recovered = f"recovered in {took_s} s" if _is_number(took_s) else "not recovered"
    parts = [
        "nothing lost" if lost == 0 else f"{lost} lost" if lost is not None else "what is lost is not known",
        f"{duplicates} {'duplicate' if duplicates == 1 else 'duplicates'}",
        recovered,
    ]
    return _capital(", ".join(parts)) + ("." if is_met else "; not as expected.")


def lost_of(record: Record) -> int | None:
    """Return how many acknowledged instances are missing in some archive; None where one could not be asked."""
    if any(place not in record.found or record.found[place].problem for place in Place):
        return None
    return len({uid for place in Place for uid in record.acknowledged - record.found[place].instances})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
