"""A header of a known shape gives up its texts by slices; what cannot be read so is named."""

from __future__ import annotations

import pytest

from isocenter.dicom.known_texts import known_texts_of
from isocenter.dicom.walk import Element

CHARACTER_SET, MODALITY, PATIENT_NAME = 0x00080005, 0x00080060, 0x00100010
INSTANCE_NUMBER, ROWS, REQUESTS, PATIENT_ID = 0x00200013, 0x00280010, 0x00400275, 0x00100020


def _read(*values: tuple[int, str | None, bytes], is_little_endian: bool = True) -> tuple[dict[int, str], list[int]]:
    header = b""
    elements: list[Element] = []
    for tag, vr, value in values:
        elements.append((tag, vr, len(header), len(value), None))
        header += value
    wanted = frozenset(tag for tag, *_ in values)
    texts = known_texts_of(elements, wanted, length=len(header), is_little_endian=is_little_endian)
    attributes, unread = texts.read(header + b"pixels")
    return attributes, [element[0] for element in unread]


@pytest.mark.parametrize(
    ("tag", "vr", "value", "text"),
    [
        (MODALITY, "CS", b"CT", "CT"),
        (MODALITY, "CS", b"CT \\MR ", "CT\\MR"),
        (MODALITY, None, b"CT", "CT"),
        (MODALITY, "UN", b"CT", "CT"),
        (PATIENT_NAME, "PN", b" Doe^Jane ", " Doe^Jane"),
        (PATIENT_ID, "LO", b"1\0", "1"),
        (INSTANCE_NUMBER, "IS", b" 12 ", "12"),
        (INSTANCE_NUMBER, "IS", b" 1 \\ 2", "1\\2"),
        (ROWS, "US", b"\x00\x02", "512"),
    ],
)
def test_a_text_is_read_without_its_padding(tag: int, vr: str | None, value: bytes, text: str) -> None:
    assert _read((tag, vr, value)) == ({tag: text}, [])


def test_a_value_of_blanks_is_none() -> None:
    assert _read((MODALITY, "CS", b"  ")) == ({}, [])


@pytest.mark.parametrize("value", [b"M\xfcller", b"Yamada\x1b$B"])
def test_a_text_of_another_repertoire_is_left_with_the_character_set(value: bytes) -> None:
    attributes, unread = _read((CHARACTER_SET, "CS", b"ISO_IR 100"), (PATIENT_NAME, "PN", value))
    assert attributes == {CHARACTER_SET: "ISO_IR 100"}
    assert unread == [CHARACTER_SET, PATIENT_NAME]


@pytest.mark.parametrize(
    ("vr", "value", "is_little_endian"), [("US", b"\x02\x00", False), ("US", bytes(4), True), ("FD", bytes(8), True)]
)
def test_numbers_that_are_no_plain_words_are_left(vr: str, value: bytes, is_little_endian: bool) -> None:
    attributes, unread = _read((ROWS, vr, value), is_little_endian=is_little_endian)
    assert not attributes
    assert unread == [ROWS]


def test_items_are_left() -> None:
    element: Element = (REQUESTS, "SQ", 0, 0, [[]])
    texts = known_texts_of([element], frozenset(), length=0, is_little_endian=True)
    assert texts.read(b"") == ({}, [element])
