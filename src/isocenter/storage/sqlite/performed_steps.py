"""Performed steps in SQLite, committed together with the state of the scheduled steps that they name."""

from __future__ import annotations

from collections.abc import Mapping

import apsw
import orjson

from isocenter.domain.performed_step import SCHEDULED_STATES, PerformedStep, PerformedStepState
from isocenter.domain.worklist import ScheduledStepReference
from isocenter.ports.step_messages import NewStepMessage
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.step_messages import insert_message
from isocenter.storage.sqlite.worklist import mark_steps
from isocenter.storage.sqlite.writer import IndexWriter


class SqlitePerformedSteps:
    """Keep performed steps in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def create(self, step: PerformedStep, *, message: NewStepMessage | None = None) -> bool:
        """Keep a new step and mark the scheduled ones that it names; return False where its UID is in use."""
        row = (
            step.sop_instance_uid,
            step.state.value,
            step.ae_title,
            step.created_at,
            step.changed_at,
            step.revision,
            _named(step),
            step.content,
        )
        return self._transact("insert_performed_step", row, step, message)

    def replace(self, step: PerformedStep, *, revision: int, message: NewStepMessage | None = None) -> bool:
        """Keep a step in the place of its earlier revision and mark the scheduled ones that it names."""
        row = (
            step.state.value,
            step.changed_at,
            step.revision,
            _named(step),
            step.content,
            step.sop_instance_uid,
            revision,
        )
        return self._transact("update_performed_step", row, step, message)

    def _transact(
        self, name: str, row: tuple[str | int | float | bytes, ...], step: PerformedStep, message: NewStepMessage | None
    ) -> bool:
        def write(connection: apsw.Connection) -> bool:
            connection.execute(self._queries[name], row)
            if not connection.changes():
                return False
            if message is not None:
                insert_message(connection, self._queries, message, step.sop_instance_uid, now=step.changed_at)
            mark_steps(connection, self._queries, step.scheduled_steps, SCHEDULED_STATES[step.state])
            return True

        return self._writer.transact(write)

    def find(self, sop_instance_uid: str) -> PerformedStep | None:
        """Return a step by its UID."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["performed_step"], (sop_instance_uid,))
        return _step(rows[0]) if rows else None

    def changed_since(self, timestamp: float, *, limit: int) -> list[PerformedStep]:
        """Return steps that changed at or after a time, in the order of their changes."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["performed_steps_changed_since"], (timestamp, limit))
        return [_step(row) for row in rows]

    def recent(self, *, limit: int) -> list[PerformedStep]:
        """Return steps, the one that was created last first."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["recent_performed_steps"], (max(0, limit),))
        return [_step(row) for row in rows]


def _named(step: PerformedStep) -> str:
    pairs = [(one.study_instance_uid, one.scheduled_procedure_step_id) for one in step.scheduled_steps]
    return orjson.dumps(pairs).decode()


def _step(row: Row) -> PerformedStep:
    uid, state, content, named, *others = row
    references = tuple(ScheduledStepReference(study, step_id) for study, step_id in orjson.loads(named))
    return PerformedStep(uid, PerformedStepState(state), content, references, *others)
