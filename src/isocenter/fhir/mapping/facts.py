"""What one instance says of its patient, study and series, each attribute looked at once (dicom-service 13.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.fhir.mapping import attribute_values as values
from isocenter.fhir.mapping.attribute_values import Metadata
from isocenter.fhir.mapping.coding import Code, codes_of
from isocenter.fhir.mapping.dose_report import DoseFacts, doses_of
from isocenter.fhir.mapping.problem import Problem

Value = TypeVar("Value")
GENDERS = {"M": "male", "F": "female", "O": "other"}
TAGS = {
    "StudyDate": "00080020",
    "SeriesDate": "00080021",
    "StudyTime": "00080030",
    "SeriesTime": "00080031",
    "AccessionNumber": "00080050",
    "Modality": "00080060",
    "TimezoneOffsetFromUTC": "00080201",
    "StudyDescription": "00081030",
    "ProcedureCodeSequence": "00081032",
    "SeriesDescription": "0008103E",
    "PatientName": "00100010",
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "PatientBirthDate": "00100030",
    "PatientSex": "00100040",
    "SeriesNumber": "00200011",
    "InstanceNumber": "00200013",
    "ContentSequence": "0040A730",
}
"""Every attribute that is mapped, but for the identifiers, which the archive knows."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What an instance says of its patient."""

    patient_id: str
    issuer: str | None = None
    name: str | None = None
    gender: str | None = None
    birth_date: str | None = None


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What an instance says of its study."""

    accession_number: str | None = None
    description: str | None = None
    started: str | None = None
    procedure_codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What an instance says of its series."""

    modality: str
    number: int | None = None
    description: str | None = None
    started: str | None = None


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What can be cast of an instance."""

    identifier: InstanceIdentifier
    sop_class_uid: str
    order: int
    """Grows with every store: where instances say different things, the newest holds."""
    number: int | None
    patient: PatientFacts
    study: StudyFacts
    series: SeriesFacts
    doses: tuple[DoseFacts, ...] = ()
    """What a report of doses says."""


@dataclass(frozen=True, slots=True)
class Looked:
    """An instance that was looked at."""

    identifier: InstanceIdentifier
    facts: InstanceFacts | None
    """None where it cannot be cast."""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How instances are looked at."""

    offset: str | None = None
    """The offset from UTC of instances that name none."""
    enforces: bool = False
    """Whether an instance is left out for any value that is not valid, required or not."""
    takes_doses: bool = True
    """Whether reports of doses are read."""


class _Reader:
    """Read attributes of one instance and note what is wrong with them."""

    def __init__(self, metadata: Metadata, invalid: Collection[str], *, enforces: bool) -> None:
        self._metadata = metadata
        self._enforces = enforces
        self.problems = [
            Problem(keyword, "is not valid by the rules of its value representation", enforces)
            for keyword, tag in TAGS.items()
            if tag in invalid
        ]

    def get(self, keyword: str, read: Callable[[Metadata, str], Value | None]) -> Value | None:
        try:
            return read(self._metadata, TAGS[keyword])
        except ValueError as error:
            self.problems.append(Problem(keyword, str(error), self._enforces))
            return None

    def require(self, keyword: str, read: Callable[[Metadata, str], str | None]) -> str:
        found = self.get(keyword, read)
        if found is None:
            known = [problem.reason for problem in self.problems if problem.attribute == keyword]
            self.problems = [problem for problem in self.problems if problem.attribute != keyword]
            self.problems.append(Problem(keyword, known[0] if known else "is required and has no value", True))
        return found or ""


def look_at(
    identifier: InstanceIdentifier,
    metadata: Metadata,
    *,
    sop_class_uid: str,
    order: int,
    invalid: Collection[str] = (),
    reading: Reading = Reading(),
) -> Looked:
    """Return what an instance says; `invalid` are the tags of attributes that its metadata leaves out as not valid."""
    reader = _Reader(metadata, invalid, enforces=reading.enforces)
    offset = reader.get("TimezoneOffsetFromUTC", values.offset_from_utc) or reading.offset
    facts = InstanceFacts(
        identifier,
        sop_class_uid,
        order,
        reader.get("InstanceNumber", values.unsigned_int),
        _patient(reader),
        _study(reader, offset),
        _series(reader, offset),
        reader.get("ContentSequence", lambda report, _: doses_of(report, identifier.sop_instance_uid)) or ()
        if reading.takes_doses
        else (),
    )
    is_left_out = any(problem.is_required for problem in reader.problems)
    return Looked(identifier, None if is_left_out else facts, tuple(reader.problems))


def _patient(reader: _Reader) -> PatientFacts:
    return PatientFacts(
        reader.require("PatientID", values.text),
        issuer=reader.get("IssuerOfPatientID", values.text),
        name=reader.get("PatientName", values.person_name),
        gender=reader.get("PatientSex", _gender),
        birth_date=reader.get("PatientBirthDate", values.day),
    )


def _study(reader: _Reader, offset: str | None) -> StudyFacts:
    return StudyFacts(
        accession_number=reader.get("AccessionNumber", values.text),
        description=reader.get("StudyDescription", values.text),
        started=values.moment(reader.get("StudyDate", values.day), reader.get("StudyTime", values.time_of_day), offset),
        procedure_codes=reader.get("ProcedureCodeSequence", codes_of) or (),
    )


def _series(reader: _Reader, offset: str | None) -> SeriesFacts:
    return SeriesFacts(
        reader.require("Modality", values.text),
        number=reader.get("SeriesNumber", values.unsigned_int),
        description=reader.get("SeriesDescription", values.text),
        started=values.moment(
            reader.get("SeriesDate", values.day), reader.get("SeriesTime", values.time_of_day), offset
        ),
    )


def _gender(metadata: Metadata, tag: str) -> str | None:
    value = values.text(metadata, tag)
    if value is None:
        return None
    if value.upper() not in GENDERS:
        raise ValueError("is none of M, F and O")
    return GENDERS[value.upper()]
