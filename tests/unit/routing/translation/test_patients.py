"""Patients out of studies: each once, told as its first study tells it, with counts that are true or not told."""

from __future__ import annotations

from typing import Any

from isocenter.routing.translation.json_row import JsonRow
from isocenter.routing.translation.patients import INSTANCES, PATIENT_ID, SERIES, STUDIES, count_patients, iter_patients


def _study(patient_id: str, *, issuer: str = "", series: int | None = 1, name: str = "Doe") -> dict[str, Any]:
    return {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]},
        "00100020": {"vr": "LO", "Value": [patient_id]} if patient_id else {"vr": "LO"},
        "00100021": {"vr": "LO", "Value": [issuer]} if issuer else {"vr": "LO"},
        "00201206": {"vr": "IS", "Value": [series]} if series is not None else {"vr": "IS"},
        "00201208": {"vr": "IS", "Value": [10]},
    }


def test_a_patient_with_several_studies_is_one() -> None:
    rows = [_study("1"), _study("2"), _study("1")]
    assert [JsonRow(row).text_of(PATIENT_ID) for row in iter_patients(rows)] == ["1", "2"]


def test_one_number_of_two_issuers_is_two_patients() -> None:
    assert len(list(iter_patients([_study("1", issuer="A"), _study("1", issuer="B")]))) == 2


def test_without_a_number_the_name_tells_patients_apart() -> None:
    assert len(list(iter_patients([_study("", name="Doe"), _study("", name="Roe"), _study("", name="Doe")]))) == 2


def test_counts_are_the_sums_over_the_studies() -> None:
    (patient,) = map(JsonRow, count_patients([_study("1", series=2), _study("1", series=3)]))
    assert [patient.text_of(tag) for tag in (STUDIES, SERIES, INSTANCES)] == ["2", "5", "20"]


def test_a_count_that_a_study_lacks_is_not_told() -> None:
    (patient,) = map(JsonRow, count_patients([_study("1"), _study("1", series=None)]))
    assert [patient.text_of(tag) for tag in (STUDIES, SERIES, INSTANCES)] == ["2", "", "20"]
