"""Studies and series of another archive as the page shows them, with what of them is here already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.attributes import (
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
)
from isocenter.domain.query import SearchRow
from isocenter.web.pages.study_row import person_name, readable_date, readable_text, readable_time

SHOWN_LENGTH_MAX = 200
"""Of one value; an archive may answer anything, and a page is to stay one."""
NUMBER_MAX = 10**9


class Presence(StrEnum):
    """How much of something is here."""

    NONE = "none"
    SOME = "some"
    ALL = "all"
    UNKNOWN = "unknown"
    """Something is here, and the archive does not tell how much there is."""


@dataclass(frozen=True, slots=True)
class Here:
    """How much of a study or series is here, against how much there is."""

    instances: int
    instances_there: int | None
    series: int | None = None
    series_there: int | None = None

    @property
    def presence(self) -> Presence:
        """Return it in one word."""
        if not self.instances:
            return Presence.NONE
        if self.instances_there is None:
            return Presence.UNKNOWN
        lacks_series = self.series is not None and self.series_there is not None and self.series < self.series_there
        return Presence.SOME if self.instances < self.instances_there or lacks_series else Presence.ALL

    @property
    def text(self) -> str:
        """Return it for the reader."""
        match self.presence:
            case Presence.NONE:
                return "Not here"
            case Presence.UNKNOWN:
                return f"{self.instances:,} here, the archive tells no number"
            case Presence.ALL:
                return "All here"
            case Presence.SOME:
                return f"{self.instances:,} of {self.instances_there or 0:,} here"


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """One study that another archive has."""

    study_instance_uid: str
    patient_name: str
    patient_id: str
    study_date: str
    study_time: str
    modalities: tuple[str, ...]
    description: str
    accession_number: str
    here: Here

    @property
    def label(self) -> str:
        """Return what a person recognises it by."""
        parts = (self.patient_name or self.patient_id, self.study_date, self.description)
        return " · ".join(part for part in parts if part)[:SHOWN_LENGTH_MAX]


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """One series that another archive has."""

    series_instance_uid: str
    modality: str
    number: str
    description: str
    here: Here


def found_study(row: SearchRow, here: Mapping[str, tuple[int, int]]) -> FoundStudy:
    """Return what the page shows of a study; `here` has series and instances by study."""
    values = row.attributes
    uid = _text(values, "StudyInstanceUID")
    series, instances = here.get(uid, (0, 0))
    name, other = person_name(_text(values, "PatientName"))
    return FoundStudy(
        study_instance_uid=uid,
        patient_name=" ".join(part for part in (name, other) if part),
        patient_id=_text(values, "PatientID"),
        study_date=readable_date(_text(values, "StudyDate")),
        study_time=readable_time(_text(values, "StudyTime")),
        modalities=tuple(one for one in values.get(MODALITIES_IN_STUDY, "")[:SHOWN_LENGTH_MAX].split("\\") if one),
        description=readable_text(_text(values, "StudyDescription")),
        accession_number=_text(values, "AccessionNumber"),
        here=Here(
            instances,
            _number(values, NUMBER_OF_STUDY_RELATED_INSTANCES),
            series,
            _number(values, NUMBER_OF_STUDY_RELATED_SERIES),
        ),
    )


def found_series(rows: Sequence[SearchRow], here: Mapping[str, int]) -> list[FoundSeries]:
    """Return what the page shows of the series of a study, by their numbers."""
    found = [_series(row.attributes, here) for row in rows]
    return sorted(found, key=lambda one: (not one.number.isdigit(), one.number.zfill(12), one.series_instance_uid))


def _series(values: Mapping[int, str], here: Mapping[str, int]) -> FoundSeries:
    uid = _text(values, "SeriesInstanceUID")
    return FoundSeries(
        series_instance_uid=uid,
        modality=_text(values, "Modality"),
        number=_text(values, "SeriesNumber").strip(),
        description=readable_text(_text(values, "SeriesDescription")),
        here=Here(here.get(uid, 0), _number(values, NUMBER_OF_SERIES_RELATED_INSTANCES)),
    )


def _text(values: Mapping[int, str], keyword: str) -> str:
    return values.get(BY_KEYWORD[keyword].tag, "")[:SHOWN_LENGTH_MAX]


def _number(values: Mapping[int, str], tag: int) -> int | None:
    text = values.get(tag, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(NUMBER_MAX)) else None
