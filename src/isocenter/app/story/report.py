"""The results of the story as JSON, and back again for what a tour remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isocenter.app.story.plan import step_plan
from isocenter.app.story.step import Evidence, Expectation, Outage, StepResult, StepState
from isocenter.modality.faults.record import Happening, Record, Sample
from isocenter.modality.faults.record_json import record_json
from isocenter.modality.faults.scenario import CounterPlan, Scenario

VERSION = 1


def report_json(results: Sequence[StepResult], *, pacs: str, verdict: str) -> dict[str, Any]:
    """Return a whole report."""
    return {
        "version": VERSION,
        "pacs": pacs,
        "held": is_held(results),
        "verdict": verdict,
        "steps": [result_json(result) for result in results],
    }


def is_held(results: Sequence[StepResult]) -> bool:
    """Tell whether there are steps and all of them held."""
    return bool(results) and all(result.state is StepState.HELD for result in results)


def result_json(result: StepResult) -> dict[str, Any]:
    """Return what a step came to."""
    return {
        "number": result.number,
        "title": step_plan(result.number).title,
        "state": result.state.value,
        "elapsed_s": round(result.elapsed_s, 3),
        "reason": result.reason,
        "expectations": [
            {"text": one.text, "wanted": one.wanted, "found": one.found, "is_met": one.is_met}
            for one in result.expectations
        ],
        "evidence": [{"name": one.name, "text": one.text, "data": one.data} for one in result.evidence],
        "outage": None if result.outage is None else _outage_json(result.outage),
    }


def parse_result(document: dict[str, Any]) -> StepResult:
    """Return what `result_json` wrote; raises KeyError, TypeError, ValueError for anything else."""
    outage = document["outage"]
    return StepResult(
        int(document["number"]),
        StepState(document["state"]),
        tuple(
            Expectation(str(one["text"]), str(one["wanted"]), str(one["found"]), bool(one["is_met"]))
            for one in document["expectations"]
        ),
        tuple(Evidence(str(one["name"]), str(one["text"]), one["data"]) for one in document["evidence"]),
        float(document["elapsed_s"]),
        str(document["reason"]),
        None if outage is None else _parse_outage(outage),
    )


def _outage_json(outage: Outage) -> dict[str, Any]:
    record = outage.record
    return {
        "name": outage.scenario.name,
        "verdict": outage.verdict,
        "is_met": outage.is_met,
        "counters": [counter.name for counter in outage.scenario.counters],
        "ended_at_s": round(record.ended_at_s, 3),
        **record_json(record),
    }


def _parse_outage(document: dict[str, Any]) -> Outage:
    record = Record(ended_at_s=float(document["ended_at_s"]))
    record.happenings = [
        Happening(float(one["at_s"]), str(one["thing"]), str(one["text"]), is_trouble=bool(one["is_trouble"]))
        for one in document["happenings"]
    ]
    record.samples = [
        Sample(
            float(one["at_s"]),
            int(one["sent"]),
            int(one["acknowledged"]),
            {str(name): float(value) for name, value in one["counters"].items()},
        )
        for one in document["samples"]
    ]
    counters = tuple(CounterPlan(name=str(name), url="") for name in document["counters"])
    scenario = Scenario(str(document["name"]), "", 0.0, (), (), (), counters, None, (), ())
    return Outage(scenario, record, str(document["verdict"]), bool(document["is_met"]))
