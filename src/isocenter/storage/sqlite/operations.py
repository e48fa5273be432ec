"""Operations in SQLite."""

from __future__ import annotations

from collections.abc import Mapping

import apsw
import orjson

from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteOperations:
    """Keep operations in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def add(self, operation: Operation, *, is_only_one: bool = False) -> Operation | None:
        """Keep a new operation, unless it must be the only one of its type and is not."""
        return self._writer.transact(
            lambda connection: insert_operation(connection, self._queries, operation, is_only_one=is_only_one)
        )

    def replace(self, operation: Operation) -> None:
        """Keep an operation as it is now."""
        row = (
            operation.updated_at,
            operation.status.value,
            operation.percent_complete,
            operation.checkpoint,
            orjson.dumps(operation.resources).decode(),
            operation.results,
            operation.attempts,
            operation.operation_id,
        )
        self._writer.transact(lambda connection: connection.execute(self._queries["update_operation"], row))

    def set_paused(self, operation_id: str, *, is_paused: bool, now: float) -> bool:
        """Pause an open operation or let it go on."""

        def write(connection: apsw.Connection) -> bool:
            connection.execute(self._queries["pause_operation"], (int(is_paused), now, operation_id))
            return connection.changes() > 0

        return self._writer.transact(write)

    def find(self, operation_id: str) -> Operation | None:
        """Return an operation."""
        found = self._read("operation", operation_id)
        return found[0] if found else None

    def unfinished(self, *, limit: int) -> list[Operation]:
        """Return operations that have not ended, the oldest first."""
        return self._read("unfinished_operations", max(0, limit))

    def recent(self, *, limit: int) -> list[Operation]:
        """Return operations, the newest first."""
        return self._read("recent_operations", max(0, limit))

    def _read(self, name: str, *bindings: str | int) -> list[Operation]:
        with self._readers.connection() as connection:
            return [_operation(row) for row in fetch(connection, self._queries[name], bindings)]


def insert_operation(
    connection: apsw.Connection, queries: Mapping[str, str], operation: Operation, *, is_only_one: bool
) -> Operation | None:
    """Keep a new operation within the transaction of whoever begins it; return the open one that forbids it."""
    if is_only_one:
        others = fetch(connection, queries["open_operation_of_type"], (operation.type.value,))
        if others:
            return _operation(others[0])
    row = (
        operation.operation_id,
        operation.type.value,
        operation.created_at,
        operation.updated_at,
        operation.instructions,
        orjson.dumps(operation.resources).decode(),
        operation.status.value,
        operation.percent_complete,
        operation.checkpoint,
        operation.results,
        operation.attempts,
    )
    connection.execute(queries["insert_operation"], row)
    return None


def _operation(row: Row) -> Operation:
    identity, kind, created, updated, instructions, resources, status, is_paused, percent, checkpoint, *end = row
    results, attempts = end
    return Operation(
        operation_id=identity,
        type=OperationType(kind),
        created_at=created,
        updated_at=updated,
        instructions=instructions,
        status=OperationStatus(status),
        is_paused=bool(is_paused),
        percent_complete=percent,
        checkpoint=checkpoint,
        resources=tuple(orjson.loads(resources)),
        results=results,
        attempts=attempts,
    )
