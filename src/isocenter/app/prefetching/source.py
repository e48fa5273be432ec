"""Where priors come from: what a source tells of a patient and of a study, and how its series come here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Scope, is_uid
from isocenter.routing.prefetch.choose import Candidate
from isocenter.routing.prefetch.plan import SourceSeries

STUDIES_MAX = 1000
"""Of one patient, from one source."""
SERIES_MAX = 2000
"""Of one study."""
STUDY_RETURNED = (
    "StudyDate",
    "ModalitiesInStudy",
    "StudyDescription",
    "AccessionNumber",
    "PatientBirthDate",
    "IssuerOfPatientID",
    "NumberOfStudyRelatedInstances",
)
SERIES_RETURNED = ("Modality", "SeriesDescription", "BodyPartExamined", "NumberOfSeriesRelatedInstances")
_UNSEARCHABLE = frozenset("*?\\,")
"""In an identifier: wild cards, and what parts several values. Such a search would find other patients, too."""


class Source(Protocol):
    """One archive that has priors."""

    @property
    def name(self) -> str:
        """Return how the configuration calls it."""
        ...

    async def studies(self, patient_id: str) -> list[Candidate]:
        """Return the studies of a patient. Raises errors of the tree."""
        ...

    async def series(self, study_instance_uid: str) -> list[SourceSeries]:
        """Return the series of a study. Raises errors of the tree."""
        ...

    async def fetch(self, scopes: Sequence[Scope]) -> int:
        """Have series brought here, and return how many instances came. Raises errors of the tree."""
        ...


def require_searchable(patient_id: str) -> None:
    """Raise InvalidRequest for an identifier that would find others."""
    if not patient_id.strip() or _UNSEARCHABLE & set(patient_id):
        raise InvalidRequest("An identifier of a patient with wild cards or commas, or none, cannot be searched for.")


def candidate_of(row: dict[str, Any], *, source: str, patient_id: str) -> Candidate | None:
    """Return the study that a row of an answer tells of; None where it is of another patient, or has no UID."""
    study_instance_uid = text_of(row, "0020000D")
    told = text_of(row, "00100020")
    if not is_uid(study_instance_uid) or (told and told != patient_id.strip()):
        return None
    return Candidate(
        study_instance_uid,
        source,
        study_date=text_of(row, "00080020"),
        modalities=tuple(texts_of(row, "00080061")),
        description=text_of(row, "00081030"),
        accession_number=text_of(row, "00080050"),
        birth_date=text_of(row, "00100030"),
        issuer=text_of(row, "00100021"),
        instances=number_of(row, "00201208"),
    )


def series_of(row: dict[str, Any]) -> SourceSeries | None:
    """Return the series that a row of an answer tells of, None where it has no UID."""
    uid = text_of(row, "0020000E")
    description = " ".join(text for text in (text_of(row, "00180015"), text_of(row, "0008103E")) if text)
    instances = number_of(row, "00201209")
    return SourceSeries(uid, text_of(row, "00080060"), instances, description) if is_uid(uid) else None


def texts_of(row: dict[str, Any], tag: str) -> list[str]:
    """Return the texts of an attribute in DICOM JSON, whatever else stands there left out."""
    attribute = row.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return [str(value).strip() for value in values if isinstance(value, str | int)] if isinstance(values, list) else []


def text_of(row: dict[str, Any], tag: str) -> str:
    """Return the first text of an attribute."""
    return next(iter(texts_of(row, tag)), "")


def number_of(row: dict[str, Any], tag: str) -> int | None:
    """Return the number that an attribute holds, None where there is none."""
    text = text_of(row, tag)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
