"""How the values of studies and series read on the page: names, dates, ages, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from isocenter.domain.attributes import (
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_PATIENT_RELATED_INSTANCES,
    NUMBER_OF_PATIENT_RELATED_STUDIES,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
)
from isocenter.domain.query import SearchRow

DAYS_PER_YEAR = 365.2425
YEARS_TOLD_IN_MONTHS = 2
"""Younger patients' ages are told in months."""
SERIES_NUMBER_UNKNOWN = 1 << 31
"""Sorts series without a number last; IS ends at 2**31 - 1 (PS3.5 table 6.2-1)."""
INTEGER_LENGTH_MAX = 12
"""Of an IS (PS3.5 table 6.2-1). What is longer is no number, and what Python may refuse to turn into one."""
WITHOUT_PICTURES = frozenset({"AU", "DOC", "ECG", "HD", "KO", "PLAN", "PR", "RTPLAN", "RTRECORD", "RTSTRUCT", "SR"})
"""Modalities whose instances are no images (PS3.3 C.7.3.1.1.1)."""


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study as the list shows it. Addresses are without the prefix of a proxy."""

    study_instance_uid: str
    patient_name: str
    patient_name_other: str
    """The ideographic and phonetic groups, where there are any."""
    patient_id: str
    patient_details: str
    """Sex and age, as far as they are known."""
    study_date: str
    study_time: str
    modalities: tuple[str, ...]
    description: str
    accession_number: str
    referring_physician: str
    number_of_series: int
    number_of_instances: int

    @property
    def viewer_query(self) -> str:
        """Return the query string that opens it in the viewer."""
        return f"StudyInstanceUIDs={quote(self.study_instance_uid, safe='')}"

    @property
    def path(self) -> str:
        """Return the path of its page."""
        return f"/studies/{quote(self.study_instance_uid, safe='')}"

    @property
    def light_path(self) -> str:
        """Return its path in the light viewer."""
        return f"/light/{quote(self.study_instance_uid, safe='')}"

    @property
    def label(self) -> str:
        """Return a line by which a person tells it from others."""
        parts = (self.patient_name or "No name", self.study_date, self.description)
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient as the list shows them."""

    patient_name: str
    patient_name_other: str
    patient_id: str
    sex: str
    birth_date: str
    number_of_studies: int
    number_of_instances: int

    @property
    def studies_query(self) -> str:
        """Return the query string that lists the studies of this patient."""
        return f"of={quote(self.patient_id, safe='')}" if self.patient_id else f"patient={quote(self.patient_name)}"


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series as an opened study shows it."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    number: str
    description: str
    body_part: str
    number_of_instances: int

    @property
    def count(self) -> str:
        """Return how many instances it has, in words."""
        unit = "object" if self.modality in WITHOUT_PICTURES else "image"
        return f"{self.number_of_instances:,} {unit}{'' if self.number_of_instances == 1 else 's'}"

    @property
    def viewer_query(self) -> str:
        """Return the query string that opens the study in the viewer at this series."""
        study, series = quote(self.study_instance_uid, safe=""), quote(self.series_instance_uid, safe="")
        return f"StudyInstanceUIDs={study}&initialSeriesInstanceUID={series}"

    @property
    def path(self) -> str:
        """Return the path of its page."""
        study, series = quote(self.study_instance_uid, safe=""), quote(self.series_instance_uid, safe="")
        return f"/studies/{study}/series/{series}"

    @property
    def light_path(self) -> str:
        """Return its path in the light viewer."""
        return f"/light/{quote(self.study_instance_uid, safe='')}/{quote(self.series_instance_uid, safe='')}"

    @property
    def thumbnail_path(self) -> str:
        """Return the path of its thumbnail below the DICOMweb root."""
        study, series = quote(self.study_instance_uid, safe=""), quote(self.series_instance_uid, safe="")
        return f"/studies/{study}/series/{series}/thumbnail?viewport=128,128"


def study_row(row: SearchRow) -> StudyRow:
    """Return what the list shows of a found study."""
    values = row.attributes
    name, other = person_name(_text(values, "PatientName"))
    study_date = _text(values, "StudyDate")
    modalities = values.get(MODALITIES_IN_STUDY, "").split("\\")
    return StudyRow(
        study_instance_uid=_text(values, "StudyInstanceUID"),
        patient_name=name,
        patient_name_other=other,
        patient_id=_text(values, "PatientID"),
        patient_details=patient_details(
            sex=_text(values, "PatientSex"), born=_text(values, "PatientBirthDate"), on=study_date
        ),
        study_date=readable_date(study_date),
        study_time=readable_time(_text(values, "StudyTime")),
        modalities=tuple(modality for modality in modalities if modality),
        description=readable_text(_text(values, "StudyDescription")),
        accession_number=_text(values, "AccessionNumber"),
        referring_physician=person_name(_text(values, "ReferringPhysicianName"))[0],
        number_of_series=_count(values, NUMBER_OF_STUDY_RELATED_SERIES),
        number_of_instances=_count(values, NUMBER_OF_STUDY_RELATED_INSTANCES),
    )


