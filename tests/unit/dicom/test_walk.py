"""The walker: nesting, delimiters, wrong VRs and the limits."""

from __future__ import annotations

import tracemalloc
from struct import pack

import pytest

from isocenter.dicom.model import Encoding
from isocenter.dicom.walk import DEPTH_MAX, ELEMENTS_MAX, Walked, walk_dataset
from isocenter.domain.errors import InvalidDataset, LimitExceeded
from tests.support.dicom_files import (
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    element,
    header,
    implicit_element,
)

SEQUENCE = 0x0040A730
CODE = element(0x00080100, "SH", b"CODE")
IMPLICIT_CODE = implicit_element(0x00080100, b"CODE")
ITEM_CLOSED, SEQUENCE_CLOSED = implicit_element(ITEM_END, b""), implicit_element(SEQUENCE_END, b"")


def walk(dataset: bytes, *, is_implicit: bool = False, wanted: frozenset[int] | None = None) -> Walked:
    encoding = Encoding(IMPLICIT if is_implicit else EXPLICIT, is_implicit, is_little_endian=True)
    return walk_dataset(dataset, 0, len(dataset), encoding=encoding, wanted=wanted)


def item(content: bytes) -> bytes:
    return implicit_element(ITEM, content)


def open_item(content: bytes) -> bytes:
    return implicit_element(ITEM, content + ITEM_CLOSED, length=UNDEFINED)


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(element(SEQUENCE, "SQ", item(CODE)), id="lengths"),
        pytest.param(element(SEQUENCE, "SQ", open_item(CODE)), id="item delimited"),
        pytest.param(header(SEQUENCE, "SQ", UNDEFINED) + item(CODE) + SEQUENCE_CLOSED, id="sequence delimited"),
        pytest.param(header(SEQUENCE, "SQ", UNDEFINED) + open_item(CODE) + SEQUENCE_CLOSED, id="both delimited"),
        pytest.param(element(SEQUENCE, "SQ", item(CODE + ITEM_CLOSED)), id="length and delimiter of the item"),
        pytest.param(element(SEQUENCE, "SQ", item(CODE) + SEQUENCE_CLOSED), id="length and delimiter of the sequence"),
        pytest.param(
            header(SEQUENCE, "SQ", UNDEFINED) + implicit_element(ITEM, CODE, length=UNDEFINED) + SEQUENCE_CLOSED,
            id="item without its delimiter",
        ),
        pytest.param(header(SEQUENCE, "UN", UNDEFINED) + item(IMPLICIT_CODE) + SEQUENCE_CLOSED, id="UN, implicit"),
        pytest.param(header(SEQUENCE, "UN", UNDEFINED) + item(CODE) + SEQUENCE_CLOSED, id="UN, explicit after all"),
        pytest.param(header(SEQUENCE, "SQ", UNDEFINED) + item(IMPLICIT_CODE) + SEQUENCE_CLOSED, id="SQ, implicit"),
    ],
)
def test_sequence_is_walked_however_its_end_is_marked(dataset: bytes) -> None:
    after = element(0x0040DB00, "CS", b"2000")
    walked = walk(dataset + after)
    assert [found[0] for found in walked.elements] == [SEQUENCE, 0x0040DB00]
    items = walked.elements[0][4]
    assert items is not None
    assert [found[0] for found in items[0]] == [0x00080100]
    _, _, offset, length, _ = items[0][0]
    assert (dataset + after)[offset : offset + length] == b"CODE"
    assert walked.number_of_elements == 4


@pytest.mark.parametrize(
    "dataset",
    [
        implicit_element(SEQUENCE, item(IMPLICIT_CODE)),
        implicit_element(SEQUENCE, open_item(IMPLICIT_CODE) + SEQUENCE_CLOSED, length=UNDEFINED),
        implicit_element(0x00091010, item(IMPLICIT_CODE) + SEQUENCE_CLOSED, length=UNDEFINED),
    ],
)
def test_implicit_sequence_is_known_by_dictionary_or_undefined_length(dataset: bytes) -> None:
    items = walk(dataset, is_implicit=True).elements[0][4]
    assert items is not None
    assert [found[0] for found in items[0]] == [0x00080100]


