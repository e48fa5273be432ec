"""The sub-operations of a C-MOVE or C-GET: counted so that the sum is always the total (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from enum import Enum

from isocenter.dimse.message.statuses import CANCEL, PENDING, SUCCESS, StatusCategory, category_of

SOME_FAILED = 0xB000
ALL_FAILED = 0xA702
CANNOT_COUNT = 0xA701
UNKNOWN_DESTINATION = 0xA801
DUPLICATE_SOP_INSTANCE = 0x0111
COUNT_MAX = 0xFFFF
"""The counters have 16 bits (PS3.7 annex E)."""


class Outcome(Enum):
    """How one sub-operation ended."""

    COMPLETED = "completed"
    WARNING = "warning"
    FAILED = "failed"


def outcome_of(status: int) -> Outcome:
    """Return what the status of a C-STORE means for the sub-operation.

    A receiver that says that it has another instance of that UID has kept its own: worth a warning, no reason to send
    again.
    """
    category = category_of(status)
    if category is StatusCategory.SUCCESS:
        return Outcome.COMPLETED
    if category is StatusCategory.WARNING or status == DUPLICATE_SOP_INSTANCE:
        return Outcome.WARNING
    return Outcome.FAILED


class SubOperations:
    """Counters, and the instances that failed."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.completed = 0
        self.warning = 0
        self.failed_sop_instance_uids: list[str] = []

    @property
    def failed(self) -> int:
        """Return how many failed."""
        return len(self.failed_sop_instance_uids)

    @property
    def remaining(self) -> int:
        """Return how many have not ended."""
        return self.total - self.completed - self.warning - self.failed

    def count(self, outcome: Outcome, sop_instance_uid: str) -> None:
        """Count one that has ended."""
        if outcome is Outcome.COMPLETED:
            self.completed += 1
        elif outcome is Outcome.WARNING:
            self.warning += 1
        else:
            self.failed_sop_instance_uids.append(sop_instance_uid)

    def counters(self, status: int) -> dict[str, int | None]:
        """Return the counters of a response by their names; how many remain is said while some may (C.4.2.1.6)."""
        shows_remaining = status in (PENDING, CANCEL)
        return {
            "number_of_remaining_suboperations": self.remaining if shows_remaining else None,
            "number_of_completed_suboperations": self.completed,
            "number_of_failed_suboperations": self.failed,
            "number_of_warning_suboperations": self.warning,
        }

    def final_status(self, *, is_cancelled: bool) -> int:
        """Return the status of the final response."""
        if is_cancelled and self.remaining:
            return CANCEL
        if self.failed and self.failed == self.total:
            return ALL_FAILED
        return SOME_FAILED if self.failed or self.warning else SUCCESS
