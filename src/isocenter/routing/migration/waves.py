"""In which order studies move: in waves, so that what is needed first is there first and each wave can be looked at."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO

from isocenter.domain.errors import InvalidRequest

WAVE_INSTANCES = 100_000
"""About a night at the speed of a busy archive: a wave that went wrong is known by the morning."""
PATIENTS_MAX = 1_000_000
PATIENT_COLUMN = "patientid"


class Order(StrEnum):
    """Which studies come first."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """A study as a plan knows it."""

    study_instance_uid: str
    study_date: str
    patient_id: str
    instances: int


@dataclass(frozen=True, slots=True)
class Wave:
    """Studies that move together."""

    number: int
    """From 1."""
    study_instance_uids: tuple[str, ...]
    instances: int
    first_date: str
    last_date: str


def plan_waves(
    studies: Iterable[PlannedStudy],
    *,
    order: Order = Order.NEWEST,
    patients: Sequence[str] = (),
    only_patients: bool = False,
    wave_instances: int = WAVE_INSTANCES,
) -> list[Wave]:
    """Return the waves: those of the patients that are named first, as they are named; then by date, undated last."""
    rank = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    chosen = [one for one in studies if not only_patients or one.patient_id in rank]
    dated = sorted((one for one in chosen if one.study_date), key=_by_date, reverse=order is Order.NEWEST)
    undated = sorted((one for one in chosen if not one.study_date), key=_by_date)
    ordered = sorted([*dated, *undated], key=lambda one: rank.get(one.patient_id, len(rank)))
    waves: list[list[PlannedStudy]] = []
    size = 0
    was_named = False
    for study in ordered:
        is_named = study.patient_id in rank
        if not waves or size + study.instances > wave_instances or is_named != was_named:
            waves.append([])
            size = 0
        waves[-1].append(study)
        size += study.instances
        was_named = is_named
    return [_wave(number, each) for number, each in enumerate(waves, 1)]


def _by_date(study: PlannedStudy) -> tuple[str, str]:
    return study.study_date, study.study_instance_uid


def _wave(number: int, studies: Sequence[PlannedStudy]) -> Wave:
    dates = sorted(study.study_date for study in studies if study.study_date)
    return Wave(
        number,
        tuple(study.study_instance_uid for study in studies),
        sum(study.instances for study in studies),
        dates[0] if dates else "",
        dates[-1] if dates else "",
    )


def parse_patients(text: str) -> list[str]:
    """Return the patient IDs of a table: of its column PatientID, or of the only column where it has no heading.

    Raises InvalidRequest.
    """
    try:
        rows = [row for row in csv.reader(StringIO(text)) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InvalidRequest("The list of patients is no CSV that can be read.") from error
    if not rows:
        raise InvalidRequest("The list of patients is empty.")
    headings = ["".join(cell.split()).lower().replace("_", "") for cell in rows[0]]
    if PATIENT_COLUMN in headings:
        column, rows = headings.index(PATIENT_COLUMN), rows[1:]
    elif all(len(row) == 1 for row in rows):
        column = 0
    else:
        raise InvalidRequest("The list of patients has several columns, and none of them is called PatientID.")
    found = [row[column].strip() for row in rows if len(row) > column and row[column].strip()]
    if len(found) > PATIENTS_MAX:
        raise InvalidRequest(f"The list of patients has more than {PATIENTS_MAX:,} lines.")
    return found
