"""Which fetched studies somebody opens: seen in the trail that requests of DICOMweb leave."""

from __future__ import annotations

import threading
from collections.abc import Callable

from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.ports.prefetches import Prefetches

WAITING_MAX = 10_000
"""Studies that were opened since the last look; more are not told apart from those that nobody opened."""


class OpenedStudies:
    """Passes the trail on, and gathers the studies whose instances are retrieved."""

    def __init__(self, onward: Callable[[AuditRecord], None] | None) -> None:
        self._onward = onward
        self._lock = threading.Lock()
        self._waiting: set[str] = set()

    def write(self, record: AuditRecord) -> None:
        """Take a record."""
        if self._onward is not None:
            self._onward(record)
        is_retrieved = record.action is AuditAction.EXECUTED and record.operation.startswith("retrieve")
        study = record.resource.get("study")
        if is_retrieved and study and record.status is not None and record.status < 300:
            with self._lock:
                if len(self._waiting) < WAITING_MAX:
                    self._waiting.add(study)

    def note(self, prefetches: Prefetches, *, now: float) -> int:
        """Keep what was gathered; return how many fetched studies were opened for the first time."""
        with self._lock:
            studies, self._waiting = self._waiting, set()
        return prefetches.note_opened(studies, now=now) if studies else 0