def patient_row(row: SearchRow) -> PatientRow:
    """Return what the list shows of a found patient."""
    values = row.attributes
    name, other = person_name(_text(values, "PatientName"))
    return PatientRow(
        patient_name=name,
        patient_name_other=other,
        patient_id=_text(values, "PatientID"),
        sex=_text(values, "PatientSex").strip(),
        birth_date=readable_date(_text(values, "PatientBirthDate")),
        number_of_studies=_count(values, NUMBER_OF_PATIENT_RELATED_STUDIES),
        number_of_instances=_count(values, NUMBER_OF_PATIENT_RELATED_INSTANCES),
    )


def series_rows(rows: list[SearchRow]) -> list[SeriesRow]:
    """Return what an opened study shows, by series number."""
    return [_series_row(row.attributes) for row in sorted(rows, key=_series_order)]


def person_name(value: str) -> tuple[str, str]:
    """Return a person name as people write it: the alphabetic group, and the others (PS3.5 6.2.1.1)."""
    groups = [_name_group(group) for group in value.split("\\", maxsplit=1)[0].split("=")[:3]]
    first = next((group for group in groups if group), "")
    others = [group for group in groups if group and group != first]
    return first, " · ".join(others)


def readable_date(value: str) -> str:
    """Return a DA value as year-month-day; anything else as it stands."""
    parsed = _parse_date(value)
    return parsed.isoformat() if parsed else value.strip()


def readable_time(value: str) -> str:
    """Return hours and minutes of a TM value; nothing of what is none."""
    digits = value.replace(":", "").split(".")[0].strip()
    if len(digits) < 4 or not digits[:4].isdigit() or not digits.isascii():
        return ""
    return f"{digits[:2]}:{digits[2:4]}"


def readable_text(value: str) -> str:
    """Return a text with the carets that devices put for blanks taken out."""
    return " ".join(value.replace("^", " ").split())


def patient_details(*, sex: str, born: str, on: str) -> str:
    """Return sex and age at the day of the study, as far as they are known: `F 49 y`."""
    birth, day = _parse_date(born), _parse_date(on)
    age = _age(birth, day) if birth and day and birth <= day else ""
    return " ".join(part for part in (sex.strip(), age) if part)


def _age(birth: date, day: date) -> str:
    years = (day - birth).days / DAYS_PER_YEAR
    if years >= YEARS_TOLD_IN_MONTHS:
        return f"{day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))} y"
    months = (day.year - birth.year) * 12 + day.month - birth.month - (day.day < birth.day)
    return f"{months} m"


def _name_group(group: str) -> str:
    family, given, middle, prefix, suffix = (*(part.strip() for part in group.split("^")[:5]), "", "", "", "", "")[:5]
    rest = " ".join(part for part in (prefix, given, middle) if part)
    name = ", ".join(part for part in (family, rest) if part)
    return ", ".join(part for part in (name, suffix) if part)


def _series_row(values: Mapping[int, str]) -> SeriesRow:
    return SeriesRow(
        study_instance_uid=_text(values, "StudyInstanceUID"),
        series_instance_uid=_text(values, "SeriesInstanceUID"),
        modality=_text(values, "Modality"),
        number=_text(values, "SeriesNumber"),
        description=readable_text(_text(values, "SeriesDescription")),
        body_part=readable_text(_text(values, "BodyPartExamined")),
        number_of_instances=_count(values, NUMBER_OF_SERIES_RELATED_INSTANCES),
    )


def _series_order(row: SearchRow) -> tuple[int, str]:
    number = _text(row.attributes, "SeriesNumber").strip()
    digits = number[1:] if number.startswith(("+", "-")) else number
    known = digits.isdigit() and number.isascii() and len(number) <= INTEGER_LENGTH_MAX
    return (int(number) if known else SERIES_NUMBER_UNKNOWN, _text(row.attributes, "SeriesInstanceUID"))


def _text(values: Mapping[int, str], keyword: str) -> str:
    return values.get(BY_KEYWORD[keyword].tag, "")


def _count(values: Mapping[int, str], tag: int) -> int:
    text = values.get(tag, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _parse_date(value: str) -> date | None:
    text = value.strip()
    if len(text) != 8 or not text.isdigit() or not text.isascii():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
