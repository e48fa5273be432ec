"""Operations run step by step, and go on where they were: after a pause, a failure that passes, a new start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
import pytest
from structlog.testing import capture_logs

from isocenter.archive.operations import OperationDesk, OperationRunner, Outcome, Step
from isocenter.domain.errors import Broken, Forbidden, InvalidRequest, NotFound, StorageFull
from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.storage.memory import MemoryOperations
from tests.support.memory_archive import FakeClock

TIMEOUT_S = 30
STEPS = 4


@dataclass
class Counting:
    """Count from the checkpoint to the end, a number a step; a test says when each step may happen."""

    type: OperationType = OperationType.REINDEX
    counted: list[int] = field(default_factory=list)
    before_step: Callable[[int], None] = lambda number: None
    closed: threading.Event = field(default_factory=threading.Event)

    def run(self, operation: Operation) -> Generator[Step, None, Outcome]:
        first = (orjson.loads(operation.checkpoint) or 0) + 1
        try:
            for number in range(first, STEPS + 1):
                self.before_step(number)
                self.counted.append(number)
                yield Step(str(number).encode(), number * 100 // STEPS - 1)
        finally:
            self.closed.set()
        return Outcome(OperationStatus.SUCCEEDED, b'{"steps":4}')


class Kept(MemoryOperations):
    """Operations, and a way to wait for what becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def replace(self, operation: Operation) -> None:
        super().replace(operation)
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, operation_id: str, holds: Callable[[Operation], bool]) -> Operation:
        def current() -> Operation:
            found = self.find(operation_id)
            assert found is not None
            return found

        with self._changed:
            assert self._changed.wait_for(lambda: holds(current()), TIMEOUT_S), current()
        return current()


def _has_ended(operation: Operation) -> bool:
    return operation.status.is_final


@contextmanager
def _running(kept: Kept, *kinds: Counting) -> Iterator[OperationDesk]:
    clock = FakeClock()
    runner = OperationRunner(kept, clock, kinds)
    try:
        yield OperationDesk(kept, runner, clock)
    finally:
        runner.close()


def test_an_operation_runs_to_its_end() -> None:
    kept, kind = Kept(), Counting()
    with _running(kept, kind) as desk:
        started = desk.start(OperationType.REINDEX, b"{}", resources=["extendedquerytags/00101010"])
        ended = kept.wait_for(started.operation.operation_id, _has_ended)
    assert (ended.status, ended.percent_complete, ended.results) == (OperationStatus.SUCCEEDED, 100, b'{"steps":4}')
    assert kind.counted == [1, 2, 3, 4]
    assert len(ended.operation_id) == 32


def test_a_second_one_of_a_type_is_told_which_is_under_way() -> None:
    kept, may_go_on = Kept(), threading.Event()
    with _running(kept, Counting(before_step=lambda number: _wait(may_go_on))) as desk:
        first = desk.start(OperationType.REINDEX, b"{}", is_only_one=True)
        second = desk.start(OperationType.REINDEX, b"{}", is_only_one=True)
        assert not second.is_new
        assert second.operation.operation_id == first.operation.operation_id
        may_go_on.set()
        kept.wait_for(first.operation.operation_id, _has_ended)
        assert desk.start(OperationType.REINDEX, b"{}", is_only_one=True).is_new


def _wait(event: threading.Event) -> None:
    assert event.wait(TIMEOUT_S)


def test_a_pause_holds_after_the_step_under_way_and_then_it_goes_on() -> None:
    kept, may_go_on, is_in_second = Kept(), threading.Event(), threading.Event()

    def before_step(number: int) -> None:
        if number == 2 and not may_go_on.is_set():
            is_in_second.set()
            _wait(may_go_on)

    kind = Counting(before_step=before_step)
    with _running(kept, kind) as desk:
        operation_id = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
        _wait(is_in_second)
        assert desk.set_paused(LOCAL_OWNER, operation_id, is_paused=True).is_paused
        may_go_on.set()
        _wait(kind.closed)
        paused = desk.find(LOCAL_OWNER, operation_id)
        assert (paused.checkpoint, paused.status) == (b"2", OperationStatus.RUNNING)
        desk.set_paused(LOCAL_OWNER, operation_id, is_paused=False)
        kept.wait_for(operation_id, _has_ended)
    assert kind.counted == [1, 2, 3, 4]


def test_a_new_process_goes_on_at_the_last_step_that_was_kept() -> None:
    kept, is_in_third, stop = Kept(), threading.Event(), threading.Event()

    def before_step(number: int) -> None:
        if number == 3:
            is_in_third.set()
            _wait(stop)
            raise StorageFull

    with capture_logs():
        with _running(kept, Counting(before_step=before_step)) as desk:
            operation_id = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
            _wait(is_in_third)
            closing = threading.Thread(target=desk.runner.close)
            closing.start()
            stop.set()
            closing.join(TIMEOUT_S)
        again = Counting()
        with _running(kept, again):
            kept.wait_for(operation_id, _has_ended)
    assert again.counted == [3, 4]


def test_what_may_pass_is_tried_again() -> None:
    kept = Kept()
    failures = iter([True])

    def before_step(number: int) -> None:
        if number == 2 and next(failures, False):
            raise StorageFull

    kind = Counting(before_step=before_step)
    with capture_logs(), _running(kept, kind) as desk:
        operation_id = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
        ended = kept.wait_for(operation_id, _has_ended)
    assert (ended.status, ended.attempts, kind.counted) == (OperationStatus.SUCCEEDED, 0, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidRequest("No such container."), "No such container."),
        (RuntimeError("secret"), Broken().message),
    ],
)
def test_what_cannot_pass_ends_it_and_the_next_one_runs(error: Exception, told: str) -> None:
    kept = Kept()
    failures = iter([error])

    def before_step(number: int) -> None:
        for failure in failures:
            raise failure

    with capture_logs(), _running(kept, Counting(before_step=before_step)) as desk:
        failed = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
        following = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
        ended = kept.wait_for(failed, _has_ended)
        assert ended.status is OperationStatus.FAILED
        assert orjson.loads(ended.results) == {"errors": [told]}
        assert kept.wait_for(following, _has_ended).status is OperationStatus.SUCCEEDED


def test_types_do_not_wait_for_each_other() -> None:
    kept, may_go_on = Kept(), threading.Event()
    slow = Counting(OperationType.EXPORT, before_step=lambda number: _wait(may_go_on))
    with _running(kept, slow, Counting()) as desk:
        export_id = desk.start(OperationType.EXPORT, b"{}").operation.operation_id
        reindex_id = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
        kept.wait_for(reindex_id, _has_ended)
        may_go_on.set()
        kept.wait_for(export_id, _has_ended)


def test_who_may_not_read_is_told_nothing_and_a_reader_cannot_pause() -> None:
    kept = Kept()
    with _running(kept) as desk:
        operation_id = desk.start(OperationType.REINDEX, b"{}").operation.operation_id
        reader = Principal("reader", READER_ACTIONS)
        assert desk.find(reader, operation_id).operation_id == operation_id
        with pytest.raises(Forbidden):
            desk.set_paused(reader, operation_id, is_paused=True)
        with pytest.raises(Forbidden):
            desk.find(Principal("nobody", frozenset()), operation_id)
        with pytest.raises(NotFound):
            desk.find(LOCAL_OWNER, "0" * 32)
        with pytest.raises(NotFound):
            desk.set_paused(LOCAL_OWNER, "0" * 32, is_paused=True)
