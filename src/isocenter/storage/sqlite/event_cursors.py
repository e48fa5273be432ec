"""Cursors of events in SQLite, in the file of the feed that they point into."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from isocenter.ports.event_cursors import EventCursor
from isocenter.storage.sqlite.connections import fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteEventCursors:
    """Keep cursors in the file of the index."""

    def __init__(self, writer: IndexWriter, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._queries = queries

    def open(self, name: str, *, sequence: int, timestamp: float) -> EventCursor:
        """Return the cursor of a receiver; of a new one, begun behind that row."""

        def write(connection: apsw.Connection) -> EventCursor:
            connection.execute(self._queries["insert_event_cursor"], (name, sequence, timestamp))
            [(kept_sequence, kept_timestamp, is_older)] = fetch(connection, self._queries["event_cursor"], (name,))
            return EventCursor(name, kept_sequence, kept_timestamp, bool(is_older))

        return self._writer.transact(write)

    def replace(self, cursor: EventCursor) -> None:
        """Keep a cursor as it is now."""
        row = (cursor.sequence, cursor.timestamp, int(cursor.is_of_older_feed), cursor.name)
        self._writer.transact(lambda connection: connection.execute(self._queries["update_event_cursor"], row))
