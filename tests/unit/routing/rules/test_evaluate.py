from __future__ import annotations

import time

import pytest
from hypothesis import given, settings

from isocenter.routing.rules.comparison import MATCHED_LENGTH_MAX
from isocenter.routing.rules.evaluate import explain, holds
from isocenter.routing.rules.expression import PATTERN_LENGTH_MAX, And, Expression, Not, Or
from isocenter.routing.rules.parse import parse_expression
from isocenter.routing.rules.subject import Subject
from isocenter.routing.rules.values import VALUES_MAX
from tests.support.rule_expressions import (
    ACQUISITION,
    CODE_VALUE,
    IMAGE_TYPE,
    MODALITY,
    PATIENT_AGE,
    REQUEST,
    ROWS,
    SLICE_THICKNESS,
    STUDY_DATE,
    STUDY_DESCRIPTION,
    STUDY_TIME,
    VIEW_CODE,
    Item,
    expressions,
    subject,
    subjects,
)

CT = Item(
    {
        MODALITY: ["CT"],
        IMAGE_TYPE: ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ROWS: ["512"],
        SLICE_THICKNESS: ["1.50"],
        STUDY_DATE: ["20261101"],
        STUDY_TIME: ["0730"],
        ACQUISITION: ["20261101073000.5+0100"],
        PATIENT_AGE: ["017Y"],
        STUDY_DESCRIPTION: ["Thorax Übersicht"],
        0x00090011: ["ACME"],
        0x0009110C: ["yes"],
    },
    {
        REQUEST: [Item({0x00080050: ["A1"]}), Item({0x00080050: ["A2"], CODE_VALUE: ["x"]})],
        VIEW_CODE: [Item({CODE_VALUE: ["R-1"], 0x00080102: ["SRT"]}), Item({CODE_VALUE: ["R-2"], 0x00080102: ["DCM"]})],
    },
)


def _holds(text: str, of: Subject | None = None) -> bool:
    return holds(parse_expression(text), of or subject(CT))


@pytest.mark.parametrize(
    "text",
    [
        'Modality = "CT"',
        'Modality in ("MR", "CT")',
        'ImageType = "LOCALIZER"',
        'ImageType[3] = "LOCALIZER"',
        "count(ImageType) = 3",
        "Rows = 512.0",
        "Rows between 512 and 512",
        "SliceThickness = 1.5",
        "SliceThickness in (2, 1.5)",
        "StudyDate = 2026-11-01",
        "StudyDate >= today - 20d",
        "StudyDate between 2026-10-31 and today",
        "AcquisitionDateTime = 2026-11-01",
        "StudyTime = 7:30",
        "StudyTime between 07:00 and 07:30",
        "PatientAge < 18y",
        "PatientAge > 200m",
        'StudyDescription like "*thorax*"',
        'StudyDescription like "thorax ?bersicht"',
        'StudyDescription contains "ubersicht"',
        'RequestAttributesSequence.AccessionNumber = "A2"',
        'RequestAttributesSequence[2].AccessionNumber = "A2"',
        "count(RequestAttributesSequence) = 2",
        'ViewCodeSequence has (CodeValue = "R-1" and CodingSchemeDesignator = "SRT")',
        '(0009,xx0C,"ACME") = "yes"',
        "AccessionNumber is missing",
        "ViewCodeSequence is present",
        "ImageType[3] is present",
        'AccessionNumber != "x"',
        'calling_ae_title = "CT1"',
        'called_ae_title like "rout*"',
        'address in ("10.2.0.0/16", "10.1.0.0/16")',
        'address = "10.1.2.3"',
        'transfer_syntax_uid = "1.2.840.10008.1.2.1"',
        "size = 1000",
        "size < 1KiB",
        "date = 2026-11-21",
        "date = today",
        "time between 09:00 and 11:00",
        "time between 22:00 and 10:00",
        "weekday = saturday",
        "weekday between friday and monday",
    ],
)
def test_holds(text: str) -> None:
    assert _holds(text)


