"""What is searched for among a million instances: each shape of a query that people type, with values that vary."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bench.million_dataset import COMMON_NAME, FIRST_DAY, STUDIES, STUDIES_A_DAY, Study

P50_MAX_MS, P99_MAX_MS = 5, 25
"""Of the searches for studies that the issue names; the others keep the same bound for their slowest."""
DAYS = STUDIES // STUDIES_A_DAY
AZURE, STANDARD = "/v2", "/dicom-web"


@dataclass(frozen=True, slots=True)
class Shape:
    """A search, with other values each time."""

    name: str
    path: Callable[[Random], str]
    p50_max_ms: float | None = None


def _study(random: Random) -> Study:
    return Study(random.randrange(STUDIES))


def _days(random: Random, count: int) -> str:
    first = FIRST_DAY + datetime.timedelta(random.randrange(DAYS - count))
    return f"{first:%Y%m%d}-{first + datetime.timedelta(count - 1):%Y%m%d}"


def _fixed(path: str) -> Callable[[Random], str]:
    return lambda _: path


def _of_study(random: Random, rest: str) -> str:
    return f"{AZURE}/studies/{_study(random).study_instance_uid}/{rest}"


STUDY_SHAPES = (
    Shape("studies by PatientID", lambda r: f"{AZURE}/studies?PatientID={_study(r).patient_id}", P50_MAX_MS),
    Shape("studies by StudyDate, a day", lambda r: f"{AZURE}/studies?StudyDate={_study(r).study_date}", P50_MAX_MS),
    Shape("studies by StudyDate, a month", lambda r: f"{AZURE}/studies?StudyDate={_days(r, 30)}", P50_MAX_MS),
    Shape("studies by StudyDate, a year", lambda r: f"{AZURE}/studies?StudyDate={_days(r, 365)}", P50_MAX_MS),
    Shape("studies by StudyDate, open end", _fixed(f"{AZURE}/studies?StudyDate=20220101-"), P50_MAX_MS),
    Shape(
        "studies by extended query tag", lambda r: f"{AZURE}/studies?AdmissionID={_study(r).admission_id}", P50_MAX_MS
    ),
    Shape("studies by AccessionNumber", lambda r: f"{AZURE}/studies?AccessionNumber={_study(r).accession_number}"),
    Shape("studies, first 25", _fixed(f"{AZURE}/studies?limit=25")),
    Shape("studies, first 200", _fixed(f"{AZURE}/studies?limit=200")),
    Shape("studies, 100 at some offset", lambda r: f"{AZURE}/studies?offset={r.randrange(STUDIES - 100)}"),
    Shape(
        "studies by PatientName, fuzzy",
        lambda r: f"{AZURE}/studies?fuzzymatching=true&PatientName={_study(r).patient_name[:4]}",
    ),
    Shape(
        "studies by PatientName, fuzzy, common",
        _fixed(f"{AZURE}/studies?fuzzymatching=true&PatientName={COMMON_NAME.lower()}"),
    ),
    Shape(
        "studies by PatientName, fuzzy, two words",
        lambda r: f"{AZURE}/studies?fuzzymatching=true&PatientName={COMMON_NAME[:3]}%20{r.choice('AJMPLE')}",
    ),
    Shape("studies by ModalitiesInStudy, common", _fixed(f"{AZURE}/studies?ModalitiesInStudy=CT")),
    Shape(
        "studies by rare modality and year",
        lambda r: f"{AZURE}/studies?ModalitiesInStudy=MG&StudyDate={_days(r, 365)}",
    ),
    Shape("studies by common description", _fixed(f"{AZURE}/studies?StudyDescription=chest%20routine")),
    Shape("studies by name, wildcard", _fixed(f"{STANDARD}/studies?limit=100&PatientName={COMMON_NAME}*")),
    Shape("studies by a part of a name", _fixed(f"{STANDARD}/studies?limit=100&PatientName=*LINHER*")),
)
LOWER_SHAPES = (
    Shape("series of a study by Modality", lambda r: _of_study(r, "series?Modality=CT")),
    Shape("instances of a study", lambda r: _of_study(r, "instances?limit=200")),
    Shape("series by rare Modality", _fixed(f"{AZURE}/series?Modality=MG")),
    Shape("series by StudyDate, a year", lambda r: f"{AZURE}/series?StudyDate={_days(r, 365)}"),
    Shape("series by extended query tag", _fixed(f"{AZURE}/series?StationName=CT03")),
    Shape("instances, first 100", _fixed(f"{AZURE}/instances")),
    Shape("instances, 100 at offset 100,000", _fixed(f"{AZURE}/instances?offset=100000")),
    Shape("instances by PatientID", lambda r: f"{AZURE}/instances?PatientID={_study(r).patient_id}"),
    Shape("instances by StudyDate, a month", lambda r: f"{AZURE}/instances?StudyDate={_days(r, 30)}"),
    Shape("instances by StudyDate, a year", lambda r: f"{AZURE}/instances?StudyDate={_days(r, 365)}"),
    Shape("instances by Modality, common", _fixed(f"{AZURE}/instances?Modality=CT")),
    Shape("instances by Modality, rare", _fixed(f"{AZURE}/instances?Modality=MG")),
    Shape("instances by extended query tag", lambda r: f"{AZURE}/instances?AdmissionID={_study(r).admission_id}"),
    Shape("instances by an SOP class that is not there", _fixed(f"{STANDARD}/instances?limit=100&SOPClassUID=1.2.3")),
)
