from __future__ import annotations

from typing import Any

import pytest

from isocenter.domain.errors import InvalidAttributeValue, MissingAttribute, MissingAttributeValue, StepFinished
from isocenter.domain.performed_step import (
    REQUIRED_AT_CREATION,
    SCHEDULED_STATES,
    STATUS,
    PerformedStepState,
    next_state,
    require_creatable,
    scheduled_steps_of,
)
from isocenter.domain.worklist import ScheduledStepReference

IN_PROGRESS, COMPLETED, DISCONTINUED = PerformedStepState
FIRST_STATUS = "00400252"


def _attributes(**changed: Any) -> dict[str, Any]:
    values: dict[str, Any] = {f"{tag:08X}": ["x"] for tag in REQUIRED_AT_CREATION}
    values["00400270"] = [{"0020000D": ["1.2"], "00400009": ["S1"]}]
    values |= {FIRST_STATUS: ["IN PROGRESS"], "00400244": ["20240705"], "00400245": ["1015"]}
    return values | {name.removeprefix("t"): value for name, value in changed.items()}


def test_a_step_with_all_that_it_needs_can_be_created() -> None:
    require_creatable(_attributes())


@pytest.mark.parametrize("tag", sorted(REQUIRED_AT_CREATION))
def test_each_required_attribute_must_be_there(tag: int) -> None:
    values = _attributes()
    del values[f"{tag:08X}"]
    with pytest.raises(MissingAttribute, match=REQUIRED_AT_CREATION[tag]) as caught:
        require_creatable(values)
    assert caught.value.tags == (tag,)
    assert caught.value.without_frames().tags == (tag,)


@pytest.mark.parametrize("tag", sorted(REQUIRED_AT_CREATION))
def test_each_required_attribute_must_have_a_value(tag: int) -> None:
    with pytest.raises(MissingAttributeValue) as caught:
        require_creatable(_attributes() | {f"{tag:08X}": []})
    assert caught.value.tags == (tag,)


def test_every_scheduled_step_names_its_study() -> None:
    with pytest.raises(MissingAttribute, match="StudyInstanceUID"):
        require_creatable(_attributes(t00400270=[{"0020000D": ["1.2"]}, {"00400009": ["S1"]}]))


@pytest.mark.parametrize("text", ["COMPLETED", "DISCONTINUED", "in progress", "SCHEDULED"])
def test_a_step_is_created_in_progress(text: str) -> None:
    with pytest.raises(InvalidAttributeValue) as caught:
        require_creatable(_attributes(t00400252=[text]))
    assert caught.value.tags == (STATUS,)


@pytest.mark.parametrize(("tag", "text"), [("00400244", "today"), ("00400245", "noon"), ("00400250", "20240230")])
def test_dates_and_times_of_the_step_are_readable(tag: str, text: str) -> None:
    with pytest.raises(InvalidAttributeValue) as caught:
        require_creatable(_attributes() | {tag: [text]})
    assert caught.value.tags == (int(tag, 16),)
    with pytest.raises(InvalidAttributeValue):
        next_state(IN_PROGRESS, {tag: [text]})


# PS3.4 table F.1-4, written out a second time.
TABLE: dict[tuple[PerformedStepState, str | None], PerformedStepState | type[Exception]] = {
    (IN_PROGRESS, None): IN_PROGRESS,
    (IN_PROGRESS, "IN PROGRESS"): IN_PROGRESS,
    (IN_PROGRESS, "COMPLETED"): COMPLETED,
    (IN_PROGRESS, "DISCONTINUED"): DISCONTINUED,
    (IN_PROGRESS, "SCHEDULED"): InvalidAttributeValue,
    (IN_PROGRESS, ""): IN_PROGRESS,
    **dict.fromkeys(
        ((state, text) for state in (COMPLETED, DISCONTINUED) for text in (None, "IN PROGRESS", "COMPLETED", "x")),
        StepFinished,
    ),
}


@pytest.mark.parametrize(("state", "text"), list(TABLE))
def test_every_state_and_change_has_its_outcome(state: PerformedStepState, text: str | None) -> None:
    changes = {} if text is None else {FIRST_STATUS: [text] if text else []}
    expected = TABLE[state, text]
    if isinstance(expected, PerformedStepState):
        assert next_state(state, changes) is expected
    else:
        with pytest.raises(expected):
            next_state(state, changes)


def test_every_state_says_what_becomes_of_the_scheduled_steps() -> None:
    assert {state.value: after.value for state, after in SCHEDULED_STATES.items()} == {
        state.value: state.value for state in PerformedStepState
    }


def test_scheduled_steps_are_those_with_a_study_and_an_id_each_once() -> None:
    step = {"0020000D": ["1.2"], "00400009": ["S1"]}
    values = {"00400270": [step, step, {"0020000D": ["1.2"]}, {"00400009": ["S2"]}]}
    assert scheduled_steps_of(values) == (ScheduledStepReference("1.2", "S1"),)
