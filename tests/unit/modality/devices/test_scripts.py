"""The scripts send what the walk-through says, each to its application entity."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.scripts import SCRIPT_LINES, StoryAddresses, parse_script, studies_of
from isocenter.modality.story import Script, StoryMode, StudyKind


@pytest.mark.parametrize(
    ("number", "title", "patients", "kind"),
    [
        ("1", "ORTHANC", range(1, 9), StudyKind.RECENT),
        ("2", "ORTHANC", range(1, 4), StudyKind.NEW),
        ("3", "QIEROUTER", range(4, 7), StudyKind.NEW),
        ("4", "QIEROUTER", range(7, 9), StudyKind.NEW),
        ("5", "QIETOAZURE", range(1, 9), StudyKind.PRIOR),
    ],
)
def test_a_script_sends_its_patients_to_its_peer(number: str, title: str, patients: range, kind: StudyKind) -> None:
    script = parse_script(number)
    studies = studies_of(script, StoryMode.FAITHFUL)
    assert [(study.patient_number, study.kind) for study in studies] == [(patient, kind) for patient in patients]
    assert all(study.plan.number_of_instances == 1 for study in studies)
    assert StoryAddresses().of(script).ae_title == title


def test_a_script_is_known_by_number_and_by_name() -> None:
    for number, script in enumerate(Script, start=1):
        assert parse_script(str(number)) is script is parse_script(script.value)
        assert script in SCRIPT_LINES
    with pytest.raises(InvalidRequest, match="1-preload-orthanc"):
        parse_script("6")


def test_faithful_scripts_send_the_24_studies_together() -> None:
    sent = [study.study_instance_uid for script in Script for study in studies_of(script, StoryMode.FAITHFUL)]
    assert len(sent) == len(set(sent)) == 24
