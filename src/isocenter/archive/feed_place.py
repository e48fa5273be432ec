"""Where a reader of the change feed goes on after the index was rebuilt: the feed has new numbers and times then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.index import TIMESTAMP_DIGITS, InstanceIndex

PAGE_ROWS = 500
"""Rows that are read at once; some 300 KB."""


def find_place(index: InstanceIndex, cursor: EventCursor, *, is_stopping: Callable[[], bool]) -> EventCursor:
    """Return a cursor of the feed as it is now, before the first instance that came after the old one.

    A rebuilt feed tells of what is there in the order in which it came. Where it is to stop, the old one returns.
    """
    after = 0
    while rows := index.changes(after=after, limit=PAGE_ROWS):
        for row in rows:
            stored = None if row.instance_key is None else index.instance(row.instance_key)
            if stored is None or round(stored.received_at, TIMESTAMP_DIGITS) > cursor.timestamp:
                return replace(cursor, sequence=row.sequence - 1, is_of_older_feed=False)
        after = rows[-1].sequence
        if is_stopping():
            return cursor
    return replace(cursor, sequence=after, is_of_older_feed=False)
