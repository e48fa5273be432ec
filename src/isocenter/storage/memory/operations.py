"""Operations in a dictionary."""

from __future__ import annotations

import threading
from dataclasses import replace

from isocenter.domain.operation import Operation


class MemoryOperations:
    """Keep operations in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Operation] = {}

    def add(self, operation: Operation, *, is_only_one: bool = False) -> Operation | None:
        """Keep a new operation, unless it must be the only one of its type and is not."""
        with self._lock:
            others = [one for one in self._kept.values() if one.type is operation.type and not one.status.is_final]
            if is_only_one and others:
                return others[0]
            self._kept[operation.operation_id] = operation
            return None

    def replace(self, operation: Operation) -> None:
        """Keep an operation as it is now."""
        with self._lock:
            kept = self._kept[operation.operation_id]
            self._kept[operation.operation_id] = replace(
                operation, is_paused=kept.is_paused, instructions=kept.instructions
            )

    def set_paused(self, operation_id: str, *, is_paused: bool, now: float) -> bool:
        """Pause an open operation or let it go on."""
        with self._lock:
            kept = self._kept.get(operation_id)
            if kept is None or kept.status.is_final:
                return False
            self._kept[operation_id] = replace(kept, is_paused=is_paused, updated_at=now)
            return True

    def find(self, operation_id: str) -> Operation | None:
        """Return an operation."""
        return self._kept.get(operation_id)

    def unfinished(self, *, limit: int) -> list[Operation]:
        """Return operations that have not ended, the oldest first."""
        with self._lock:
            return [one for one in self._kept.values() if not one.status.is_final][:limit]

    def recent(self, *, limit: int) -> list[Operation]:
        """Return operations, the newest first."""
        with self._lock:
            return list(reversed(self._kept.values()))[:limit]
