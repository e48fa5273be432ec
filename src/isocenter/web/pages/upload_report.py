"""What became of files that a person uploaded, as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.domain.errors import InstanceExists, IsocenterError
from isocenter.domain.outcome import Disposition, StoreOutcome

FAILURES_NAMED_MAX = 200
"""More reasons are not read; the rest is counted."""
STUDIES_NAMED_MAX = 50
NAME_LENGTH_MAX = 400
PASSED_OVER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "dicomdir"})
"""What systems and media put beside images; in lower case."""
NOT_DICOM = "It is not a DICOM file."


@dataclass(slots=True)
class UploadReport:
    """Counts, the first failures with their reasons, and the studies that were reached."""

    stored: int = 0
    known: int = 0
    """The very same bytes were there already."""
    passed_over: int = 0
    """Files that systems put beside images, and folders."""
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Name and reason."""
    studies: dict[str, None] = field(default_factory=dict)
    """UIDs, the first ones only."""

    def note_outcome(self, outcome: StoreOutcome) -> None:
        """Count a file that is durable now."""
        if outcome.disposition is Disposition.IDENTICAL:
            self.known += 1
        else:
            self.stored += 1
        if len(self.studies) < STUDIES_NAMED_MAX:
            self.studies[outcome.identifier.study_instance_uid] = None

    def note_failure(self, name: str, reason: str) -> None:
        """Count a file that was not stored, and name it while there are few."""
        self.failed += 1
        if len(self.failures) < FAILURES_NAMED_MAX:
            self.failures.append((name[:NAME_LENGTH_MAX], reason))

    @property
    def as_json(self) -> dict[str, object]:
        """Return it for a script."""
        return {
            "stored": self.stored,
            "known": self.known,
            "passedOver": self.passed_over,
            "failed": self.failed,
            "failures": [{"name": name, "reason": reason} for name, reason in self.failures],
            "studies": list(self.studies),
        }


def is_passed_over(name: str) -> bool:
    """Tell whether a file is one that systems put beside images."""
    parts = name.replace("\\", "/").lower().split("/")
    return parts[-1] in PASSED_OVER or "__macosx" in parts or parts[-1].startswith("._")


def reason_of(error: IsocenterError) -> str:
    """Return in words why a file was not stored."""
    if isinstance(error, InstanceExists):
        return "Another image with the same identifiers is stored already, and stays as it is."
    return error.message
