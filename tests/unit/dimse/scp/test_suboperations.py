"""Counters of sub-operations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.scp.suboperations import Outcome, SubOperations, outcome_of


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0000, Outcome.COMPLETED),
        (0xB000, Outcome.WARNING),
        (0xB007, Outcome.WARNING),
        (0x0111, Outcome.WARNING),
        (0xA700, Outcome.FAILED),
        (0xA900, Outcome.FAILED),
        (0xC000, Outcome.FAILED),
        (0x0122, Outcome.FAILED),
        (0xFE00, Outcome.FAILED),
    ],
)
def test_the_status_of_a_store_says_how_its_sub_operation_ended(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


@given(outcomes=st.lists(st.sampled_from(Outcome), max_size=40), more=st.integers(0, 5))
def test_the_counters_always_add_up(outcomes: list[Outcome], more: int) -> None:
    operations = SubOperations(len(outcomes) + more)
    for number, outcome in enumerate(outcomes):
        operations.count(outcome, f"1.2.{number}")
        counters = operations.counters(0xFF00)
        assert sum(value or 0 for value in counters.values()) == operations.total
    assert len(operations.failed_sop_instance_uids) == outcomes.count(Outcome.FAILED)
    final = operations.final_status(is_cancelled=False)
    counters = operations.counters(final)
    assert counters["number_of_remaining_suboperations"] is None


@pytest.mark.parametrize(
    ("completed", "warning", "failed", "remaining", "is_cancelled", "status"),
    [
        (0, 0, 0, 0, False, 0x0000),
        (3, 0, 0, 0, False, 0x0000),
        (2, 1, 0, 0, False, 0xB000),
        (2, 0, 1, 0, False, 0xB000),
        (0, 0, 3, 0, False, 0xA702),
        (0, 1, 2, 0, False, 0xB000),
        (1, 0, 0, 2, True, 0xFE00),
        (3, 0, 0, 0, True, 0x0000),
    ],
)
def test_the_final_status_follows_from_the_counters(
    completed: int, warning: int, failed: int, remaining: int, is_cancelled: bool, status: int
) -> None:
    operations = SubOperations(completed + warning + failed + remaining)
    operations.completed, operations.warning = completed, warning
    operations.failed_sop_instance_uids = ["1.2"] * failed
    assert operations.final_status(is_cancelled=is_cancelled) == status
    shown = operations.counters(status)["number_of_remaining_suboperations"]
    assert shown == (remaining if status == 0xFE00 else None)
