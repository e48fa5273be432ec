from __future__ import annotations

from datetime import date
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.domain.identifiers import is_uid
from isocenter.modality.story import (
    Script,
    StoryMode,
    StoryStudy,
    StudyKind,
    iter_instances,
    script_of,
    story_studies,
)

REDUCTION = 16
TABLE = """
    prior  patient1-19940223-491 patient2-20040831-636 patient3-19691116-173 patient4-20120202-393
           patient5-19900304-949 patient6-19760525-117 patient7-19700306-049 patient8-19831220-881
    recent patient1-20110602-978 patient2-20121030-383 patient3-19760721-415 patient4-20120411-909
           patient5-20110927-360 patient6-19821029-530 patient7-19770205-015 patient8-19891215-686
    new    patient1-20221122-558 patient2-20221122-143 patient3-20221122-361 patient4-20221122-347
           patient5-20221122-016 patient6-20221122-696 patient7-20221122-941 patient8-20221122-622
"""
"""Routing-and-gateway 2.3."""


def _jules_recent_one() -> StoryStudy:
    return next(s for s in story_studies() if s.patient_number == 1 and s.kind is StudyKind.RECENT)


@pytest.fixture(scope="module")
def jule() -> FileDataset:
    (part10,) = iter_instances(_jules_recent_one().reduced(REDUCTION))
    return dcmread(BytesIO(part10))


def test_the_faithful_story_is_the_table_of_24_studies() -> None:
    expected: list[tuple[str, str]] = []
    kind = ""
    for word in TABLE.split():
        if word in set(StudyKind):
            kind = word
        else:
            expected.append((kind, f"{word}.dcm"))
    assert [(s.kind.value, s.file_name) for s in story_studies(StoryMode.FAITHFUL)] == expected


def test_every_study_of_the_faithful_story_is_one_radiograph_named_by_patient_and_day() -> None:
    for study in story_studies():
        assert study.plan.number_of_instances == 1
        assert study.file_names == (study.file_name,)
        assert study.file_name.startswith(f"patient{study.patient_number}-{study.plan.started_at:%Y%m%d}-")


def test_each_script_sends_what_the_walk_through_says() -> None:
    sent = {script: [(s.patient_number, s.kind) for s in story_studies() if s.script is script] for script in Script}
    everyone = range(1, 9)
    assert sent == {
        Script.PRELOAD: [(n, StudyKind.RECENT) for n in everyone],
        Script.TO_PACS: [(n, StudyKind.NEW) for n in (1, 2, 3)],
        Script.TO_ROUTER: [(n, StudyKind.NEW) for n in (4, 5, 6)],
        Script.TO_ROUTER_EXTRA: [(n, StudyKind.NEW) for n in (7, 8)],
        Script.MIGRATE: [(n, StudyKind.PRIOR) for n in everyone],
    }


@pytest.mark.parametrize("mode", list(StoryMode))
def test_studies_have_uids_and_accession_numbers_of_their_own(mode: StoryMode) -> None:
    studies = story_studies(mode)
    assert (
        len({s.study_instance_uid for s in studies}) == len({s.plan.accession_number for s in studies}) == len(studies)
    )
    assert all(is_uid(s.study_instance_uid) and s.study_instance_uid.startswith("2.25.") for s in studies)


@pytest.mark.parametrize("mode", list(StoryMode))
def test_nobody_is_imaged_before_birth_or_after_the_day_of_the_story(mode: StoryMode) -> None:
    for study in story_studies(mode):
        assert study.plan.patient.birth_date < study.plan.started_at.date() <= date(2022, 11, 22)


def test_jules_study_is_the_one_of_the_manual(jule: FileDataset) -> None:
    assert (jule.PatientName, jule.PatientSex, jule.PatientBirthDate) == ("Schmeler639^Jule420", "F", "19850828")
    assert jule.PatientID == "473c6a11-3ddb-4f72-911a-17e9911dc666"
    assert (jule.StudyDescription, jule.Modality, jule.StudyDate) == ("CHEST AP PORT", "CR", "20110602")
    assert (jule.SeriesDescription, jule.BodyPartExamined, jule.SeriesNumber) == ("AP", "PORT CHEST", 3)
    assert not jule.ReferringPhysicianName
    assert not jule.StudyID
    assert jule.AccessionNumber == "ACC0000978"


def test_the_instance_carries_the_uid_that_its_study_promises(jule: FileDataset) -> None:
    assert jule.StudyInstanceUID == _jules_recent_one().study_instance_uid


def test_the_uids_of_the_story_never_change(jule: FileDataset) -> None:
    assert jule.StudyInstanceUID == "2.25.96561024401389652605432881685563879761"
    assert jule.SOPInstanceUID == "2.25.336717738265571367879430224161225181594"


def test_a_study_is_the_same_bytes_each_time() -> None:
    study = _jules_recent_one().reduced(REDUCTION)
    assert list(iter_instances(study)) == list(iter_instances(study))


def test_a_script_follows_from_the_patient_and_the_kind_alone() -> None:
    assert script_of(3, StudyKind.NEW) is Script.TO_PACS
    assert script_of(4, StudyKind.NEW) is Script.TO_ROUTER
