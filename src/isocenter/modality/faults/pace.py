"""When bytes leave under latency, jitter and a cap of bandwidth. No clock: the time is handed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from isocenter.modality.faults.board import ActiveFault, FaultBoard
from isocenter.modality.faults.fault import Bandwidth, Direction, Latency

PIECE_S = 0.05
"""Under a cap bytes leave in pieces of this time: small enough to look like a slow line."""
PIECE_MIN_BYTES = 64
"""And not smaller than this, which would cost a wake-up for every few bytes."""

T = TypeVar("T", Latency, Bandwidth)


class Pace:
    """Keep the pace of one direction of one connection."""

    def __init__(self, board: FaultBoard, direction: Direction) -> None:
        self._board = board
        self._direction = direction
        self._free_at_s = 0.0
        self._last_due_s = 0.0
        self._chosen: dict[int, bool] = {}

    def schedule(self, data: bytes, now_s: float) -> Iterator[tuple[float, bytes]]:
        """Yield pieces with the time at which each may leave; the order of bytes is kept whatever the jitter."""
        rate, delay_s = self._rate(), self._delay_s()
        if rate is None:
            yield self._due(now_s + delay_s), data
            return
        size = max(PIECE_MIN_BYTES, int(rate * PIECE_S))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._free_at_s = max(self._free_at_s, now_s) + len(piece) / rate
            yield self._due(self._free_at_s + delay_s), piece

    def latest_s(self, now_s: float) -> float:
        """Return when what was scheduled has left."""
        return max(self._last_due_s, now_s)

    def _due(self, due_s: float) -> float:
        self._last_due_s = max(self._last_due_s, due_s)
        return self._last_due_s

    def _rate(self) -> int | None:
        return min((fault.bytes_per_s for _, fault in self._drawn(Bandwidth)), default=None)

    def _delay_s(self) -> float:
        return sum(fault.delay_s + fault.jitter_s * active.random_share() for active, fault in self._drawn(Latency))

    def _drawn(self, kind: type[T]) -> Iterator[tuple[ActiveFault, T]]:
        """Yield the faults that this connection drew when it first saw them."""
        for active in self._board:
            fault = active.fault
            if not isinstance(fault, kind) or not fault.direction.covers(self._direction):
                continue
            if active.fault_id not in self._chosen:
                self._chosen[active.fault_id] = active.is_drawn() and active.strike()
            if self._chosen[active.fault_id]:
                yield active, fault
