"""Hold what was seen against what was expected: for each expectation whether it is met, and by what evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.modality.faults.record import Record, Sample
from isocenter.modality.faults.scenario import (
    AddsUp,
    AllAcknowledged,
    DuplicatesAtMost,
    Expectation,
    NothingLost,
    Reached,
    RecoveredWithin,
    Scenario,
    StaysAtMost,
)

SHOWN_MAX = 5
"""Of the instances that are missing: enough to look for them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one expectation."""

    expectation: str
    is_met: bool
    evidence: str


def judge(scenario: Scenario, record: Record) -> list[Finding]:
    """Return a finding for each expectation, and one that the scenario was played whole."""
    findings = [_judge_play(scenario, record)]
    findings += [_judge(expectation, record) for expectation in scenario.expectations]
    return findings


def _judge_play(scenario: Scenario, record: Record) -> Finding:
    problems = list(record.problems)
    if record.steps_left:
        problems.append(f"{record.steps_left} of {len(scenario.steps)} steps were never due")
    evidence = "; ".join(problems) or f"{len(scenario.steps)} steps in {record.ended_at_s:.1f} s"
    return Finding("played as written", not problems, evidence)


def _judge(expectation: Expectation, record: Record) -> Finding:
    match expectation:
        case NothingLost():
            return _nothing_lost(expectation, record)
        case DuplicatesAtMost():
            return _duplicates(expectation, record)
        case RecoveredWithin():
            return _recovered(expectation, record)
        case AddsUp():
            return _adds_up(expectation, record.samples)
        case Reached():
            return _reached(expectation, record.samples)
        case StaysAtMost():
            return _stays(expectation, record.samples)
        case AllAcknowledged():
            return _all_acknowledged(expectation, record)


def _nothing_lost(expectation: NothingLost, record: Record) -> Finding:
    told, is_met = [], bool(record.acknowledged)
    for archive in expectation.archives:
        found = record.found.get(archive)
        if found is None or found.problem:
            is_met = False
            told.append(f"{archive} cannot be asked: {found.problem if found else 'nobody did'}")
            continue
        missing = sorted(record.acknowledged - found.instances)
        is_met = is_met and not missing
        told.append(f"{archive} has {len(record.acknowledged) - len(missing)} of {len(record.acknowledged)}")
        if missing:
            told[-1] += f", not {', '.join(missing[:SHOWN_MAX])}{' …' if len(missing) > SHOWN_MAX else ''}"
    return Finding("nothing acknowledged is lost", is_met, "; ".join(told) or "no archive was named")


def _duplicates(expectation: DuplicatesAtMost, record: Record) -> Finding:
    wanted = f"at most {expectation.count} came twice"
    if expectation.link:
        number = record.sent_again.get(expectation.link, 0)
        return Finding(wanted, number <= expectation.count, f"{number} sent again over {expectation.link}")
    found = record.found.get(expectation.archive)
    if found is None or found.problem:
        reason = found.problem if found else "nobody did"
        return Finding(wanted, False, f"{expectation.archive} cannot be asked: {reason}")
    evidence = f"{found.stored_again} stored again in {expectation.archive}"
    return Finding(wanted, found.stored_again <= expectation.count, evidence)


def _recovered(expectation: RecoveredWithin, record: Record) -> Finding:
    wanted = f"{expectation.counter} back at {expectation.value:g} within {expectation.time_s:g} s"
    over_s = record.trouble_over_s
    seen = [sample for sample in record.samples if expectation.counter in sample.counters]
    if not seen:
        return Finding(wanted, False, "the counter was never read")
    back_s: float | None = None
    for sample in seen:
        is_back = sample.counters[expectation.counter] <= expectation.value
        back_s = (sample.at_s if back_s is None else back_s) if is_back else None
    if back_s is None:
        last = seen[-1]
        return Finding(wanted, False, f"still {last.counters[expectation.counter]:g} after {last.at_s - over_s:.1f} s")
    took_s = max(0.0, back_s - over_s)
    return Finding(wanted, took_s <= expectation.time_s, f"{took_s:.1f} s after the last trouble ended")


def _adds_up(expectation: AddsUp, samples: Sequence[Sample]) -> Finding:
    names = (expectation.whole, *expectation.parts)
    whole_samples = [sample for sample in samples if all(name in sample.counters for name in names)]
    wrong = [sample for sample in whole_samples if not _is_sum(sample, expectation)]
    wanted = f"{expectation.whole} = {' + '.join(expectation.parts)}"
    if wrong:
        shown = ", ".join(f"{name} {wrong[0].counters[name]:g}" for name in names)
        return Finding(wanted, False, f"not in {len(wrong)} of {len(whole_samples)} samples: {shown}")
    return Finding(wanted, bool(whole_samples), f"in each of {len(whole_samples)} samples")


def _is_sum(sample: Sample, expectation: AddsUp) -> bool:
    return sample.counters[expectation.whole] == sum(sample.counters[name] for name in expectation.parts)


def _reached(expectation: Reached, samples: Sequence[Sample]) -> Finding:
    numbers = _numbers(expectation.counter, samples)
    highest = max(numbers, default=0.0)
    wanted = f"{expectation.counter} reaches {expectation.value:g}"
    return Finding(wanted, bool(numbers) and highest >= expectation.value, f"{highest:g} at most")


def _stays(expectation: StaysAtMost, samples: Sequence[Sample]) -> Finding:
    numbers = _numbers(expectation.counter, samples)
    highest = max(numbers, default=0.0)
    wanted = f"{expectation.counter} stays at most {expectation.value:g}"
    return Finding(wanted, bool(numbers) and highest <= expectation.value, f"{highest:g} at most")


def _numbers(counter: str, samples: Sequence[Sample]) -> list[float]:
    return [sample.counters[counter] for sample in samples if counter in sample.counters]


def _all_acknowledged(expectation: AllAcknowledged, record: Record) -> Finding:
    is_all = record.instances > 0 and len(record.acknowledged) == record.instances
    within = expectation.within_s
    wanted = "every instance is acknowledged" + (f" within {within:g} s" if within else "")
    evidence = f"{len(record.acknowledged)} of {record.instances}, the slowest after {record.longest_wait_s:.1f} s"
    return Finding(wanted, is_all and (not within or record.longest_wait_s <= within), evidence)
