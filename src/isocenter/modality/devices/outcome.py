"""What became of each instance that a device wanted to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isocenter.dimse.message.statuses import SUCCESS, StatusCategory, category_of
from isocenter.domain.commitment import InstanceReference

DUPLICATE_SOP_INSTANCE = 0x0111
"""An SCP that has the instance already may say so (PS3.7 C); it has it (routing-and-gateway 6.4)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one C-STORE."""

    reference: InstanceReference
    series_instance_uid: str
    study_instance_uid: str
    size_bytes: int
    status: int | None = None
    """What the peer answered; None where no answer came."""
    problem: str = ""
    """Why it was not acknowledged, in a sentence."""

    @property
    def is_acknowledged(self) -> bool:
        """Tell whether the peer said that it has it."""
        if self.status is None:
            return False
        return self.status in (SUCCESS, DUPLICATE_SOP_INSTANCE) or category_of(self.status) is StatusCategory.WARNING

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "sop_instance_uid": self.reference.sop_instance_uid,
            "sop_class_uid": self.reference.sop_class_uid,
            "series_instance_uid": self.series_instance_uid,
            "size_bytes": self.size_bytes,
            "status": None if self.status is None else f"{self.status:04X}",
            "is_acknowledged": self.is_acknowledged,
            "problem": self.problem,
        }
