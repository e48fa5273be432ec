from __future__ import annotations

import pytest

from isocenter.domain.values import Values
from isocenter.domain.worklist import (
    LISTED_STATES,
    LeavesWhen,
    ScheduledStepReference,
    StepState,
    WorklistEntry,
    identity_of,
    number_of_steps,
    references_of,
    start_of,
)


def _item(*step_ids: str, study: str = "1.2", procedure: str = "RP", accession: str = "A") -> Values:
    named = {"0020000D": study, "00401001": procedure, "00080050": accession}
    steps = [{"00400009": [step_id]} if step_id else {} for step_id in step_ids]
    return {key: [text] for key, text in named.items() if text} | ({"00400100": steps} if steps else {})


def test_an_item_is_known_by_study_procedure_and_steps() -> None:
    assert identity_of(_item("S1", "S2"), digest="d") == "1.2\\RP\\A\\S1\\S2"
    assert identity_of(_item("S1", study=""), digest="d") == "\\RP\\A\\S1"


@pytest.mark.parametrize("item", [_item(), _item("S1", ""), _item("S1", study="", procedure="", accession="")])
def test_an_item_that_names_too_little_is_known_by_its_bytes(item: Values) -> None:
    assert identity_of(item, digest="d") == "bytes d"


def test_an_item_makes_an_entry_for_each_step_and_one_without_any() -> None:
    assert number_of_steps(_item("S1", "S2")) == 2
    assert number_of_steps(_item()) == 1


def test_a_step_can_be_named_by_study_and_id() -> None:
    assert references_of(_item("S1", "")) == [ScheduledStepReference("1.2", "S1"), None]
    assert references_of(_item("S1", study="")) == [None]
    assert references_of(_item()) == [None]


def test_an_entry_shows_its_own_step() -> None:
    entry = WorklistEntry(1, 1, 1, StepState.SCHEDULED, b"", "", _item("S1", "S2"), 0.0, "test")
    assert entry.step_values == {"00400009": ["S2"]}
    assert WorklistEntry(1, 1, 0, StepState.SCHEDULED, b"", "", {}, 0.0, "test").step_values == {}


def test_a_step_starts_on_a_day_at_a_time() -> None:
    assert start_of({"00400002": ["20240102"], "00400003": ["1030"]}) == ("20240102", "1030")
    assert start_of({}) == ("", "")


def test_a_discontinued_step_is_still_to_be_done() -> None:
    assert all(StepState.DISCONTINUED in states for states in LISTED_STATES.values())
    assert StepState.IN_PROGRESS not in LISTED_STATES[LeavesWhen.STARTED]
    assert StepState.COMPLETED not in LISTED_STATES[LeavesWhen.COMPLETED]
    assert LISTED_STATES[LeavesWhen.NEVER] == frozenset(StepState)
