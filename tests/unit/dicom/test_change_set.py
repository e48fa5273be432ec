from __future__ import annotations

import pytest

from isocenter.dicom.change_set import ATTRIBUTES_MAX, UID_TAGS, UPDATABLE_KEYWORDS, parse_change_set, updatable_tags
from isocenter.dicom.dictionary import dictionary_vr, tag_of
from isocenter.domain.errors import InvalidChanges

NAME, PATIENT_ID = "00100010", "00100020"


def _comments(document: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(InvalidChanges) as refused:
        parse_change_set(document)
    return refused.value.comments


def test_thirty_six_attributes_and_three_uids_can_be_changed() -> None:
    assert len(set(UPDATABLE_KEYWORDS)) == 36
    assert all(tag_of(keyword) for keyword in UPDATABLE_KEYWORDS)
    assert len(updatable_tags()) == 39
    assert updatable_tags() > UID_TAGS


def test_values_come_by_tag_with_their_vr_and_joined_as_in_a_data_set() -> None:
    assert parse_change_set(
        {
            "00101001": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "山"}, {"Alphabetic": "C"}]},
            "PatientID": {"Value": ["12"]},
            "00101030": {"vr": "DS", "Value": [70.5]},
            "00104000": {"vr": "LT", "Value": ["back\\slash"]},
            "00100010": {"vr": "PN", "Value": ["Plain^Name"]},
        }
    ) == {
        0x00100010: ("PN", "Plain^Name"),
        0x00100020: ("LO", "12"),
        0x00101001: ("PN", "A^B=山\\C"),
        0x00101030: ("DS", "70.5"),
        0x00104000: ("LT", "back\\slash"),
    }


@pytest.mark.parametrize("keyword", UPDATABLE_KEYWORDS)
def test_every_updatable_attribute_takes_a_value(keyword: str) -> None:
    tag = tag_of(keyword) or 0
    vr = dictionary_vr(tag)
    value = {"DA": "20260101", "TM": "1200", "AS": "042Y", "CS": "YES", "DS": 1.5, "PN": {"Alphabetic": "A"}}.get(
        vr, "x"
    )
    if vr == "SQ":
        pytest.fail("no sequence can be changed")
    assert parse_change_set({f"{tag:08X}": {"vr": vr, "Value": [value]}})[tag][0] == vr


@pytest.mark.parametrize(
    "name", ["00080060", "00080005", "00020010", "7FE00010", "00100000", "00111001", "Modality", "NoKeyword", "12"]
)
def test_what_cannot_be_changed_is_named(name: str) -> None:
    [comment] = _comments({name: {"vr": "CS", "Value": ["CT"]}})
    assert comment.startswith("DICOM100: (")
    assert comment.endswith(") - Updating the tag is not supported")


def test_the_sentence_is_that_of_the_service() -> None:
    assert _comments({"00080060": {"vr": "CS", "Value": ["CT"]}, "0020000d": {"vr": "UI", "Value": ["1.2"]}}) == (
        "DICOM100: (0008,0060) - Updating the tag is not supported",
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("00100030", {"vr": "DA", "Value": ["1970-01-01"]}, "Value cannot be parsed as a valid date."),
        (PATIENT_ID, {"vr": "LO", "Value": ["x" * 65]}, "Value length exceeds maximum length of 64."),
        (PATIENT_ID, {"vr": "LO", "Value": ["a\nb"]}, "Value contains invalid character."),
        (PATIENT_ID, {"vr": "SH", "Value": ["1"]}, "The element is given with VR 'SH'."),
        ("00101010", {"vr": "AS", "Value": ["42"]}, "Value length is not 4."),
        ("00100040", {"vr": "CS", "Value": ["female"]}, "Value contains invalid character."),
        ("00101030", {"vr": "DS", "Value": ["heavy"]}, "Value is not a decimal string."),
        ("0020000D", {"vr": "UI", "Value": ["1.2.x"]}, "DICOM Identifier is invalid."),
        (NAME, {"vr": "PN", "Value": ["a^b^c^d^e^f"]}, "Value contains more than 5 components."),
    ],
)
def test_what_is_no_value_of_its_vr_is_refused_with_the_reason(
    name: str, content: dict[str, object], reason: str
) -> None:
    [comment] = _comments({name: content})
    assert reason in comment
    assert comment.startswith(f"DICOM100: ({name[:4].lower()},{name[4:].lower()}) - Dicom element '")


@pytest.mark.parametrize("content", [{"vr": "PN"}, {"vr": "PN", "Value": []}, {"vr": "PN", "Value": [None]}, {}])
def test_no_value_can_be_taken_away(content: dict[str, object]) -> None:
    assert _comments({NAME: content}) == (
        "DICOM100: (0010,0010) - Updating the tag to an empty value is not supported",
    )


@pytest.mark.parametrize("content", ["x", None, 3, {"Value": "x"}, {"BulkDataURI": "x"}, {"vr": "ZZ", "Value": ["x"]}])
def test_what_cannot_be_read_is_refused(content: object) -> None:
    assert len(_comments({NAME: content})) == 1


@pytest.mark.parametrize("values", [["1", "2"], ["1\\2"]])
def test_an_attribute_of_one_value_takes_one(values: list[str]) -> None:
    assert "multiple values" in _comments({PATIENT_ID: {"vr": "LO", "Value": values}})[0]


def test_each_attribute_that_is_wrong_is_named_once() -> None:
    comments = _comments({NAME: {"vr": "PN"}, "00080060": {"vr": "CS"}, PATIENT_ID: {"vr": "LO", "Value": ["fine"]}})
    assert len(comments) == 2


def test_no_value_is_repeated() -> None:
    [comment] = _comments({PATIENT_ID: {"vr": "LO", "Value": ["Jane^Doe" * 20]}})
    assert "Jane" not in comment


def test_more_names_than_any_update_has_are_not_looked_at() -> None:
    assert _comments({f"0009{number:04X}": {} for number in range(ATTRIBUTES_MAX + 1)}) == ()
