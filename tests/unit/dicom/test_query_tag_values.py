"""What data sets have of extended query tags: values, objections, private blocks, encodings."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.minimum_rules import ErrorCode
from isocenter.dicom.query_tag_values import Finding, HeaderFinder, find_in_header, tags_to_locate
from isocenter.domain.errors import InvalidDataset
from isocenter.domain.query_tag import KINDS_BY_VR, ValueKind
from tests.support.instances import identify
from tests.support.query_tags import Values, file_with, implicit_file_with, padded, query_tag

TAG = 0x00101010
PRIVATE = 0x00191012
CREATOR = "ACME CT"


def look(values: Values, vr: str, tag: int = TAG) -> Finding | None:
    return find_in_header(file_with(identify(), values), (query_tag(tag, vr),)).get(1)


@pytest.mark.parametrize(
    ("vr", "value", "kept"),
    [
        ("AS", b"042Y", "042Y"),
        ("LO", b"Chest ", "Chest"),
        ("IS", b"03", "03"),
        ("US", pack("<H", 700), "700"),
        ("SL", pack("<i", -5), "-5"),
        ("FL", pack("<f", 0.5), "0.5"),
        ("FD", pack("<d", 1e-3), "0.001"),
        ("DA", b"20260131", "20260131"),
        ("DT", b"2026", "20260101000000.000000"),
        ("TM", b"1030", "1030"),
        ("UI", b"1.2.3\0", "1.2.3"),
        ("PN", b"Doe^John", "Doe^John"),
    ],
)
def test_a_value_is_found_whatever_its_vr(vr: str, value: bytes, kept: str) -> None:
    found = look({TAG: (vr, value)}, vr)
    assert found is not None
    assert (found.value, found.objection, found.has_several_values) == (kept, None, False)


@pytest.mark.parametrize(
    ("vr", "value", "code"),
    [
        ("AS", b"42Y ", ErrorCode.UNEXPECTED_LENGTH),
        ("CS", b"A" * 18, ErrorCode.EXCEEDS_MAXIMUM_LENGTH),
        ("DA", b"20260231", ErrorCode.DATE_INVALID),
        ("DT", b"20261", ErrorCode.DATE_TIME_INVALID),
        ("TM", b"2500", ErrorCode.TIME_INVALID),
        ("IS", b"x1", ErrorCode.INTEGER_STRING_INVALID),
        ("US", b"\0\0\0", ErrorCode.UNEXPECTED_LENGTH),
        ("UI", b"1.2.x ", ErrorCode.UID_INVALID),
        ("LO", b"a\x07", ErrorCode.INVALID_CHARACTERS),
        ("PN", b"a^b^c^d^e^f ", ErrorCode.NAME_TOO_MANY_COMPONENTS),
        ("PN", b"a=b=c=d ", ErrorCode.NAME_TOO_MANY_GROUPS),
        ("PN", b"a" * 66, ErrorCode.NAME_GROUP_TOO_LONG),
    ],
)
def test_what_cannot_be_indexed_is_objected_to_without_its_value(vr: str, value: bytes, code: ErrorCode) -> None:
    found = look({TAG: (vr, value)}, vr)
    assert found is not None
    assert found.stored_objection is not None
    assert found.stored_objection.code is code
    assert value.decode("latin-1").strip() not in found.stored_objection.reason


def test_another_vr_is_objected_to() -> None:
    found = look({TAG: ("LO", b"042Y")}, "AS")
    assert found is not None
    assert found.stored_objection is not None
    assert found.stored_objection.reason == "The extended query tag VR is not expected."


@pytest.mark.parametrize(("vr", "value", "first"), [("CS", b"A\\B ", "A"), ("US", pack("<HH", 7, 8), "7")])
def test_of_several_values_the_first_is_kept_and_they_are_objected_to(vr: str, value: bytes, first: str) -> None:
    found = look({TAG: (vr, value)}, vr)
    assert found is not None
    assert (found.value, found.objection) == (first, None)
    assert found.stored_objection is not None
    assert found.stored_objection.code is ErrorCode.MULTIPLE_VALUES


def test_nuls_behind_a_value_are_padding_but_for_those_who_are_strict() -> None:
    found = look({TAG: ("LO", b"abc\0")}, "LO")
    assert found is not None
    assert (found.value, found.stored_objection) == ("abc", None)
    assert found.strict_objection is not None
    assert found.strict_objection.code is ErrorCode.INVALID_CHARACTERS


@pytest.mark.parametrize("values", [{}, {TAG: ("LO", b"")}, {TAG: ("LO", b"  ")}, {TAG: ("LO", b"\\x")}])
def test_what_is_absent_or_empty_is_not_found(values: Values) -> None:
    assert look(values, "LO") is None


def test_a_value_that_is_too_long_to_be_read_is_objected_to() -> None:
    found = look({TAG: ("UN", b"x" * (1 << 17))}, "LO")
    assert found is not None
    assert found.stored_objection is not None
    assert found.stored_objection.code is ErrorCode.EXCEEDS_MAXIMUM_LENGTH


def test_text_is_read_by_the_character_set_of_its_data_set() -> None:
    values: Values = {0x00080005: ("CS", padded("ISO_IR 100")), TAG: ("LO", "Tá".encode("latin-1") + b" ")}
    found = look(values, "LO")
    assert found is not None
    assert found.value == "Tá"


@pytest.mark.parametrize("block", [0x10, 0x11, 0xFF])
def test_a_private_value_is_found_in_the_block_of_its_creator(block: int) -> None:
    mine = 0x00190000 | block << 8 | 0x12
    values: Values = {
        0x0019000F | 0x10: ("LO", b"OTHER "),
        0x00190000 | block: ("LO", padded(CREATOR)),
        mine: ("SS", pack("<h", -3)),
    }
    tags = (query_tag(PRIVATE, "SS", private_creator=CREATOR),)
    found = find_in_header(file_with(identify(), values), tags)
    assert (found[1].tag, found[1].value) == (mine, "-3")


def test_a_private_value_of_another_creator_is_not_found() -> None:
    values: Values = {0x00190010: ("LO", b"OTHER "), PRIVATE: ("SS", pack("<h", -3))}
    assert not find_in_header(file_with(identify(), values), (query_tag(PRIVATE, "SS", private_creator=CREATOR),))


def test_without_vrs_values_are_read_by_those_of_the_tags() -> None:
    values: Values = {
        0x00190010: ("LO", padded(CREATOR)),
        PRIVATE: ("SS", pack("<h", -3)),
        TAG: ("AS", b"042Y"),
    }
    tags = (query_tag(PRIVATE, "SS", private_creator=CREATOR), query_tag(TAG, "AS", key=2))
    found = find_in_header(implicit_file_with(identify(), values), tags)
    assert {key: one.value for key, one in found.items()} == {1: "-3", 2: "042Y"}


def test_a_header_is_enough_and_the_same_shape_is_read_anew() -> None:
    finder = HeaderFinder((query_tag(TAG, "AS"),))
    for number in range(1, 6):
        content = file_with(identify(1, 1, number), {TAG: ("AS", f"{number:03}Y".encode())}, big_pixels=1 << 20)
        header = content[: -(1 << 20)]
        assert finder.find(header, size_bytes=len(content))[1].value == f"{number:03}Y"


def test_bytes_that_are_no_instance_are_refused() -> None:
    with pytest.raises(InvalidDataset):
        find_in_header(b"nonsense" * 40, (query_tag(TAG, "AS"),))


def test_a_standard_tag_needs_one_element_and_a_private_one_all_blocks() -> None:
    assert tags_to_locate((query_tag(TAG, "AS"),)) == {TAG}
    assert len(tags_to_locate((query_tag(PRIVATE, "SS", private_creator=CREATOR),))) == 2 * 240


@given(st.sampled_from(sorted(KINDS_BY_VR)), st.binary(max_size=80))
def test_whatever_the_bytes_there_is_a_value_or_an_objection_or_nothing(vr: str, value: bytes) -> None:
    value += b"\0" * (len(value) % 2)
    for coded_vr in (vr, "UN"):
        found = look({TAG: (coded_vr, value)}, vr)
        is_text = KINDS_BY_VR[vr] in (ValueKind.STRING, ValueKind.PERSON_NAME)
        assert found is None or is_text or not (found.value and found.objection)


def test_text_that_keeps_no_rules_can_be_compared_all_the_same() -> None:
    found = look({TAG: ("LO", b"A" * 70)}, "LO")
    assert found is not None
    assert (found.value, found.objection is None) == ("A" * 70, False)
