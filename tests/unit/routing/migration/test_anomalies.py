"""What an inventory finds odd about a study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.routing.migration.anomalies import WORDS, AnomalyKind, StudyFacts, find_anomalies, is_odd_class

CT = "1.2.840.10008.5.1.4.1.1.2"
SOUND = StudyFacts("1.2.3", frozenset({"P1"}), "20200101", counted=2, listed=2, sop_class_uids=frozenset({CT}))


def _kinds(study: StudyFacts) -> set[AnomalyKind]:
    return {one.kind for one in find_anomalies(study)}


def test_nothing_is_odd_about_a_sound_study() -> None:
    assert _kinds(SOUND) == set()
    assert _kinds(replace(SOUND, counted=None)) == set()


@pytest.mark.parametrize(
    ("study", "kind"),
    [
        (replace(SOUND, patient_ids=frozenset({"P1", "P2"})), AnomalyKind.TWO_PATIENTS),
        (replace(SOUND, patient_ids=frozenset({""})), AnomalyKind.NO_PATIENT_ID),
        (replace(SOUND, study_date=""), AnomalyKind.NO_STUDY_DATE),
        (replace(SOUND, study_instance_uid="one"), AnomalyKind.INVALID_UID),
        (replace(SOUND, listed=0), AnomalyKind.NO_INSTANCES),
        (replace(SOUND, counted=0, listed=None), AnomalyKind.NO_INSTANCES),
        (replace(SOUND, counted=3), AnomalyKind.COUNT_DIFFERS),
        (replace(SOUND, sop_class_uids=frozenset({CT, "1.3.12.2.1107.5.9.1"})), AnomalyKind.ODD_SOP_CLASS),
    ],
)
def test_what_is_odd_is_named(study: StudyFacts, kind: AnomalyKind) -> None:
    assert _kinds(study) == {kind}


def test_odd_classes_are_private_or_not_stored() -> None:
    assert not is_odd_class(CT)
    assert is_odd_class("1.3.12.2.1107.5.9.1")
    assert is_odd_class("1.2.840.10008.1.1")


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(AnomalyKind)
