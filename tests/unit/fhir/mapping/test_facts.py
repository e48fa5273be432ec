"""What an instance says: values, what is wrong with each attribute told apart, what makes it be left out."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.fhir.mapping.facts import TAGS, InstanceFacts, Looked, Reading, look_at
from isocenter.fhir.mapping.problem import Problem
from tests.support.instances import CT_IMAGE_STORAGE, identify

FULL: dict[str, object] = {
    "PatientID": "4711",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientName": {"Alphabetic": "Doe^John"},
    "PatientSex": "m",
    "PatientBirthDate": "19700102",
    "StudyDate": "20260102",
    "StudyTime": "0304",
    "SeriesDate": "20260103",
    "SeriesTime": "05",
    "TimezoneOffsetFromUTC": "-0500",
    "AccessionNumber": "A1",
    "StudyDescription": "CT head",
    "ProcedureCodeSequence": {"00080100": {"vr": "SH", "Value": ["P1"]}},
    "Modality": "CT",
    "SeriesNumber": 3,
    "SeriesDescription": "thin",
    "InstanceNumber": "7",
    "ContentSequence": {},
}
WRONG: dict[str, object] = {
    "PatientSex": "W",
    "PatientBirthDate": "1970",
    "StudyDate": "x",
    "StudyTime": "x",
    "SeriesDate": "x",
    "SeriesTime": "x",
    "TimezoneOffsetFromUTC": "x",
    "ProcedureCodeSequence": {},
    "SeriesNumber": "-1",
    "InstanceNumber": "x",
    "AccessionNumber": {},
    "StudyDescription": {},
    "SeriesDescription": {},
    "IssuerOfPatientID": {},
}


def _look(values: dict[str, object], *, invalid: tuple[str, ...] = (), reading: Reading | None = None) -> Looked:
    metadata = {TAGS[keyword]: {"vr": "LO", "Value": [value]} for keyword, value in values.items()}
    return look_at(
        identify(1),
        metadata,
        sop_class_uid=CT_IMAGE_STORAGE,
        order=1,
        invalid=invalid,
        reading=reading or Reading(),
    )


def _facts(values: dict[str, object], **options: Any) -> InstanceFacts:
    looked = _look(values, **options)
    assert looked.facts is not None
    return looked.facts


def test_every_attribute_is_mapped() -> None:
    assert set(FULL) == set(TAGS)
    facts = _facts(FULL)
    assert (facts.patient.patient_id, facts.patient.issuer, facts.patient.name) == ("4711", "HOSPITAL", "Doe^John")
    assert (facts.patient.gender, facts.patient.birth_date) == ("male", "1970-01-02")
    assert (facts.study.started, facts.series.started) == ("2026-01-02T03:04:00-05:00", "2026-01-03T05:00:00-05:00")
    assert (facts.study.accession_number, facts.study.description) == ("A1", "CT head")
    assert [code.value for code in facts.study.procedure_codes] == ["P1"]
    assert (facts.series.modality, facts.series.number, facts.series.description) == ("CT", 3, "thin")
    assert facts.number == 7


def test_what_is_required_is_enough() -> None:
    looked = _look({"PatientID": "1", "Modality": "CT"})
    assert looked.facts is not None
    assert looked.problems == ()
    assert looked.facts.study.procedure_codes == ()


@pytest.mark.parametrize("keyword", ["PatientID", "Modality"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_an_instance_without_what_is_required_is_left_out(keyword: str, value: str | None) -> None:
    values = {name: one for name, one in FULL.items() if name != keyword} | ({} if value is None else {keyword: value})
    looked = _look(values)
    assert looked.facts is None
    assert looked.problems == (Problem(keyword, "is required and has no value", True),)


@pytest.mark.parametrize("keyword", ["PatientID", "Modality"])
def test_one_whose_required_value_cannot_be_read_says_why_once(keyword: str) -> None:
    assert _look(FULL | {keyword: {}}).problems == (Problem(keyword, "is not a text", True),)
    left = {name: one for name, one in FULL.items() if name != keyword}
    [problem] = _look(left, invalid=(TAGS[keyword],)).problems
    assert (problem.is_required, "value representation" in problem.reason) == (True, True)


@pytest.mark.parametrize("keyword", sorted(WRONG))
def test_each_other_attribute_fails_alone(keyword: str) -> None:
    looked = _look(FULL | {keyword: WRONG[keyword]})
    assert looked.facts is not None
    assert [(one.attribute, one.is_required) for one in looked.problems] == [(keyword, False)]
    assert str(WRONG[keyword]) not in looked.problems[0].reason.split()


@pytest.mark.parametrize("keyword", sorted(WRONG))
def test_where_validation_is_enforced_each_leaves_the_instance_out(keyword: str) -> None:
    looked = _look(FULL | {keyword: WRONG[keyword]}, reading=Reading(enforces=True))
    assert looked.facts is None
    assert [(one.attribute, one.is_required) for one in looked.problems] == [(keyword, True)]


def test_what_a_store_found_not_valid_is_told() -> None:
    left = {name: one for name, one in FULL.items() if name != "StudyDate"}
    looked = _look(left, invalid=(TAGS["StudyDate"], "00091001"))
    assert looked.facts is not None
    assert looked.facts.study.started is None
    assert [one.attribute for one in looked.problems] == ["StudyDate"]


def test_an_offset_is_taken_from_the_settings_where_the_instance_names_none() -> None:
    without = {name: one for name, one in FULL.items() if name != "TimezoneOffsetFromUTC"}
    assert _facts(without).study.started == "2026-01-02"
    assert _facts(without, reading=Reading("+02:00")).study.started == "2026-01-02T03:04:00+02:00"
    assert _facts(FULL, reading=Reading("+02:00")).study.started == "2026-01-02T03:04:00-05:00"


@pytest.mark.parametrize(("sex", "gender"), [("F", "female"), ("O", "other"), ("", None), (None, None)])
def test_the_sex_becomes_a_gender(sex: str | None, gender: str | None) -> None:
    values = {name: one for name, one in FULL.items() if name != "PatientSex"}
    assert _facts(values | ({} if sex is None else {"PatientSex": sex})).patient.gender == gender
