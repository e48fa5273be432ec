"""Cursors of events in a dictionary."""

from __future__ import annotations

import threading

from isocenter.ports.event_cursors import EventCursor


class MemoryEventCursors:
    """Keep cursors in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, EventCursor] = {}

    def open(self, name: str, *, sequence: int, timestamp: float) -> EventCursor:
        """Return the cursor of a receiver; of a new one, begun behind that row."""
        with self._lock:
            return self._kept.setdefault(name, EventCursor(name, sequence, timestamp))

    def replace(self, cursor: EventCursor) -> None:
        """Keep a cursor as it is now."""
        with self._lock:
            self._kept[cursor.name] = cursor
