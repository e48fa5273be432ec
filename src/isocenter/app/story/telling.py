"""The results of the story as lines of text: what was expected, by what it is proven, the curves of the outages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isocenter.app.story.plan import STEPS, step_plan
from isocenter.app.story.step import Evidence, Expectation, Outage, StepResult, StepState
from isocenter.modality.faults.drawing import iter_drawing

SHOWN_MAX = 3
"""Of what a place has: enough to look for it; the report for programs has all."""
TITLE_WIDTH = 40
_INDENT = "     "


def iter_result(result: StepResult) -> Iterator[str]:
    """Yield the lines of a step that was played."""
    took = f"{result.elapsed_s:6.1f} s" if result.state is not StepState.LEFT_OUT else ""
    title = f"{step_plan(result.number).title:<{TITLE_WIDTH}}"
    yield f"{result.number}  {title} {result.state.value.upper():<9}{took}".rstrip()
    for one in result.expectations:
        yield from _iter_expectation(one)
    if result.state is StepState.LEFT_OUT:
        yield f"{_INDENT}{result.reason}"
    for found in result.evidence:
        yield from _iter_evidence(found)
    if result.outage is not None:
        yield from _iter_outage(result.outage)
    yield ""


def _iter_expectation(one: Expectation) -> Iterator[str]:
    if one.is_met:
        yield f"{_INDENT}yes  {one.text}: {one.found}"
    else:
        yield f"{_INDENT}NO   {one.text}"
        yield f"{_INDENT}     expected: {one.wanted}"
        yield f"{_INDENT}     found:    {one.found}"


def _iter_evidence(one: Evidence) -> Iterator[str]:
    yield f"{_INDENT}·    {one.name}: {one.text}"
    lines = list(details_of(one.data))
    for line in lines[:SHOWN_MAX]:
        yield f"{_INDENT}       {line}"
    if len(lines) > SHOWN_MAX:
        yield f"{_INDENT}       … {len(lines) - SHOWN_MAX} more"


def details_of(data: Any) -> Iterator[str]:
    """Yield UIDs by patient, or digests by UID; the rest is for programs."""
    if not isinstance(data, Mapping):
        return
    if isinstance(data.get("found"), Mapping):
        yield from (f"{uid} {text}" for uid, text in data["found"].items())
    elif all(isinstance(value, list) for value in data.values()):
        yield from (f"{name}: {' '.join(map(str, values))}" for name, values in data.items() if values)


def _iter_outage(outage: Outage) -> Iterator[str]:
    yield ""
    for line in iter_drawing(outage.scenario, outage.record):
        yield f"{_INDENT}{line}"
    yield f"{_INDENT}{outage.verdict}"


def verdict_of(results: Sequence[StepResult]) -> str:
    """Return what the whole story came to."""
    held = sum(result.state is StepState.HELD for result in results)
    outages = [result.outage for result in results if result.outage is not None]
    proven = " ".join(f"{outage.scenario.name}: {_inner(outage.verdict)}" for outage in outages if outage.verdict)
    if held == len(STEPS):
        return f"All {held} steps held. {proven}".rstrip()
    failed = [str(result.number) for result in results if result.state is StepState.FAILED]
    left_out = [str(result.number) for result in results if result.state is StepState.LEFT_OUT]
    parts = [f"{held} of {len(STEPS)} steps held"]
    parts += [f"failed: {', '.join(failed)}"] if failed else []
    parts += [f"left out: {', '.join(left_out)}"] if left_out else []
    return f"NOT as expected. {'; '.join(parts)}. {proven}".rstrip()


def _inner(verdict: str) -> str:
    return verdict[:1].lower() + verdict[1:]