@pytest.mark.parametrize("is_implicit", [True, False])
def test_other_encoding_than_announced_is_noticed(is_implicit: bool) -> None:
    dataset = element(0x00080005, "CS", b"ISO_IR 192") if is_implicit else implicit_element(0x00080005, b"ISO_IR 192")
    _, vr, offset, length, _ = walk(dataset, is_implicit=is_implicit).elements[0]
    assert dataset[offset : offset + length] == b"ISO_IR 192"
    assert vr == ("CS" if is_implicit else None)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(pack("<HH2sHI", 0x0010, 0x0020, b"XX", 0, 4) + b"4711", id="later VR, long"),
        pytest.param(pack("<HH2sH", 0x0010, 0x0020, b"XX", 4) + b"4711", id="later VR, short"),
        pytest.param(pack("<HH2sH", 0x0010, 0x0020, b"??", 4) + b"4711", id="no letters"),
        pytest.param(pack("<HH2sH", 0x0010, 0x0020, b"\0\0", 4) + b"4711", id="zeros"),
        pytest.param(pack("<HHI", 0x0010, 0x0020, 4) + b"4711", id="left implicit"),
    ],
)
@pytest.mark.parametrize("tail", [b"", element(0x00100030, "DA", b"20260101")])
def test_element_of_unknown_vr_is_passed_over_rightly(odd: bytes, tail: bytes) -> None:
    dataset = element(0x00080060, "CS", b"CT") + odd + tail
    tag, _, offset, length, _ = walk(dataset).elements[1]
    assert (tag, dataset[offset : offset + length]) == (0x00100020, b"4711")
    assert len(walk(dataset).elements) == (3 if tail else 2)


def test_text_of_undefined_length_is_taken_for_a_sequence() -> None:
    walked = walk(header(0x0040A160, "UT", UNDEFINED) + item(CODE) + SEQUENCE_CLOSED)
    assert walked.elements[0][1] == "SQ"


def test_encapsulated_icon_is_passed_over() -> None:
    icon = header(0x7FE00010, "OB", UNDEFINED) + item(b"") + item(b"\xff\xd8\xff\xd9") + SEQUENCE_CLOSED
    walked = walk(element(0x00880200, "SQ", item(CODE + icon)) + element(0x00880904, "LO", b"A "))
    items = walked.elements[0][4]
    assert items is not None
    assert [found[0] for found in items[0]] == [0x00080100, 0x7FE00010]
    assert items[0][1][3] == 20
    assert len(walked.elements) == 2
    assert walked.pixel_element is None


@pytest.mark.parametrize("padding", [bytes(2), bytes(8), bytes(4096), element(0xFFFCFFFC, "OB", bytes(100))])
@pytest.mark.parametrize("is_implicit", [False, True])
def test_padding_at_the_end_is_tolerated(padding: bytes, is_implicit: bool) -> None:
    if is_implicit and any(padding):
        padding = implicit_element(0xFFFCFFFC, bytes(100))
    dataset = (IMPLICIT_CODE if is_implicit else CODE) + padding
    assert walk(dataset, is_implicit=is_implicit).elements[0][0] == 0x00080100


def test_delimiter_that_ends_nothing_is_passed_over() -> None:
    assert len(walk(CODE + ITEM_CLOSED + SEQUENCE_CLOSED + element(0x00080104, "LO", b"A ")).elements) == 2


