"""Where operations are kept while they run and afterwards."""

from __future__ import annotations

from typing import Protocol

from isocenter.domain.operation import Operation


class Operations(Protocol):
    """Keep operations; durable when a call returns."""

    def add(self, operation: Operation, *, is_only_one: bool = False) -> Operation | None:
        """Keep a new operation; with `is_only_one`, only if none of its type is open, and return the open one if not.

        Returns None where it was kept.
        """
        ...

    def replace(self, operation: Operation) -> None:
        """Keep an operation as it is now; only its status, progress and results change, never what it is to do.

        Whether it is paused is left as it is kept.
        """
        ...

    def set_paused(self, operation_id: str, *, is_paused: bool, now: float) -> bool:
        """Pause an open operation or let it go on; return False where there is none."""
        ...

    def find(self, operation_id: str) -> Operation | None:
        """Return an operation."""
        ...

    def unfinished(self, *, limit: int) -> list[Operation]:
        """Return operations that have not ended, paused ones too, the oldest first."""
        ...

    def recent(self, *, limit: int) -> list[Operation]:
        """Return operations, the newest first."""
        ...
