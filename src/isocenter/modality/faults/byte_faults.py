"""Faults of bytes on one connection: cut, stalled or garbled behind a number of bytes. Sans-I/O.

A fault counts from when the connection first sees it: set in the middle of a transfer, it strikes there.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import ActiveFault, FaultBoard
from isocenter.modality.faults.fault import Close, Direction, Garble, Reset, Stall

_Positioned = Reset | Close | Stall | Garble


@dataclass(slots=True)
class _Seen:
    """One fault on this connection."""

    active: ActiveFault
    fault: _Positioned
    is_drawn: bool
    passed: int = 0
    has_struck: bool = False


class ByteFaults:
    """Decide what becomes of the bytes of one connection."""

    def __init__(self, board: FaultBoard) -> None:
        self._board = board
        self._seen: dict[int, _Seen] = {}
        self._is_cut = False
        self._held: dict[Direction, bytes] = {}
        """What a stall keeps back; the connection is not read on meanwhile."""

    def receive(self, direction: Direction, data: bytes) -> list[Action]:
        """Return what is to be done with bytes that came from the start of a direction."""
        if self._is_cut:
            return []
        for seen in self._present(direction):
            behind = seen.passed + len(data) - seen.fault.after_bytes
            if behind <= 0 or not data:
                continue
            if not seen.has_struck:
                if not seen.active.strike():
                    seen.is_drawn = False
                    continue
                seen.has_struck = True
            kept = max(0, len(data) - behind)
            before, rest = data[:kept], data[kept:]
            match seen.fault:
                case Reset() | Close():
                    return self._cut(direction, before, seen.fault)
                case Stall():
                    self._held[direction] = self._held.get(direction, b"") + rest
                    data = before
                case Garble():
                    data = before + seen.active.random_bytes(len(rest))
        for seen in self._present(direction):
            seen.passed += len(data)
        return [Pass(direction, data)] if data else []

    def _cut(self, direction: Direction, before: bytes, fault: Reset | Close) -> list[Action]:
        self._is_cut = True
        kind = CutKind.RESET if isinstance(fault, Reset) else CutKind.CLOSE
        passed: list[Action] = [Pass(direction, before)] if before else []
        return [*passed, Cut(kind, direction)]

    def release(self, direction: Direction) -> list[Action]:
        """Return what is to be done with what a stall kept back; ask when it is over."""
        held = self._held.pop(direction, b"")
        return self.receive(direction, held) if held else []

    def is_stalled(self, direction: Direction) -> bool:
        """Tell whether a direction has stalled, and the end of its stream is kept back too."""
        return any(isinstance(seen.fault, Stall) and seen.has_struck for seen in self._present(direction))

    def _present(self, direction: Direction) -> list[_Seen]:
        """Return the faults of a direction that this connection drew and that are still set."""
        present = []
        for active in self._board:
            if not isinstance(active.fault, Reset | Close | Stall | Garble):
                continue
            seen = self._seen.get(active.fault_id)
            if seen is None:
                seen = self._seen[active.fault_id] = _Seen(active, active.fault, active.is_drawn())
            if seen.is_drawn and seen.fault.direction.covers(direction) and (seen.has_struck or not active.is_spent):
                present.append(seen)
        return present
