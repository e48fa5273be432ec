"""Where Azure's documents and its service differ, and an operator may choose (dicom-service 0.2)."""

from __future__ import annotations

from dataclasses import dataclass

VALIDATION_FAILED = 43264
STUDY_MISMATCH = 43265


@dataclass(frozen=True, slots=True)
class AzureOptions:
    """What is done where one can do it in two ways; the defaults are what the service does."""

    study_mismatch_reason: int = VALIDATION_FAILED
    """Failure reason of an instance of another study than the route names (D1); the documents say 43265."""
    workitem_in_array: bool = False
    """Whether a workitem is retrieved in an array, as PS3.18 has it, rather than as an object (D11)."""
    refuses_all_with_others: bool = False
    """Whether `includefield=all` beside other fields is refused (D2); the documents say that `all` wins."""
