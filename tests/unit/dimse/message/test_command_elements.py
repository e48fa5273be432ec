from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag

from isocenter.dimse.message.command_elements import ELEMENTS, CommandElement

OTHER_NAMES = {
    "offending_elements": "OffendingElement",
    "move_originator_ae_title": "MoveOriginatorApplicationEntityTitle",
}
EXAMPLES: dict[str, object] = {
    "UI": "1.2.3",
    "US": 513,
    "AE": "ARCHIVE",
    "LO": "Comment",
    "AT": (0x00100010, 0x7FE00010),
}


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)
def test_number_and_name_are_those_of_the_standard(element: CommandElement) -> None:
    keyword = OTHER_NAMES.get(element.name, element.name.replace("_", ""))
    assert keyword_for_tag(element.number).lower() == keyword.lower()


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)
def test_value_comes_back_by_the_vr_of_the_standard(element: CommandElement) -> None:
    value = EXAMPLES[dictionary_VR(element.number)]
    encoded = element.encode(element.number, value)
    assert len(encoded) % 2 == 0
    assert element.decode(encoded[8:]) == value


def test_comment_never_spoils_a_response() -> None:
    encoded = ELEMENTS["error_comment"].encode(0x0902, "two\\values\n" + "é" * 100)
    assert encoded[8:] == b"two values " + b"?" * 53
    assert len(encoded[8:]) == 64


def test_title_that_is_too_long_is_cut() -> None:
    assert ELEMENTS["move_destination"].encode(0x0600, "A" * 20)[8:] == b"A" * 16


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("affected_sop_class_uid", b"1" * 65),
        ("affected_sop_class_uid", b"1.\xb2"),
        ("status", b"\0"),
        ("status", bytes(4)),
        ("offending_elements", bytes(6)),
    ],
)
def test_value_that_cannot_be_is_told(name: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"value|ascii"):
        ELEMENTS[name].decode(value)
