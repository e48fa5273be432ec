"""What every store of performed steps does, and what that does to the work list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.domain.performed_step import PerformedStep, PerformedStepState
from isocenter.domain.worklist import ScheduledStepReference, StepState, WorklistQuery
from isocenter.ports.performed_steps import PerformedSteps
from isocenter.ports.worklist import Worklist
from tests.support.worklist_items import item, step

S1, S2 = ScheduledStepReference("1.2.1", "S1"), ScheduledStepReference("1.2.1", "S2")
IN_PROGRESS, COMPLETED, DISCONTINUED = PerformedStepState


def _step(number: int = 1, *, state: PerformedStepState = IN_PROGRESS) -> PerformedStep:
    return PerformedStep(f"1.9.{number}", state, b"content", (S1,), "CT1", 1000.0, 1000.0)


def _states(worklist: Worklist) -> list[str]:
    return [entry.state.value for entry in worklist.entries(worklist.find(WorklistQuery()))]


def test_a_step_is_given_back_as_it_was_kept(performed_steps: PerformedSteps) -> None:
    kept = replace(_step(), scheduled_steps=(S1, S2))
    assert performed_steps.create(kept)
    assert performed_steps.find("1.9.1") == kept
    assert performed_steps.find("1.9.2") is None


def test_a_uid_is_taken_once(performed_steps: PerformedSteps) -> None:
    assert performed_steps.create(_step())
    assert not performed_steps.create(replace(_step(), content=b"other"))
    found = performed_steps.find("1.9.1")
    assert found is not None
    assert found.content == b"content"


def test_a_revision_takes_the_place_of_the_one_that_it_knows(performed_steps: PerformedSteps) -> None:
    performed_steps.create(_step())
    changed = replace(_step(state=COMPLETED), content=b"changed", changed_at=2000.0, revision=2)
    assert not performed_steps.replace(changed, revision=2)
    assert performed_steps.replace(changed, revision=1)
    assert performed_steps.find("1.9.1") == changed
    assert not performed_steps.replace(replace(changed, content=b"late"), revision=1)
    assert performed_steps.find("1.9.1") == changed
    assert not performed_steps.replace(_step(2), revision=1)


def test_the_last_created_comes_first(performed_steps: PerformedSteps) -> None:
    for number in (1, 2, 3):
        performed_steps.create(_step(number))
    performed_steps.replace(replace(_step(1), revision=2), revision=1)
    assert [one.sop_instance_uid for one in performed_steps.recent(limit=2)] == ["1.9.3", "1.9.2"]
    assert performed_steps.recent(limit=0) == []


@pytest.mark.parametrize("state", list(PerformedStepState))
def test_scheduled_steps_follow_the_performed_one_that_names_them(
    performed_steps: PerformedSteps, worklist: Worklist, state: PerformedStepState
) -> None:
    worklist.add([item(1, step("S1"), step("S2")), item(2, step("S1"))], now=0.0)
    performed_steps.create(_step())
    assert _states(worklist) == ["IN PROGRESS", "SCHEDULED", "SCHEDULED"]
    performed_steps.replace(replace(_step(state=state), revision=2), revision=1)
    assert _states(worklist) == [state.value, "SCHEDULED", "SCHEDULED"]


def test_what_is_refused_marks_nothing(performed_steps: PerformedSteps, worklist: Worklist) -> None:
    worklist.add([item(1, step("S1"), step("S2"))], now=0.0)
    performed_steps.create(_step())
    performed_steps.create(replace(_step(), scheduled_steps=(S2,)))
    performed_steps.replace(replace(_step(state=COMPLETED), scheduled_steps=(S2,)), revision=7)
    assert _states(worklist) == ["IN PROGRESS", "SCHEDULED"]


def test_a_step_of_an_item_that_is_sent_again_keeps_its_state(
    performed_steps: PerformedSteps, worklist: Worklist
) -> None:
    worklist.add([item(1, step("S1"), step("S2"))], now=0.0)
    performed_steps.create(_step())
    worklist.add([item(1, step("S1"), step("S2"), PatientID="corrected")], now=1.0)
    assert _states(worklist) == ["IN PROGRESS", "SCHEDULED"]
    listed = WorklistQuery(states=frozenset(StepState) - {StepState.IN_PROGRESS})
    assert len(worklist.find(listed)) == 1
