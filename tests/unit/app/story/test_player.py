from __future__ import annotations

from typing import cast

import pytest

from isocenter.app.story import player
from isocenter.app.story.plan import STEPS
from isocenter.app.story.player import play_steps
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import Findings, StepResult, StepState
from isocenter.domain.errors import Unavailable

NO_STAGE = cast("Stage", None)  # acts of these tests need none
ALL = [plan.number for plan in STEPS]


def _holds(_stage: Stage, findings: Findings) -> None:
    findings.expect_equal("It is so", 1, 1)


def _fails(_stage: Stage, findings: Findings) -> None:
    findings.expect_equal("It is so", 1, 2)


def _stops(_stage: Stage, _findings: Findings) -> None:
    raise Unavailable("The PACS does not answer.")


def _breaks(_stage: Stage, _findings: Findings) -> None:
    raise KeyError("something of ours")


def _proves_nothing(_stage: Stage, _findings: Findings) -> None:
    pass


def _played(monkeypatch: pytest.MonkeyPatch, **acts: object) -> dict[int, StepResult]:
    table = {number: acts.get(f"step_{number}", _holds) for number in ALL}
    monkeypatch.setattr(player, "ACTS", table)
    return {one.number: one for one in play_steps(NO_STAGE, ALL, lambda result: None)}


def _states(results: dict[int, StepResult], state: StepState) -> list[int]:
    return [number for number, result in results.items() if result.state is state]


def test_a_story_in_which_everything_is_so_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _states(_played(monkeypatch), StepState.HELD) == ALL


def test_what_needs_a_step_that_failed_is_left_out_and_the_rest_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _played(monkeypatch, step_2=_fails)
    assert _states(results, StepState.FAILED) == [2]
    assert _states(results, StepState.LEFT_OUT) == [7, 8]
    assert results[7].reason == "It needs step 2, which did not hold."
    assert _states(results, StepState.HELD) == [1, 3, 4, 5, 6, 9]


def test_a_step_that_is_stopped_fails_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _played(monkeypatch, step_9=_stops)[9]
    assert (result.state, result.reason) == (StepState.FAILED, "The PACS does not answer.")
    assert result.expectations[-1].found == "The PACS does not answer."


def test_a_step_that_breaks_by_our_fault_fails_and_the_next_one_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _played(monkeypatch, step_7=_breaks)
    assert results[7].state is StepState.FAILED
    assert "something of ours" not in results[7].reason
    assert results[9].state is StepState.HELD


def test_a_step_that_expects_nothing_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _played(monkeypatch, step_9=_proves_nothing)[9].state is StepState.FAILED


def test_nothing_is_begun_once_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "ACTS", dict.fromkeys(ALL, _holds))
    results = play_steps(NO_STAGE, ALL, lambda result: None, is_time_over=lambda: True)
    assert {result.state for result in results} == {StepState.LEFT_OUT}


def test_whoever_watches_is_told_of_each_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "ACTS", dict.fromkeys(ALL, _holds))
    told: list[StepResult] = []
    play_steps(NO_STAGE, [1], told.append)
    assert [(one.state, len(one.expectations)) for one in told] == [
        (StepState.PLAYING, 0),
        (StepState.PLAYING, 1),
        (StepState.HELD, 1),
    ]
