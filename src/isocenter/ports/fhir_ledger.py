"""What a cast to a FHIR server keeps beside its cursor: errors, studies that are to be cast again, where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from isocenter.domain.identifiers import DEFAULT_PARTITION


class ErrorKind(StrEnum):
    """What is wrong, as the four tables of the original have it (dicom-service 13.3)."""

    TAG = "tag"
    """An attribute that is not required has a value that cannot be mapped: it was left out."""
    DICOM = "dicom"
    """An instance cannot be mapped: it was left out."""
    FHIR = "fhir"
    """The server did not take a study: it waits for a person."""
    TRANSIENT = "transient"
    """A study could not be written for the time being: it is tried again."""


@dataclass(frozen=True, slots=True)
class StudyName:
    """A study in its partition."""

    study_instance_uid: str
    partition_name: str = DEFAULT_PARTITION


@dataclass(frozen=True, slots=True)
class CastError:
    """What went wrong with a study or an instance of it."""

    kind: ErrorKind
    study: StudyName
    reason: str
    """Without the value of any attribute."""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    attribute: str = ""
    sequence: int = 0
    """The row of the feed that led to it; 0 where there was none."""
    first_at: float = 0.0
    last_at: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A study that the server does not know as the archive does."""

    study: StudyName
    due_at: float | None = None
    """When it is to be cast; None: when a person wants it."""
    attempts: int = 0
    removed: frozenset[str] = field(default=frozenset())
    """SOP instance UIDs of it that were deleted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cast goes."""

    succeeded_at: float | None = None
    """When a study was brought to the server last, or found there as it is to be."""
    failed_at: float | None = None
    failure: str = ""
    """Why the server could not be written to; empty where it can."""
    rerun_after: int | None = None
    """Somebody wants the feed cast anew behind this row."""


class FhirLedger(Protocol):
    """Keep it; durable when a call returns."""

    def settle(self, study: StudyName, errors: Sequence[CastError], *, now: float) -> None:
        """Note that a study was cast, in the place of what was kept of it; errors that last keep their first time."""
        ...

    def put_off(self, open_study: OpenStudy, errors: Sequence[CastError], *, now: float) -> None:
        """Note that a study is still to be cast, and why, in the place of what was kept of it."""
        ...

    def ask_for(self, studies: Sequence[StudyName], *, due_at: float) -> None:
        """Have studies cast, those that wait for a person too."""
        ...

    def open_study(self, study: StudyName) -> OpenStudy | None:
        """Return a study if it is still to be cast."""
        ...

    def open_studies(self, *, due_before: float | None = None, limit: int) -> list[OpenStudy]:
        """Return studies that are still to be cast, the longest due first; with a time, those that are due by then."""
        ...

    def errors(self, *, kind: ErrorKind | None = None, study: StudyName | None = None, limit: int) -> list[CastError]:
        """Return errors, the last first."""
        ...

    def counts(self) -> Mapping[ErrorKind, int]:
        """Return how many errors of each kind are kept, and 0 of the others."""
        ...

    def standing(self, name: str) -> Standing:
        """Return how the cast of a name goes."""
        ...

    def note(self, name: str, *, succeeded_at: float | None, failed_at: float | None, failure: str) -> None:
        """Keep how it goes; a wish for a rerun stays."""
        ...

    def want_rerun(self, name: str, *, after: int | None) -> None:
        """Keep from where the feed is to be cast anew, or with None that this was taken up."""
        ...
