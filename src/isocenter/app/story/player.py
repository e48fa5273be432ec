"""Play steps: what each finds is noted, what stops it is told, and the next ones can be tried all the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from isocenter.app.story.acts.archiving import fetch_old_study, move_old_archive
from isocenter.app.story.acts.connecting import connect_router
from isocenter.app.story.acts.filling import fill_pacs, send_to_pacs
from isocenter.app.story.acts.outages import cut_line_to_cloud, kill_pacs
from isocenter.app.story.acts.sending import send_jules_study, send_through_router
from isocenter.app.story.plan import STEPS, step_plan
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import Findings, StepResult, StepState
from isocenter.domain.errors import Broken, IsocenterError

_log = structlog.get_logger()

ACTS: Mapping[int, Callable[[Stage, Findings], None]] = {
    1: fill_pacs,
    2: send_to_pacs,
    3: connect_router,
    4: send_jules_study,
    5: send_through_router,
    6: move_old_archive,
    7: fetch_old_study,
    8: cut_line_to_cloud,
    9: kill_pacs,
}
OnResult = Callable[[StepResult], None]


def play_step(stage: Stage, number: int, on_result: OnResult) -> StepResult:
    """Play a step and return what it came to; `on_result` is told whenever there is more to see."""
    began_s = time.monotonic()

    def result(state: StepState, reason: str = "") -> StepResult:
        return StepResult(
            number,
            state,
            tuple(findings.expectations),
            tuple(findings.evidence),
            time.monotonic() - began_s,
            reason,
            findings.outage,
        )

    findings = Findings(on_change=lambda: on_result(result(StepState.PLAYING)))
    reason = ""
    on_result(result(StepState.PLAYING))
    try:
        ACTS[number](stage, findings)
    except IsocenterError as error:
        reason = error.message
    except Exception:  # the outermost loop of the story: the next step is tried, and the log has what happened
        _log.exception("story.step_broken", step=number)
        reason = f"{Broken().message} The log says more."
    if reason:
        findings.expect("The step can be played to its end", False, wanted="no trouble but what is made", found=reason)
    return result(StepState.HELD if findings.is_all_met else StepState.FAILED, reason)


def play_steps(
    stage: Stage, numbers: Iterable[int], on_result: OnResult, *, is_time_over: Callable[[], bool] = lambda: False
) -> list[StepResult]:
    """Play steps in their order; those that need one that failed are left out, and all once the time is over."""
    results: dict[int, StepResult] = {}
    for number in numbers:
        missing = sorted(need for need in step_plan(number).needs if _has_failed(results.get(need)))
        reason = f"It needs step {missing[0]}, which did not hold." if missing else ""
        if not reason and is_time_over():
            reason = "The time of the check was over."
        if reason:
            results[number] = StepResult(number, StepState.LEFT_OUT, reason=reason)
        else:
            results[number] = play_step(stage, number, on_result)
        on_result(results[number])
    return list(results.values())


def _has_failed(result: StepResult | None) -> bool:
    return result is not None and result.state is not StepState.HELD


assert set(ACTS) == {plan.number for plan in STEPS}, "each step has an act"
