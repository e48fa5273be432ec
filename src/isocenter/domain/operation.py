"""Long work that a caller starts and asks about later (dicom-service 8): its states, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class OperationType(StrEnum):
    """What an operation does, in the words of the service."""

    REINDEX = "reindex"
    EXPORT = "export"
    UPDATE = "update"
    IMPORT = "import"


class OperationStatus(StrEnum):
    """How far an operation is."""

    NOT_STARTED = "notStarted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing happens to it any more."""
        return self not in (OperationStatus.NOT_STARTED, OperationStatus.RUNNING)


PERCENT_MAX = 100


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it is kept.

    `instructions` and `checkpoint` are JSON that only the kind of operation reads: what it is to do, and where it goes
    on after a restart.
    """

    operation_id: str
    """32 lower-case hexadecimal digits."""
    type: OperationType
    created_at: float
    """Seconds since the epoch, UTC."""
    updated_at: float
    instructions: bytes
    status: OperationStatus = OperationStatus.NOT_STARTED
    is_paused: bool = False
    percent_complete: int | None = None
    checkpoint: bytes = b"null"
    resources: tuple[str, ...] = ()
    """Paths below the root of the service, e.g. of the query tags that a reindex is for."""
    results: bytes = b"null"
    """JSON that the caller gets when it has ended."""
    attempts: int = 0
    """Failures in a row that may pass; 0 again as soon as it gets on."""

    def advanced(self, *, now: float, checkpoint: bytes, percent_complete: int | None) -> Operation:
        """Return it after a step."""
        return replace(
            self,
            status=OperationStatus.RUNNING,
            updated_at=now,
            checkpoint=checkpoint,
            percent_complete=percent_complete,
            attempts=0,
        )

    def ended(self, status: OperationStatus, *, now: float, results: bytes) -> Operation:
        """Return it at its end; a success is complete, where anything was told of its progress."""
        is_told = self.percent_complete is not None and status is OperationStatus.SUCCEEDED
        percent = PERCENT_MAX if is_told else self.percent_complete
        return replace(self, status=status, updated_at=now, results=results, percent_complete=percent, attempts=0)