@pytest.mark.parametrize(
    "text",
    [
        'Modality = "ct"',
        'Modality = "C*"',
        'ImageType[2] = "LOCALIZER"',
        'ImageType[4] != "x" and ImageType[4] is present',
        "ImageType[4] is present",
        'ImageType != "LOCALIZER"',
        'AccessionNumber = ""',
        'AccessionNumber like "*"',
        "NumberOfFrames < 5",
        "NumberOfFrames > 5",
        "PatientAge >= 18y",
        'RequestAttributesSequence[1].AccessionNumber = "A2"',
        'RequestAttributesSequence[3].AccessionNumber = "A2"',
        'ViewCodeSequence has (CodeValue = "R-1" and CodingSchemeDesignator = "DCM")',
        '(0009,xx0C,"ELSE") is present',
        'address = "10.1.2.4"',
        "time between 22:00 and 06:00",
        "weekday between monday and friday",
        "StudyDate > today",
    ],
)
def test_does_not_hold(text: str) -> None:
    assert not _holds(text)


def test_a_value_that_is_none_of_its_vr_fits_nothing_and_is_present() -> None:
    broken = subject(Item({ROWS: ["many", "NaN", "1_0", "9" * 99], STUDY_DATE: ["yesterday"], PATIENT_AGE: ["old"]}))
    for text in ("Rows > 0", "Rows <= 0", "StudyDate > 1900-01-01", "PatientAge > 0y"):
        assert not _holds(text, broken)
        assert explain(parse_expression(text), broken).has_unfit_value
    assert _holds("Rows is present", broken)


@pytest.mark.parametrize("fact", ["calling_ae_title", "called_ae_title", "address"])
def test_what_did_not_come_by_an_association_has_no_titles(fact: str) -> None:
    assert _holds(f"{fact} is missing", subject(CT, calling=None))


def test_an_address_of_ipv4_that_came_over_ipv6_is_what_it_is() -> None:
    sender = Subject(CT, subject().received_at, 1, "", address="::ffff:10.1.2.3")
    assert _holds('address in ("10.1.0.0/16")', sender)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [("2026-11-21T21:59:59", False), ("2026-11-21T22:00:00", True), ("2026-11-22T00:00:00", True),
     ("2026-11-22T06:00:00", True), ("2026-11-22T06:00:01", False)],
)  # fmt: skip
def test_hours_pass_midnight(at: str, is_open: bool) -> None:
    assert _holds("time between 22:00 and 06:00", subject(CT, at=at)) is is_open


@settings(max_examples=120)
@given(expression=expressions(), of=subjects())
def test_the_explanation_comes_to_what_the_evaluation_does(expression: Expression, of: Subject) -> None:
    assert explain(expression, of).is_true is holds(expression, of)


@settings(max_examples=80)
@given(first=expressions(), second=expressions(), of=subjects())
def test_the_laws_of_logic_hold(first: Expression, second: Expression, of: Subject) -> None:
    assert holds(Not(first), of) is not holds(first, of)
    assert holds(And((first, second)), of) is (holds(first, of) and holds(second, of))
    assert holds(Not(Or((first, second))), of) is holds(And((Not(first), Not(second))), of)


def test_no_pattern_takes_long_for_any_value() -> None:
    pattern = "*a" * (PATTERN_LENGTH_MAX // 2 - 2) + "*b"
    value = "a" * (2 * MATCHED_LENGTH_MAX)
    started = time.process_time()
    assert not _holds(f'StudyDescription like "{pattern}"', subject(Item({STUDY_DESCRIPTION: [value]})))
    assert time.process_time() - started < 20, "a backtracking matcher would never end"


def test_values_beyond_the_limit_are_not_looked_at() -> None:
    values = ["x"] * VALUES_MAX + ["LOCALIZER"]
    assert not _holds('ImageType = "LOCALIZER"', subject(Item({IMAGE_TYPE: values})))
