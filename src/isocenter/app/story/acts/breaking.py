"""Steps 8 and 9: something breaks while a scan is sent, goes on being broken, and is mended.

scan begins ─▶ a quarter is acknowledged ─▶ break ─▶ scan ends, backlog stands ─▶ look ─▶ mend ─▶ backlog gone ─▶ proof
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isocenter.app.story.acts.proof import archive_at, expect_same_digests
from isocenter.app.story.books import Place
from isocenter.app.story.outage import RECOVERED_WITHIN_S, OutagePlan, judge_outage, outage_scenario, waiting_counter
from isocenter.app.story.router_view import RouterView
from isocenter.app.story.sampling import DESTINATIONS, Sampler
from isocenter.app.story.scan import PATIENTS, SLICES, Sending, digests_of, make_scan
from isocenter.app.story.stage import Stage, wait_until
from isocenter.app.story.step import Findings, Outage
from isocenter.domain.errors import IsocenterError
from isocenter.modality.faults.record import Found, Happening, Record

BREAKS_AFTER = SLICES // 4
"""So many slices are acknowledged before it breaks: some were delivered, some are on their way, most are to come."""
SENT_WITHIN_S = 45.0
BACKLOG_SHOWN_S = 1.0
"""So long a backlog stands before it is mended, so that one sees it in the curve."""


@dataclass(frozen=True, slots=True)
class Breaking:
    """One outage: what breaks it, what mends it, what is looked at meanwhile."""

    step: int
    plan: OutagePlan
    begin: Callable[[], None]
    begun: str
    """As the timeline calls it."""
    meanwhile: Callable[[Findings], None]
    end: Callable[[], None]
    ended: str


def play_outage(stage: Stage, findings: Findings, breaking: Breaking) -> None:
    """Play an outage, and note what it came to."""
    instances = make_scan(breaking.step, stage.play)
    study = instances[0].study_instance_uid
    router = RouterView(stage.reach)
    sending = Sending(stage.reach.router.qierouter, instances)

    def sent() -> tuple[int, int]:
        return sending.tried, len(sending.acknowledged)

    sampler = Sampler(router, sent=sent, on_change=findings.on_change)
    findings.outage = _begun(breaking.plan, sampler.record)
    try:
        with sampler:
            is_mended = False
            try:
                with sending:
                    wait_until(
                        lambda: len(sending.acknowledged) >= BREAKS_AFTER or sending.is_done, within_s=SENT_WITHIN_S
                    )
                    breaking.begin()
                    sampler.happened(breaking.plan.thing, breaking.begun, is_trouble=True)
                    _expect_backlog(findings, breaking, sending, sampler.record)
                breaking.meanwhile(findings)
                breaking.end()
                is_mended = True
                sampler.happened(breaking.plan.thing, breaking.ended, is_trouble=False)
            finally:
                if not is_mended:
                    breaking.end()
            _wait_for_recovery(stage, breaking, sampler)
    finally:
        router.close()
    stage.books.sent_under_trouble[study] = PATIENTS[breaking.step]
    _gather(stage, sampler.record, sending, study)
    findings.outage = judge_outage(breaking.plan, sampler.record, findings)
    _note_recovery(breaking, sampler.record)
    made = digests_of(instances)
    for place in Place:
        expect_same_digests(findings, place, made=made, found=archive_at(stage, place).digests_of(study))


def _begun(plan: OutagePlan, record: Record) -> Outage:
    return Outage(outage_scenario(plan), record, "", is_met=False)


def _expect_backlog(findings: Findings, breaking: Breaking, sending: Sending, record: Record) -> None:
    """Wait until the scan is sent and only what suffers is behind."""
    wait_until(lambda: sending.is_done, within_s=SENT_WITHIN_S)
    suffers = waiting_counter(breaking.plan.suffers)
    spared = waiting_counter(next(place for place in Place if place is not breaking.plan.suffers))

    def stands() -> bool:
        last = record.samples[-1].counters if record.samples else {}
        return last.get(suffers, 0) >= breaking.plan.backlog_min and last.get(spared, 1) == 0

    wait_until(stands, within_s=SENT_WITHIN_S)
    since_s = record.samples[-1].at_s if record.samples else 0.0
    wait_until(lambda: bool(record.samples) and record.samples[-1].at_s >= since_s + BACKLOG_SHOWN_S, within_s=10.0)
    last = record.samples[-1].counters if record.samples else {}
    findings.expect(
        f"What is for {_other(breaking)} is not held up",
        last.get(spared) == 0,
        wanted="0 wait",
        found=f"{last[spared]:g} wait" if spared in last else "the router does not tell",
    )


def _other(breaking: Breaking) -> str:
    return f"the {next(place for place in Place if place is not breaking.plan.suffers)}"


def _wait_for_recovery(stage: Stage, breaking: Breaking, sampler: Sampler) -> None:
    name = DESTINATIONS[breaking.plan.suffers]
    record = sampler.record

    def is_gone() -> bool:
        last = record.samples[-1]
        return (
            last.at_s > record.trouble_over_s
            and last.counters.get(waiting_counter(breaking.plan.suffers), 1) == 0
            and stage.router.overview().waiting.get(name, 1) == 0
        )

    wait_until(is_gone, within_s=RECOVERED_WITHIN_S)


def _note_recovery(breaking: Breaking, record: Record) -> None:
    """Note when the backlog was gone, for the timeline; the judge counts from the last thing that was done."""
    counter = waiting_counter(breaking.plan.suffers)
    back = [one.at_s for one in record.samples if one.at_s > record.trouble_over_s and one.counters.get(counter) == 0]
    if back:
        record.happenings.append(Happening(back[0], breaking.plan.thing, "drained", is_trouble=False))


def _gather(stage: Stage, record: Record, sending: Sending, study: str) -> None:
    record.acknowledged = frozenset(sending.acknowledged)
    record.instances = len(sending.instances)
    record.longest_wait_s = sending.longest_wait_s
    if sending.problem:
        record.problems.append(sending.problem)
    for place in Place:
        archive = archive_at(stage, place)
        try:
            record.found[place] = Found(archive.instances_of(study), archive.stored_again([study]))
        except IsocenterError as error:
            record.found[place] = Found(problem=error.message)
