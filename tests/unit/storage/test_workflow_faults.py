"""Work list, performed steps and commitments when a transaction fails: all of it or nothing, and the next one works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.domain.commitment import (
    CommitmentRequest,
    CommitmentState,
    InstanceReference,
    NewCommitment,
    Side,
)
from isocenter.domain.errors import StorageFull
from isocenter.domain.performed_step import PerformedStep, PerformedStepState
from isocenter.domain.worklist import ScheduledStepReference, WorklistQuery
from isocenter.ports.failpoints import parse_failpoints
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.worklist_items import item, step

S1 = ScheduledStepReference("1.2.1", "S1")
STEP = PerformedStep("1.9.1", PerformedStepState.IN_PROGRESS, b"content", (S1,), "CT1", 1.0, 1.0)
REQUEST = CommitmentRequest("1.9", (InstanceReference("1.1", "2.1"),), 1)
NEW = NewCommitment(Side.PROVIDER, REQUEST, "CT1", "ISOCENTER", 1.0)


def _add(index: SqliteInstanceIndex) -> None:
    index.worklist.add([item(1, step("S1"), PatientID="changed"), item(2)], now=2.0)


def _remove(index: SqliteInstanceIndex) -> None:
    entries = index.worklist.entries(index.worklist.find(WorklistQuery()))
    index.worklist.remove([entry.item_key for entry in entries])


def _create(index: SqliteInstanceIndex) -> None:
    index.performed_steps.create(replace(STEP, sop_instance_uid="1.9.2", state=PerformedStepState.COMPLETED))


def _replace(index: SqliteInstanceIndex) -> None:
    index.performed_steps.replace(replace(STEP, state=PerformedStepState.COMPLETED, revision=2), revision=1)


def _open(index: SqliteInstanceIndex) -> None:
    index.commitments.open(replace(NEW, request=replace(REQUEST, transaction_uid="1.8")), due_at=1.0)


def _check(index: SqliteInstanceIndex) -> None:
    kept = index.commitments.find(Side.PROVIDER, "1.9")
    assert kept is not None
    index.commitments.replace(replace(kept, state=CommitmentState.CHECKED))


def _entries(index: SqliteInstanceIndex) -> list[object]:
    entries: list[object] = list(index.worklist.entries(index.worklist.find(WorklistQuery())))
    return entries


def _all(index: SqliteInstanceIndex) -> list[object]:
    return [*_entries(index), *index.performed_steps.recent(limit=9), *index.commitments.recent(limit=9)]


@pytest.mark.parametrize("failpoint", ["index.before_begin", "index.before_commit"])
@pytest.mark.parametrize("change", [_add, _remove, _create, _replace, _open, _check])
def test_a_change_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, failpoint: str, change: Callable[[SqliteInstanceIndex], None]
) -> None:
    path = tmp_path / "index.sqlite"
    with SqliteInstanceIndex(path) as index:
        index.worklist.add([item(1, step("S1"))], now=1.0)
        index.performed_steps.create(STEP)
        index.commitments.open(NEW, due_at=1.0)
        before = _all(index)
    failpoints = parse_failpoints(f"{failpoint}=raise:StorageFull@1")
    with SqliteInstanceIndex(path, failpoints=failpoints) as index:
        with pytest.raises(StorageFull):
            change(index)
        assert _all(index) == before
        change(index)
        after = _all(index)
        assert after != before
    with SqliteInstanceIndex(path) as index:
        assert _all(index) == after


def test_two_processes_may_write(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with SqliteInstanceIndex(path) as node, SqliteInstanceIndex(path) as command:
        node.worklist.add([item(1, step("S1"))], now=1.0)
        (addition,) = command.worklist.add([item(2)], now=1.0)
        assert node.worklist.count() == 2
        node.performed_steps.create(STEP)
        assert [entry.state.value for entry in command.worklist.entries(command.worklist.find(WorklistQuery()))] == [
            "IN PROGRESS",
            "SCHEDULED",
        ]
        assert command.worklist.remove([addition.item_key]) == 1
        assert node.worklist.count() == 1
