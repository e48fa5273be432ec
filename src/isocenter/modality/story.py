"""The studies of the walk-through: eight patients, each with a prior, a recent and a new study.

Faithful mode has one chest radiograph in each of the 24 studies. Extended mode adds studies of other modalities whose
dates lie close enough together that a window of some years finds them. Dates and file numbers never change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from isocenter.modality.chest import Build
from isocenter.modality.identifiers import derive_uid
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import CrSeriesPlan, StudyPlan, reduced
from isocenter.modality.story_extensions import EXTENSIONS, NEW_DAY, Extension, StudyKind
from isocenter.modality.studies import iter_study

__all__ = [
    "NEW_DAY", "STORY_SEED", "Script", "StoryMode", "StoryStudy", "StudyKind", "iter_instances", "script_of",
    "story_studies",
]  # fmt: skip

STORY_SEED = 20221122


class StoryMode(StrEnum):
    """How much the story has to show."""

    FAITHFUL = "faithful"
    EXTENDED = "extended"


class Script(StrEnum):
    """What sends a study, and where to."""

    PRELOAD = "1-preload-orthanc"
    TO_PACS = "2-modality-pushing-to-orthanc"
    TO_ROUTER = "3-modality-pushing-to-qie"
    TO_ROUTER_EXTRA = "4-modality-pushing-to-qie-extra"
    MIGRATE = "5-migrate-archive"


@dataclass(frozen=True, slots=True)
class StoryStudy:
    """One study of the story."""

    patient_number: int
    """From 1 to 8."""
    kind: StudyKind
    script: Script
    file_name: str
    """Of its only instance; the stem of all where there are several."""
    plan: StudyPlan

    @property
    def study_instance_uid(self) -> str:
        """Return the UID of the study."""
        assert self.plan.study_instance_uid is not None
        return self.plan.study_instance_uid

    @property
    def file_names(self) -> tuple[str, ...]:
        """Return a name for each instance, in the order of `iter_instances`."""
        count = self.plan.number_of_instances
        if count == 1:
            return (self.file_name,)
        stem = self.file_name.removesuffix(".dcm")
        return tuple(f"{stem}-{number:03d}.dcm" for number in range(1, count + 1))

    def reduced(self, factor: int) -> StoryStudy:
        """Return the same study with coarser pictures, for where only its way is of interest."""
        return replace(self, plan=reduced(self.plan, factor))


_DAYS = (
    # prior, recent: day and file number; file number of the new study (routing-and-gateway 2.3)
    (("19940223", 491), ("20110602", 978), 558),
    (("20040831", 636), ("20121030", 383), 143),
    (("19691116", 173), ("19760721", 415), 361),
    (("20120202", 393), ("20120411", 909), 347),
    (("19900304", 949), ("20110927", 360), 16),
    (("19760525", 117), ("19821029", 530), 696),
    (("19700306", 49), ("19770205", 15), 941),
    (("19831220", 881), ("19891215", 686), 622),
)
_BREADTHS = (0.94, 1.03, 0.96, 1.0, 0.97, 1.02, 0.95, 1.04)
_LARGEST_HEART = 1.24


def story_studies(mode: StoryMode = StoryMode.FAITHFUL) -> tuple[StoryStudy, ...]:
    """Return the studies of the story: all priors, all recent ones, all new ones; what extended mode adds is last."""
    days = [(number, *row) for number, row in enumerate(_DAYS, start=1)]
    priors = [_radiograph(number, StudyKind.PRIOR, *prior) for number, prior, _, _ in days]
    recent = [_radiograph(number, StudyKind.RECENT, *recent) for number, _, recent, _ in days]
    new = [_radiograph(number, StudyKind.NEW, NEW_DAY, new) for number, _, _, new in days]
    faithful = (*priors, *recent, *new)
    return faithful if mode is StoryMode.FAITHFUL else (*faithful, *(_more(extra) for extra in EXTENSIONS))


def iter_instances(study: StoryStudy) -> Iterator[bytes]:
    """Yield the instances of a study as Part 10 files, the same bytes each time."""
    return iter_study(study.plan, STORY_SEED)


def script_of(patient_number: int, kind: StudyKind) -> Script:
    """Return the script that sends a study (routing-and-gateway 2.4)."""
    if kind is StudyKind.PRIOR:
        return Script.MIGRATE
    if kind is StudyKind.RECENT:
        return Script.PRELOAD
    if patient_number <= 3:
        return Script.TO_PACS
    return Script.TO_ROUTER if patient_number <= 6 else Script.TO_ROUTER_EXTRA


def _more(extra: Extension) -> StoryStudy:
    patient = STORY_PATIENTS[extra.patient_number - 1]
    begun = datetime.strptime(extra.day + extra.time, "%Y%m%d%H%M")
    plan = StudyPlan(
        patient,
        begun,
        f"ACC{extra.file_number:07d}",
        extra.description,
        extra.series,
        finding=extra.finding,
        build=replace(_build(extra.patient_number, begun), arms_raised=True, nodule=extra.has_nodule),
        atrophy=max(0.1, (patient.age_years_on(begun.date()) - 30) / 100),
        study_instance_uid=derive_uid(STORY_SEED, patient.patient_id, extra.day, extra.file_number),
        anatomy_seed=STORY_SEED + extra.patient_number,
    )
    name = f"patient{extra.patient_number}-{extra.day}-{extra.file_number}.dcm"
    kind = extra.kind
    return StoryStudy(extra.patient_number, kind, script_of(extra.patient_number, kind), name, plan)


def _radiograph(number: int, kind: StudyKind, day: str, file_number: int) -> StoryStudy:
    patient = STORY_PATIENTS[number - 1]
    is_jules_recent_one = number == 1 and kind is StudyKind.RECENT
    begun = datetime.strptime(f"{day}{8 + number:02d}{file_number % 60:02d}", "%Y%m%d%H%M")
    plan = StudyPlan(
        patient,
        begun,
        f"ACC{file_number:07d}",
        "CHEST AP PORT",
        (CrSeriesPlan("AP", "AP", body_part="PORT CHEST" if is_jules_recent_one else "CHEST", series_number=3),),
        referring_physician="" if is_jules_recent_one else "Quill^Ada^^Dr.",
        build=_build(number, begun),
        extra={"StudyID": "", "Laterality": ""} if is_jules_recent_one else {},
        study_instance_uid=derive_uid(STORY_SEED, patient.patient_id, day, 0),
        anatomy_seed=STORY_SEED + number,
    )
    return StoryStudy(number, kind, script_of(number, kind), f"patient{number}-{day}-{file_number:03d}.dcm", plan)


def _build(number: int, day: datetime) -> Build:
    """Return what the chest of a patient is like on a day: hearts grow with age."""
    patient = STORY_PATIENTS[number - 1]
    age = patient.age_years_on(day.date())
    heart = min(_LARGEST_HEART, 0.96 + age / 300)
    return Build(_BREADTHS[number - 1], heart, breasts=patient.sex == "F" and age >= 16, arms_raised=False)
