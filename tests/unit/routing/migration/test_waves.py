"""Waves: who comes first, how large they are, and what a list of patients may look like."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.routing.migration.waves import Order, PlannedStudy, parse_patients, plan_waves

STUDIES = [
    PlannedStudy("1.1", "20200101", "P1", 10),
    PlannedStudy("1.2", "20240101", "P2", 10),
    PlannedStudy("1.3", "", "P3", 10),
    PlannedStudy("1.4", "20220101", "P1", 10),
]


def test_the_newest_come_first_and_the_undated_last() -> None:
    [wave] = plan_waves(STUDIES)
    assert wave.study_instance_uids == ("1.2", "1.4", "1.1", "1.3")
    assert (wave.instances, wave.first_date, wave.last_date) == (40, "20200101", "20240101")


def test_the_oldest_can_come_first() -> None:
    [wave] = plan_waves(STUDIES, order=Order.OLDEST)
    assert wave.study_instance_uids == ("1.1", "1.4", "1.2", "1.3")


def test_a_wave_is_no_larger_than_it_is_to_be_but_for_one_large_study() -> None:
    large = PlannedStudy("1.5", "20260101", "P4", 100)
    waves = plan_waves([*STUDIES, large], wave_instances=20)
    assert [wave.instances for wave in waves] == [100, 20, 20]
    assert [wave.number for wave in waves] == [1, 2, 3]


def test_patients_that_are_named_come_first_in_a_wave_of_their_own() -> None:
    waves = plan_waves(STUDIES, patients=["P3", "P1"])
    assert [wave.study_instance_uids for wave in waves] == [("1.3", "1.4", "1.1"), ("1.2",)]


def test_only_the_patients_that_are_named_can_move() -> None:
    waves = plan_waves(STUDIES, patients=["P1"], only_patients=True)
    assert [wave.study_instance_uids for wave in waves] == [("1.4", "1.1")]


@pytest.mark.parametrize(
    "text",
    [
        "PatientID,Name\nP1,A\nP2,B\n",
        "name;patient id\n",
        "P1\nP2\n",
        "Patient ID\nP1\n\nP2\n",
        "x,patient_id\n1,P1\n2,P2",
    ],
)
def test_lists_of_patients_are_read_by_their_column(text: str) -> None:
    if ";" in text:
        assert parse_patients(text) == ["name;patient id"]  # one column of text: nobody has that ID, and nobody moves
    else:
        assert parse_patients(text) == ["P1", "P2"]


@pytest.mark.parametrize("text", ["", "\n\n", "a,b\n1,2\n"])
def test_lists_that_name_nobody_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_patients(text)
