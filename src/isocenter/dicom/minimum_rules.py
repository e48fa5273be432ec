"""The fewest rules that a value must keep to be indexed, with the codes and sentences of Azure's service.

dicom-service 2.5: version 1 holds every searchable attribute to them, version 2 the required ones, and an extended
query tag that is added later every stored value. The sentences are compared by clients, misspellings included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from isocenter.dicom.vr_rules import (
    ISOLATED_CONTROL,
    NAME_COMPONENTS_MAX,
    NAME_GROUP_LENGTH_MAX,
    NAME_GROUPS_MAX,
    integer_of,
    is_calendar_date,
    is_date_time,
    is_time,
)


class ErrorCode(IntEnum):
    """What is wrong with a value, as the errors of extended query tags number it."""

    MULTIPLE_VALUES = 1
    EXCEEDS_MAXIMUM_LENGTH = 2
    UNEXPECTED_LENGTH = 3
    INVALID_CHARACTERS = 4
    UNEXPECTED_VR = 5
    IMPLICIT_VR_NOT_ALLOWED = 6
    NAME_TOO_MANY_COMPONENTS = 1000
    NAME_GROUP_TOO_LONG = 1001
    NAME_TOO_MANY_GROUPS = 1002
    DATE_INVALID = 1100
    UID_INVALID = 1200
    DATE_TIME_INVALID = 1300
    TIME_INVALID = 1400
    INTEGER_STRING_INVALID = 1500


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a value cannot be indexed."""

    code: ErrorCode
    reason: str


MULTIPLE_VALUES = Objection(
    ErrorCode.MULTIPLE_VALUES,
    "Dicom element has multiple values. Indexing is only supported on single value element.",
)
INVALID_UID = (
    "DICOM Identifier is invalid. Value length should not exceed the maximum length of 64 characters. "
    "Value should contain characters in '0'-'9' and '.'. Each component must start with non-zero number."
)

_UID = re.compile(r"[0-9.]{0,63}[0-9]", re.ASCII)
_LENGTHS_MAX = {"AE": 16, "CS": 16, "LO": 64, "SH": 16}
_AGE_LENGTH = 4
_SIZES = {"FD": 8, "FL": 4, "SL": 4, "SS": 2, "UL": 4, "US": 2}
_INVALID_CHARACTER = Objection(ErrorCode.INVALID_CHARACTERS, "Value contains invalid character.")
_FORMATS = {
    "DA": (is_calendar_date, ErrorCode.DATE_INVALID, "Value cannot be parsed as a valid date."),
    "DT": (is_date_time, ErrorCode.DATE_TIME_INVALID, "Value cannot be parsed as a valid DateTime."),
    "TM": (is_time, ErrorCode.TIME_INVALID, "Value cannot be parsed as a valid Time."),
    "IS": (
        lambda text: integer_of(text) is not None,
        ErrorCode.INTEGER_STRING_INVALID,
        "Value cannot be parsed as a valid integer string.",
    ),
}


def object_to_text(vr: str, text: str) -> Objection | None:
    """Return why one value of a text VR cannot be indexed, or None where it can. Blanks behind it are cut off."""
    if not text:
        return None
    if vr in _LENGTHS_MAX and len(text) > _LENGTHS_MAX[vr]:
        return Objection(
            ErrorCode.EXCEEDS_MAXIMUM_LENGTH, f"Value length exceeds maximum length of {_LENGTHS_MAX[vr]}."
        )
    if vr in _FORMATS:
        is_valid, code, reason = _FORMATS[vr]
        return None if is_valid(text) else Objection(code, reason)
    if vr == "AS":
        return None if len(text) == _AGE_LENGTH else _unexpected_length(_AGE_LENGTH)
    if vr == "UI":
        return None if _UID.fullmatch(text) else Objection(ErrorCode.UID_INVALID, INVALID_UID)
    if vr == "LO":
        return _INVALID_CHARACTER if "\\" in text or ISOLATED_CONTROL.search(text) else None
    return _object_to_name(text) if vr == "PN" else None


def object_to_length(vr: str, length: int) -> Objection | None:
    """Return why a binary value of so many bytes cannot be indexed: it must be exactly one number."""
    size = _SIZES.get(vr)
    return None if size is None or length in (0, size) else _unexpected_length(size)


_TEXTS = {
    ErrorCode.MULTIPLE_VALUES: MULTIPLE_VALUES.reason,
    ErrorCode.EXCEEDS_MAXIMUM_LENGTH: "Value length exceeds maximum length.",
    ErrorCode.UNEXPECTED_LENGTH: "Value length is not expected.",
    ErrorCode.INVALID_CHARACTERS: "Value contains invalid character.",
    ErrorCode.UNEXPECTED_VR: "The extended query tag VR is not expected.",
    ErrorCode.IMPLICIT_VR_NOT_ALLOWED: "Implicit VR is not allowed.",
    ErrorCode.NAME_TOO_MANY_COMPONENTS: f"Value contains more than {NAME_COMPONENTS_MAX} components.",
    ErrorCode.NAME_GROUP_TOO_LONG: (
        f"One or more group of person name exceeds maxium length of {NAME_GROUP_LENGTH_MAX}."
    ),
    ErrorCode.NAME_TOO_MANY_GROUPS: f"Value contains more than {NAME_GROUPS_MAX} groups.",
    ErrorCode.DATE_INVALID: "Value cannot be parsed as a valid date.",
    ErrorCode.UID_INVALID: INVALID_UID,
    ErrorCode.DATE_TIME_INVALID: "Value cannot be parsed as a valid DateTime.",
    ErrorCode.TIME_INVALID: "Value cannot be parsed as a valid Time.",
    ErrorCode.INTEGER_STRING_INVALID: "Value cannot be parsed as a valid integer string.",
}


def told_without_value(code: int) -> str:
    """Return the sentence for an error of an extended query tag (dicom-service 7.3); no tag and no value is in it."""
    return _TEXTS[ErrorCode(code)]


def element_message(keyword: str, vr: str, reason: str) -> str:
    """Return the sentence that names the element with the reason."""
    return f"Dicom element '{keyword}' failed validation for VR '{vr}': {reason}"


def _unexpected_length(length: int) -> Objection:
    return Objection(ErrorCode.UNEXPECTED_LENGTH, f"Value length is not {length}.")


def _object_to_name(text: str) -> Objection | None:
    groups = text.split("=")
    if len(groups) > NAME_GROUPS_MAX:
        return Objection(ErrorCode.NAME_TOO_MANY_GROUPS, f"Value contains more than {NAME_GROUPS_MAX} groups.")
    for group in groups:
        if len(group) > NAME_GROUP_LENGTH_MAX:
            reason = f"One or more group of person name exceeds maxium length of {NAME_GROUP_LENGTH_MAX}."
            return Objection(ErrorCode.NAME_GROUP_TOO_LONG, reason)
        if ISOLATED_CONTROL.search(group):
            return _INVALID_CHARACTER
        if group.count("^") >= NAME_COMPONENTS_MAX:
            reason = f"Value contains more than {NAME_COMPONENTS_MAX} components."
            return Objection(ErrorCode.NAME_TOO_MANY_COMPONENTS, reason)
    return None
