"""Carry out operations: long work in small steps, each of which is kept, so that a pause or a kill loses one step.

    start_operation ──▶ kept ──▶ its kind's thread: step ──▶ kept ──▶ step ──▶ kept … ──▶ end, kept

Each kind of operation has a thread of its own, so that a slow export does not hold up a reindex; operations of one kind
follow each other. What fails in a way that may pass is tried again from the last step that was kept.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson
import structlog

from isocenter.domain.errors import Broken, InvalidRequest, IsocenterError, NotFound, Unavailable
from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.clock import Clock
from isocenter.ports.operations import Operations

_log = structlog.get_logger()

ATTEMPTS_MAX = 12
"""With the waits below some ten minutes of a store or a peer that does not answer."""
WAIT_MAX_S = 120.0
POLL_S = 5.0
"""How long until a thread looks again for what another process has added, or let go on."""
OPERATIONS_DISABLED = "Asynchronous operations are temporarily disabled. Please try again later."
QUEUE_LOOK_MAX = 1000
"""So many unfinished operations are looked at for one that is not paused."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step leaves behind: where to go on, as JSON, and how much is done, 0 to 100, None where nobody knows."""

    checkpoint: bytes
    percent_complete: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended, with its results as JSON."""

    status: OperationStatus
    results: bytes = b"null"


@dataclass(slots=True)
class WorkCounts:
    """What operations did to instances since the start of the process."""

    updated: int = 0
    exported: int = 0


class OperationKind(Protocol):
    """What carries out the operations of one type."""

    @property
    def type(self) -> OperationType:
        """Return the type."""
        ...

    def run(self, operation: Operation) -> Generator[Step, None, Outcome]:
        """Go on at the checkpoint of an operation: yield after each step, return the outcome.

        Closed in between where it is paused or the node stops. Raises Unavailable where it is to be tried again, any
        other IsocenterError where it has failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """An operation that was asked for; with `is_new` False, another of its type that is under way instead."""

    operation: Operation
    is_new: bool = True


class OperationRunner:
    """Run the operations that are kept, those of an earlier process too."""

    def __init__(self, operations: Operations, clock: Clock, kinds: Sequence[OperationKind] = ()) -> None:
        self._operations = operations
        self._clock = clock
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._changes = 0
        self._threads = [
            threading.Thread(target=self._work, args=(kind,), name=f"{kind.type}-operations", daemon=True)
            for kind in kinds
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after the step that is under way."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def wake(self) -> None:
        """Look for work at once."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _work(self, kind: OperationKind) -> None:
        while not self._stop.is_set():
            seen = self._changes
            try:
                operation = self._next(kind.type)
                if operation is not None:
                    self._run(kind, operation)
                    continue
            except IsocenterError as error:
                _log.error("operations.failed", type=kind.type.value, reason=error.message)
            except Exception:  # the outermost loop of a thread: one broken operation must not end the others
                _log.exception("operations.broken", type=kind.type.value)
            self._wait(seen, POLL_S)

    def _next(self, kind: OperationType) -> Operation | None:
        unfinished = self._operations.unfinished(limit=QUEUE_LOOK_MAX)
        return next((one for one in unfinished if one.type is kind and not one.is_paused), None)

    def _wait(self, seen: int, timeout_s: float) -> None:
        with self._changed:
            if not self._stop.is_set():
                self._changed.wait_for(lambda: self._stop.is_set() or self._changes != seen, timeout_s)

    def _run(self, kind: OperationKind, operation: Operation) -> None:
        log = _log.bind(operation_id=operation.operation_id, type=kind.type.value)
        try:
            self._run_steps(kind, operation)
        except Unavailable as error:
            current = self._current(operation)
            log.warning("operation.interrupted", reason=error.message, attempt=current.attempts + 1)
            self._put_off(current, error)
        except IsocenterError as error:
            log.error("operation.failed", reason=error.message)
            self._fail(self._current(operation), error)
        except Exception:  # a fault of ours: the operation ends, its thread goes on with the next
            log.exception("operation.broken")
            self._fail(self._current(operation), Broken())

    def _run_steps(self, kind: OperationKind, operation: Operation) -> None:
        steps = kind.run(operation)
        try:
            while not self._stop.is_set() and not self._current(operation).is_paused:
                try:
                    step = next(steps)
                except StopIteration as end:
                    outcome: Outcome = end.value
                    ended = operation.ended(outcome.status, now=self._now(), results=outcome.results)
                    self._operations.replace(ended)
                    return
                operation = operation.advanced(
                    now=self._now(), checkpoint=step.checkpoint, percent_complete=step.percent_complete
                )
                self._operations.replace(operation)
        finally:
            steps.close()

    def _put_off(self, operation: Operation, error: Unavailable) -> None:
        attempts = operation.attempts + 1
        if attempts >= ATTEMPTS_MAX:
            self._fail(operation, error)
            return
        self._operations.replace(replace(operation, attempts=attempts, updated_at=self._now()))
        self._stop.wait(min(WAIT_MAX_S, 2.0**attempts / 2))

    def _fail(self, operation: Operation, error: IsocenterError) -> None:
        results = orjson.dumps({"errors": [error.message]})
        self._operations.replace(operation.ended(OperationStatus.FAILED, now=self._now(), results=results))

    def _current(self, operation: Operation) -> Operation:
        return self._operations.find(operation.operation_id) or operation

    def _now(self) -> float:
        return self._clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class OperationDesk:
    """Where operations are handed in and asked about."""

    operations: Operations
    runner: OperationRunner
    clock: Clock
    is_open: bool = True
    """Whether operations may be begun at all; those that were go on."""

    def require_open(self) -> None:
        """Raise InvalidRequest where none may be begun (dicom-service 7.2)."""
        if not self.is_open:
            raise InvalidRequest(OPERATIONS_DISABLED)

    def new_id(self) -> str:
        """Return an identifier for an operation that is about to be started."""
        return secrets.token_hex(16)

    def start(
        self,
        kind: OperationType,
        instructions: bytes,
        *,
        resources: Sequence[str] = (),
        is_only_one: bool = False,
        operation_id: str | None = None,
    ) -> Started:
        """Keep an operation and have it begin; with `is_only_one`, unless one of its type is under way.

        Raises InvalidRequest where none may be begun.
        """
        self.require_open()
        now = self.clock.now().timestamp()
        identity = operation_id or self.new_id()
        operation = Operation(identity, kind, now, now, instructions, resources=tuple(resources))
        active = self.operations.add(operation, is_only_one=is_only_one)
        if active is not None:
            return Started(active, is_new=False)
        self.runner.wake()
        return Started(operation)

    def find(self, principal: Principal, operation_id: str) -> Operation:
        """Return an operation. Raises NotFound, Forbidden."""
        principal.require(DataAction.READ)
        operation = self.operations.find(operation_id)
        if operation is None:
            raise NotFound("The specified operation cannot be found.")
        return operation

    def set_paused(self, principal: Principal, operation_id: str, *, is_paused: bool) -> Operation:
        """Pause an operation after the step that is under way, or let it go on.

        Raises NotFound where there is none that has not ended, Forbidden.
        """
        principal.require(DataAction.MANAGE_EXTENDED_QUERY_TAGS)
        now = self.clock.now().timestamp()
        if not self.operations.set_paused(operation_id, is_paused=is_paused, now=now):
            raise NotFound("The specified operation cannot be found, or has ended.")
        self.runner.wake()
        return self.find(principal, operation_id)
