"""Bulk values by path."""

from __future__ import annotations

import pytest

from isocenter.dicom.bulk import find_bulk_value
from isocenter.dicom.part10 import open_file
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import InvalidRequest, NotFound
from tests.support.dicom_files import ITEM, UNDEFINED, element, file_of, fragments_of, header, implicit_element

SEQUENCE_CLOSED = implicit_element(0xFFFEE0DD, b"")
WAVEFORM = element(0x54001010, "OW", b"wave")
CONTENT = file_of(
    element(0x00420011, "OB", b"%PDF")
    + header(0x0040A730, "UN", UNDEFINED)
    + implicit_element(ITEM, implicit_element(0x00420011, b"deep"))
    + SEQUENCE_CLOSED
    + element(0x0040A043, "UN", implicit_element(ITEM, implicit_element(0x00091001, b"dark")))
    + element(0x54000100, "SQ", implicit_element(ITEM, b"") + implicit_element(ITEM, WAVEFORM))
    + element(0x7FE00010, "OW", b"pixels")
)


def value(content: bytes, path: str) -> bytes:
    offset, length = find_bulk_value(content, scan_instance(content, wanted=frozenset()), path)
    return content[offset : offset + length]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("00420011", b"%PDF"),
        ("54000100/1/54001010", b"wave"),
        ("0040A730/0/00420011", b"deep"),
        ("0040a043/0/00091001", b"dark"),
        ("7FE00010", b"pixels"),
    ],
)
def test_path_names_a_value(path: str, expected: bytes) -> None:
    assert value(CONTENT, path) == expected


def test_value_is_found_in_the_header_alone() -> None:
    header_length = scan_instance(CONTENT, wanted=frozenset()).header_length
    offset, length = find_bulk_value(CONTENT[:header_length], open_file(CONTENT), "00420011")
    assert CONTENT[offset : offset + length] == b"%PDF"


def test_encapsulated_pixel_data_is_all_its_items() -> None:
    content = file_of(fragments_of(b"\xff\xd8", b"ab"))
    assert value(content, "7FE00010") == b"".join(implicit_element(ITEM, each) for each in (b"", b"\xff\xd8", b"ab"))


@pytest.mark.parametrize(
    "path",
    ["00420010", "54000100", "54000100/0/54001010", "54000100/2/54001010", "00420011/0/00420011", "7FE00008"],
)
def test_path_to_nothing_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        value(CONTENT, path)


@pytest.mark.parametrize(
    "path",
    ["", "0042001", "0042001G", "00420011/", "00420011/0", "54000100/x/54001010", "54000100/-1/54001010", "٠٠٤٢٠٠١١"],
)
def test_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        value(CONTENT, path)
