"""The rules of what can be indexed, with the sentences of dicom-service 2.5."""

from __future__ import annotations

import pytest

from isocenter.dicom.minimum_rules import (
    INVALID_UID,
    ErrorCode,
    element_message,
    object_to_length,
    object_to_text,
)

VALID = [
    ("AE", "x" * 16),
    ("AS", "abcd"),
    ("CS", "lower is fine"),
    ("DA", "20260228"),
    ("DT", "2026022810"),
    ("IS", "0003"),
    ("LO", "x" * 64),
    ("LO", "with \x1b(B escape"),
    ("PN", "a^b^c^d^e=f=g"),
    ("SH", "x\0y"),
    ("TM", "1011"),
    ("UI", "1.02.3"),
    ("UI", ".1"),
    ("UT", "no rule"),
]
INVALID = [
    ("AE", "x" * 17, 2, "Value length exceeds maximum length of 16."),
    ("AS", "34Y", 3, "Value length is not 4."),
    ("CS", "x" * 17, 2, "Value length exceeds maximum length of 16."),
    ("DA", "2026-02-28", 1100, "Value cannot be parsed as a valid date."),
    ("DA", "20260230", 1100, "Value cannot be parsed as a valid date."),
    ("DT", "2", 1300, "Value cannot be parsed as a valid DateTime."),
    ("IS", "x", 1500, "Value cannot be parsed as a valid integer string."),
    ("LO", "x" * 65, 2, "Value length exceeds maximum length of 64."),
    ("LO", "Before Null Character, \0", 4, "Value contains invalid character."),
    ("LO", "a\\b", 4, "Value contains invalid character."),
    ("PN", "a^b^c^d^e^f", 1000, "Value contains more than 5 components."),
    ("PN", "a=b=c=d", 1002, "Value contains more than 3 groups."),
    ("PN", "x" * 65, 1001, "One or more group of person name exceeds maxium length of 64."),
    ("PN", "a\0", 4, "Value contains invalid character."),
    ("SH", "x" * 17, 2, "Value length exceeds maximum length of 16."),
    ("TM", "25", 1400, "Value cannot be parsed as a valid Time."),
    ("UI", "abc.123", 1200, INVALID_UID),
    ("UI", "1.2.", 1200, INVALID_UID),
    ("UI", "1" * 65, 1200, INVALID_UID),
]


@pytest.mark.parametrize(("vr", "text"), VALID)
def test_a_value_that_keeps_the_rules_can_be_indexed(vr: str, text: str) -> None:
    assert object_to_text(vr, text) is None


@pytest.mark.parametrize(("vr", "text", "code", "reason"), INVALID)
def test_a_value_that_breaks_a_rule_is_told_which(vr: str, text: str, code: int, reason: str) -> None:
    objection = object_to_text(vr, text)
    assert objection is not None
    assert (objection.code, objection.reason) == (code, reason)


@pytest.mark.parametrize("vr", sorted({vr for vr, _ in VALID}))
def test_an_empty_value_breaks_none(vr: str) -> None:
    assert object_to_text(vr, "") is None


@pytest.mark.parametrize(("vr", "size"), [("FD", 8), ("FL", 4), ("SL", 4), ("SS", 2), ("UL", 4), ("US", 2)])
def test_a_number_has_the_length_of_its_vr(vr: str, size: int) -> None:
    assert object_to_length(vr, size) is None
    assert object_to_length(vr, 0) is None
    for length in (1, 2 * size):
        objection = object_to_length(vr, length)
        assert objection is not None
        assert (objection.code, objection.reason) == (ErrorCode.UNEXPECTED_LENGTH, f"Value length is not {size}.")
    assert object_to_length("LO", 1) is None


def test_the_sentence_names_the_element() -> None:
    assert element_message("PatientID", "LO", "Value contains invalid character.") == (
        "Dicom element 'PatientID' failed validation for VR 'LO': Value contains invalid character."
    )
