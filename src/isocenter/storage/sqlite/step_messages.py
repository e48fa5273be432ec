"""Messages on performed steps in SQLite, kept in the commit of their step."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from isocenter.ports.step_messages import MessageState, NewStepMessage, StepMessage, StepOperation
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteStepMessages:
    """Keep messages in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def due(self, *, now: float, limit: int) -> list[StepMessage]:
        """Return the first waiting message of each step, where its time has come, in the order of their receipt."""
        return self._read("due_step_messages", (now, limit))

    def replace(self, message: StepMessage) -> None:
        """Keep a message as it is now."""
        row = (
            message.state.value,
            message.next_at,
            message.attempts,
            message.problem,
            message.finished_at,
            message.message_key,
        )
        self._writer.transact(lambda connection: connection.execute(self._queries["update_step_message"], row))

    def recent(self, *, limit: int) -> list[StepMessage]:
        """Return messages, the last one first."""
        return self._read("recent_step_messages", (limit,))

    def count_waiting(self) -> int:
        """Return how many wait."""
        with self._readers.connection() as connection:
            return int(connection.execute(self._queries["count_waiting_step_messages"]).get)

    def forget(self, *, before: float) -> int:
        """Drop messages that were done with before; return how many went."""

        def write(connection: apsw.Connection) -> int:
            connection.execute(self._queries["forget_step_messages"], (before,))
            return connection.changes()

        return self._writer.transact(write)

    def _read(self, name: str, bindings: tuple[float, ...]) -> list[StepMessage]:
        with self._readers.connection() as connection:
            return [_message(row) for row in fetch(connection, self._queries[name], bindings)]


def insert_message(
    connection: apsw.Connection, queries: Mapping[str, str], new: NewStepMessage, sop_instance_uid: str, *, now: float
) -> None:
    """Keep a message within the transaction of its step; `queries` are those of this module."""
    row = (sop_instance_uid, new.operation.value, new.destination, new.content, now, now)
    connection.execute(queries["insert_step_message"], row)


def _message(row: Row) -> StepMessage:
    message_key, uid, operation, destination, content, state, *others = row
    return StepMessage(message_key, uid, StepOperation(operation), destination, content, MessageState(state), *others)
