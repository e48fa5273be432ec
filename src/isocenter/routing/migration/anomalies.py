"""What an inventory finds that somebody should look at before images move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from isocenter.dicom.dictionary import uid_name
from isocenter.domain.identifiers import is_uid


class AnomalyKind(StrEnum):
    """What is odd."""

    TWO_PATIENTS = "two-patients"
    NO_PATIENT_ID = "no-patient-id"
    NO_STUDY_DATE = "no-study-date"
    INVALID_UID = "invalid-uid"
    NO_INSTANCES = "no-instances"
    COUNT_DIFFERS = "count-differs"
    ODD_SOP_CLASS = "odd-sop-class"
    INSTANCE_TWICE = "instance-twice"
    UNREADABLE_FILE = "unreadable-file"
    NOT_LISTED = "not-listed"
    ANSWERS_CUT = "answers-cut"
    UNDATED_UNKNOWN = "undated-unknown"


WORDS = {
    AnomalyKind.TWO_PATIENTS: "The study is there under more than one patient ID; settle at the source whose it is.",
    AnomalyKind.NO_PATIENT_ID: "The study has no patient ID; some targets refuse it.",
    AnomalyKind.NO_STUDY_DATE: "The study has no date; it comes in the last wave.",
    AnomalyKind.INVALID_UID: "A UID is no UID by the standard; targets refuse it, and nothing of it is moved.",
    AnomalyKind.NO_INSTANCES: "The source lists the study and has no instance of it; there is nothing to move.",
    AnomalyKind.COUNT_DIFFERS: "The source counts another number of instances than it lists.",
    AnomalyKind.ODD_SOP_CLASS: "A SOP class is private, unknown, or none that is stored; the target may not take it.",
    AnomalyKind.INSTANCE_TWICE: "Two files have one SOP Instance UID and other bytes; only the first is moved.",
    AnomalyKind.UNREADABLE_FILE: "A file begins as DICOM and cannot be read as an instance; it is not moved.",
    AnomalyKind.NOT_LISTED: "The source would not list what is in the study; it is moved as a whole and not verified.",
    AnomalyKind.ANSWERS_CUT: "The source cuts off its answers even for one minute; studies may be missing.",
    AnomalyKind.UNDATED_UNKNOWN: "The source cuts its answers off, and no interval finds studies without a date; "
    "compare the number of studies with what the source's own pages show.",
}
"""For people."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that is odd."""

    kind: AnomalyKind
    where: str
    """A study by its UID, a file by its path, an interval of the inventory; never the value of another attribute."""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What an inventory found of one study."""

    study_instance_uid: str
    patient_ids: frozenset[str]
    study_date: str
    counted: int | None
    """NumberOfStudyRelatedInstances, None where the source does not tell."""
    listed: int | None
    """Instances that were listed, None where they were not yet."""
    sop_class_uids: frozenset[str]
    uids: frozenset[str] = frozenset()
    """Of its series and instances that are no UIDs, if any."""


def find_anomalies(study: StudyFacts) -> Iterator[Anomaly]:
    """Yield what is odd about a study."""
    where = study.study_instance_uid
    if not is_uid(where) or study.uids:
        yield Anomaly(AnomalyKind.INVALID_UID, where)
    if len(study.patient_ids) > 1:
        yield Anomaly(AnomalyKind.TWO_PATIENTS, where)
    if "" in study.patient_ids or not study.patient_ids:
        yield Anomaly(AnomalyKind.NO_PATIENT_ID, where)
    if not study.study_date:
        yield Anomaly(AnomalyKind.NO_STUDY_DATE, where)
    if study.listed == 0 or (study.listed is None and study.counted == 0):
        yield Anomaly(AnomalyKind.NO_INSTANCES, where)
    elif study.listed is not None and study.counted not in (None, study.listed):
        yield Anomaly(AnomalyKind.COUNT_DIFFERS, where)
    if any(map(is_odd_class, study.sop_class_uids)):
        yield Anomaly(AnomalyKind.ODD_SOP_CLASS, where)


def is_odd_class(sop_class_uid: str) -> bool:
    """Tell whether a SOP class is none that archives surely keep."""
    name = uid_name(sop_class_uid)
    return name is None or "Storage" not in name
