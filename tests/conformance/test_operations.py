"""What every store of operations does."""

from __future__ import annotations

from dataclasses import replace

from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.ports.operations import Operations


def _operation(number: int, kind: OperationType = OperationType.REINDEX) -> Operation:
    return Operation(f"{number:032x}", kind, 1.5, 1.5, b'{"do": 1}', resources=("extendedquerytags/00101010",))


def test_an_operation_is_found_as_it_was_kept(operations: Operations) -> None:
    kept = _operation(1)
    assert operations.add(kept) is None
    assert operations.find(kept.operation_id) == kept
    assert operations.find(f"{2:032x}") is None


def test_progress_and_end_are_kept(operations: Operations) -> None:
    operations.add(_operation(1))
    running = _operation(1).advanced(now=2.0, checkpoint=b"[7]", percent_complete=40)
    operations.replace(running)
    assert operations.find(running.operation_id) == running
    ended = running.ended(OperationStatus.SUCCEEDED, now=3.0, results=b'{"n": 1}')
    operations.replace(ended)
    found = operations.find(running.operation_id)
    assert found == ended
    assert found.percent_complete == 100


def test_only_one_of_a_type_may_be_open_where_that_is_asked(operations: Operations) -> None:
    first, second = _operation(1), _operation(2)
    assert operations.add(first, is_only_one=True) is None
    assert operations.add(_operation(3, OperationType.EXPORT), is_only_one=True) is None
    assert operations.add(second, is_only_one=True) == first
    assert operations.find(second.operation_id) is None
    operations.replace(first.ended(OperationStatus.FAILED, now=2.0, results=b"null"))
    assert operations.add(second, is_only_one=True) is None


def test_what_has_not_ended_comes_oldest_first_and_all_newest_first(operations: Operations) -> None:
    for number in (1, 2, 3):
        operations.add(_operation(number))
    operations.replace(_operation(2).ended(OperationStatus.CANCELED, now=2.0, results=b"null"))
    assert [int(one.operation_id, 16) for one in operations.unfinished(limit=10)] == [1, 3]
    assert [int(one.operation_id, 16) for one in operations.unfinished(limit=1)] == [1]
    assert [int(one.operation_id, 16) for one in operations.recent(limit=2)] == [3, 2]


def test_a_pause_holds_whatever_a_step_writes_that_was_under_way(operations: Operations) -> None:
    operation = _operation(1)
    operations.add(operation)
    assert operations.set_paused(operation.operation_id, is_paused=True, now=2.0)
    operations.replace(operation.advanced(now=3.0, checkpoint=b"1", percent_complete=None))
    found = operations.find(operation.operation_id)
    assert found is not None
    assert found.is_paused
    assert operations.set_paused(operation.operation_id, is_paused=False, now=4.0)
    assert operations.unfinished(limit=1)[0].is_paused is False


def test_what_has_ended_or_was_never_there_cannot_be_paused(operations: Operations) -> None:
    operation = _operation(1)
    assert not operations.set_paused(operation.operation_id, is_paused=True, now=2.0)
    operations.add(replace(operation, status=OperationStatus.SUCCEEDED))
    assert not operations.set_paused(operation.operation_id, is_paused=True, now=2.0)
