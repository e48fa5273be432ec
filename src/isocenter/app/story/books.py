"""The books of the story: which of its studies must be in which archive, after which steps have been played."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.story import Script, StoryStudy, StudyKind

JULE = 1


class Place(StrEnum):
    """An archive."""

    PACS = "PACS"
    CLOUD = "cloud"


BOTH = frozenset(Place)
_SHIPMENTS: tuple[tuple[int, Script, frozenset[Place]], ...] = (
    (1, Script.PRELOAD, frozenset({Place.PACS})),
    (2, Script.TO_PACS, frozenset({Place.PACS})),
    (5, Script.TO_ROUTER, BOTH),
    (5, Script.TO_ROUTER_EXTRA, BOTH),
    (6, Script.MIGRATE, frozenset({Place.CLOUD})),
)
"""After which step the studies of a script are where."""


@dataclass(slots=True)
class Books:
    """What must be where. Only studies of the story are in them; whatever else an archive has is not their business."""

    studies: tuple[StoryStudy, ...]
    played: set[int] = field(default_factory=set)
    """Steps that have been played, and did what they do."""
    sent_under_trouble: dict[str, int] = field(default_factory=dict)
    """Studies of the outages, with the number of the patient."""

    def of_script(self, script: Script) -> list[StoryStudy]:
        """Return what a script sends."""
        return [study for study in self.studies if study.script is script]

    def jules(self, kind: StudyKind) -> StoryStudy:
        """Return Jule's first study of a kind."""
        return next(study for study in self.studies if study.patient_number == JULE and study.kind is kind)

    def expected(self, place: Place, patients: Collection[int] = range(1, 9)) -> frozenset[str]:
        """Return the studies of patients that must be at a place."""
        found = {
            study.study_instance_uid
            for step, script, places in _SHIPMENTS
            if step in self.played and place in places
            for study in self.of_script(script)
            if study.patient_number in patients
        }
        if JULE in patients:
            found |= self._moved_of_jule(place)
        found |= {uid for uid, patient in self.sent_under_trouble.items() if patient in patients}
        return frozenset(found)

    def own(self, found: Iterable[str]) -> frozenset[str]:
        """Return which of some studies belong to the story."""
        known = {study.study_instance_uid for study in self.studies} | set(self.sent_under_trouble)
        return frozenset(found) & known

    def _moved_of_jule(self, place: Place) -> set[str]:
        if place is Place.CLOUD and 4 in self.played:
            return {self.jules(StudyKind.RECENT).study_instance_uid}
        if place is Place.PACS and 7 in self.played:
            return {self.jules(StudyKind.PRIOR).study_instance_uid}
        return set()


def patient_id(number: int) -> str:
    """Return the ID of a patient of the story."""
    return STORY_PATIENTS[number - 1].patient_id


def given_name(number: int) -> str:
    """Return how the story calls a patient: the name that was given, without the digits of its kind."""
    return STORY_PATIENTS[number - 1].name.partition("^")[2].rstrip("0123456789")