def test_only_wanted_elements_are_kept_with_all_that_is_in_them() -> None:
    nested = element(SEQUENCE, "SQ", item(CODE))
    walked = walk(CODE + element(0x0040A043, "SQ", item(CODE)) + nested, wanted=frozenset({SEQUENCE}))
    assert [found[0] for found in walked.elements] == [SEQUENCE]
    assert walked.elements[0][4] is not None
    assert walked.number_of_elements == 7


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(CODE[:-1], id="cut within a value"),
        pytest.param(CODE + b"\x08\x00\x00", id="cut within a header"),
        pytest.param(header(0x00420011, "OB", 4)[:-2], id="cut within a long header"),
        pytest.param(header(0x00420011, "OB", 0xFFFFFFF0), id="length beyond the end"),
        pytest.param(header(0x7FE00010, "OW", 100) + bytes(99), id="pixel data cut off"),
        pytest.param(header(SEQUENCE, "SQ", 100) + item(CODE), id="sequence longer than the file"),
        pytest.param(header(SEQUENCE, "SQ", UNDEFINED) + item(CODE), id="sequence without end"),
        pytest.param(element(SEQUENCE, "SQ", implicit_element(ITEM, CODE, length=100)), id="item beyond its sequence"),
        pytest.param(element(SEQUENCE, "SQ", item(CODE[:-1])), id="element beyond its item"),
        pytest.param(element(SEQUENCE, "SQ", CODE), id="sequence of no items"),
        pytest.param(element(SEQUENCE, "SQ", item(CODE) + bytes(4)), id="crumbs in a sequence"),
        pytest.param(element(SEQUENCE, "SQ", implicit_element(ITEM, CODE, length=UNDEFINED)), id="item without end"),
        pytest.param(item(CODE), id="item outside of a sequence"),
        pytest.param(header(0x00091001, "OB", UNDEFINED) + CODE, id="fragments that are none"),
        pytest.param(header(0x00091001, "OB", UNDEFINED) + item(b""), id="fragments without end"),
        pytest.param(bytes(16) + CODE, id="zeros before the end"),
        pytest.param(b"\xff" * 64, id="noise"),
    ],
)
def test_damage_is_refused_with_its_place(dataset: bytes) -> None:
    with pytest.raises(InvalidDataset, match=r"offset \d+|\(....,....\)"):
        walk(dataset)


@pytest.mark.parametrize("is_undefined", [True, False])
def test_nesting_is_limited(is_undefined: bool) -> None:
    def nested(depth: int) -> bytes:
        out = CODE
        for _ in range(depth):
            content = item(out)
            out = (
                header(SEQUENCE, "SQ", UNDEFINED) + content + SEQUENCE_CLOSED
                if is_undefined
                else (element(SEQUENCE, "SQ", content))
            )
        return out

    assert walk(nested(DEPTH_MAX)).number_of_elements == 2 * DEPTH_MAX + 1
    with pytest.raises(LimitExceeded, match="deeper"):
        walk(nested(DEPTH_MAX + 1))


@pytest.mark.parametrize(
    "opening", [header(SEQUENCE, "SQ", UNDEFINED), implicit_element(0x00091001, b"", length=UNDEFINED)]
)
def test_ten_thousand_sequences_that_are_only_opened_are_refused(opening: bytes) -> None:
    bomb = (opening + implicit_element(ITEM, b"", length=UNDEFINED)) * 10_000
    with pytest.raises(LimitExceeded):
        walk(bomb, is_implicit=len(opening) == 8)


@pytest.mark.parametrize("is_implicit", [False, True])
def test_number_of_elements_is_limited(is_implicit: bool) -> None:
    one = implicit_element(0x00091001, b"") if is_implicit else element(0x00091001, "LO", b"")
    with pytest.raises(LimitExceeded, match="elements"):
        walk(one * (ELEMENTS_MAX + 1), is_implicit=is_implicit, wanted=frozenset())


def test_number_of_items_is_limited_too() -> None:
    dataset = header(SEQUENCE, "SQ", UNDEFINED) + item(b"") * (ELEMENTS_MAX + 1)
    with pytest.raises(LimitExceeded, match="elements"):
        walk(dataset, wanted=frozenset())


def test_lying_lengths_cost_no_memory() -> None:
    dataset = header(0x00420011, "OB", 0xFFFFFFF0) + bytes(1000)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidDataset):
            walk(dataset)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
