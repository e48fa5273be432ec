"""How far each receiver of events has been told of the change feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EventCursor:
    """The last row of the feed that one receiver is done with."""

    name: str
    sequence: int
    timestamp: float
    """Of that row, seconds since the epoch, UTC; 0 before the first."""
    is_of_older_feed: bool = False
    """The index was rebuilt since: the sequence says nothing, the timestamp does."""


class EventCursors(Protocol):
    """Keep cursors; durable when a call returns."""

    def open(self, name: str, *, sequence: int, timestamp: float) -> EventCursor:
        """Return the cursor of a receiver; of a new one, begun behind that row."""
        ...

    def replace(self, cursor: EventCursor) -> None:
        """Keep a cursor as it is now."""
        ...
