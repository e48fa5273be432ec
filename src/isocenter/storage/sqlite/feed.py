"""Find the part of the change feed that belongs to a window of time.

Sequences have no gap and timestamps never go back, so that a few looks by sequence find where a time begins, however
long the feed is.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import overload

import apsw


class FeedTimestamps(Sequence[float]):
    """The timestamps of the feed, read one by one as they are asked for; the row of sequence 1 is the first."""

    def __init__(self, connection: apsw.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._query = queries["change_timestamp"]
        self._length = int(connection.execute(queries["latest_sequence"]).get)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, position: int) -> float: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[float]: ...
    def __getitem__(self, position: int | slice) -> float | Sequence[float]:
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        if not 0 <= position < len(self):
            raise IndexError(position)
        return float(self._connection.execute(self._query, (position + 1,)).get)


def window_of(timestamps: Sequence[float], *, start: float | None, end: float | None) -> tuple[int, int]:
    """Return the sequence of the first row of a window, and the one behind its last row."""
    first = 0 if start is None else bisect.bisect_left(timestamps, start)
    behind = len(timestamps) if end is None else bisect.bisect_left(timestamps, end, lo=first)
    return first + 1, behind + 1
