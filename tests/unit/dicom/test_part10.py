"""The beginning of a file, and inflation within bounds."""

from __future__ import annotations

import tracemalloc
import zlib
from struct import pack

import pytest

from isocenter.dicom import part10
from isocenter.dicom.part10 import META_ELEMENTS_MAX, inflate_file, open_file, read_encoding
from isocenter.domain.errors import InvalidDataset, LimitExceeded
from tests.support.dicom_files import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, JPEG_BASELINE, element, file_of

CODE = element(0x00080100, "SH", b"CODE")
START = bytes(128) + b"DICM"
SYNTAX = element(0x00020010, "UI", b"1.2.840.10008.1.2\0")


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return file_of(packer.compress(content) + packer.flush(), DEFLATED)


@pytest.mark.parametrize(
    ("transfer_syntax_uid", "implicit", "little", "deflates", "encapsulated"),
    [
        (IMPLICIT, True, True, False, False),
        (EXPLICIT, False, True, False, False),
        (BIG_ENDIAN, False, False, False, False),
        (DEFLATED, False, True, True, False),
        (JPEG_BASELINE, False, True, False, True),
        ("1.2.840.113619.5.2", True, True, False, False),
        ("1.2.3.4.5", False, True, False, False),
    ],
)
def test_transfer_syntax_tells_the_encoding(
    transfer_syntax_uid: str, implicit: bool, little: bool, deflates: bool, encapsulated: bool
) -> None:
    content = file_of(b"", transfer_syntax_uid)
    encoding, offset = read_encoding(content)
    assert (encoding.is_implicit_vr, encoding.is_little_endian) == (implicit, little)
    assert (encoding.is_deflated, encoding.is_encapsulated) == (deflates, encapsulated)
    assert (encoding.transfer_syntax_uid, offset) == (transfer_syntax_uid, len(content))


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param(element(0x00020000, "UL", pack("<I", 9999)) + SYNTAX, id="wrong group length"),
        pytest.param(SYNTAX, id="no group length"),
        pytest.param(element(0x00020001, "OB", b"\0\1") + SYNTAX, id="long form"),
        pytest.param(pack("<HHI", 2, 0x10, 18) + b"1.2.840.10008.1.2\0", id="implicit VR"),
    ],
)
def test_file_meta_information_is_read_tolerantly(meta: bytes) -> None:
    encoding, offset = read_encoding(START + meta + CODE)
    assert (encoding.transfer_syntax_uid, offset) == (IMPLICIT, len(START + meta))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "preamble"),
        (b"DICM" + SYNTAX, "preamble"),
        (SYNTAX + CODE, "preamble"),
        (START, "transfer syntax"),
        (START + CODE, "transfer syntax"),
        (START + element(0x00020010, "UI", b""), "transfer syntax"),
        (START + SYNTAX[:-1], r"\(0002,0010\)"),
        (START + pack("<HH2sHI", 2, 0x102, b"OB", 0, 1 << 30) + SYNTAX, r"\(0002,0102\)"),
        (START + pack("<HH2sHI", 2, 0x102, b"OB", 0, 1 << 30)[:10], r"\(0002,0102\)"),
        (START + element(0x00020102, "OB", bytes(part10.META_LENGTH_MAX)) + SYNTAX, "too long"),
    ],
)
def test_file_without_sound_meta_information_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataset, match=reason):
        read_encoding(content)


def test_number_of_meta_elements_is_limited() -> None:
    with pytest.raises(LimitExceeded):
        read_encoding(START + element(0x00020013, "SH", b"") * (META_ELEMENTS_MAX + 1))


def test_deflated_data_set_is_inflated_behind_what_is_before_it() -> None:
    content = deflated(CODE * 100_000)
    opened = open_file(content)
    assert opened.buffer == content[: opened.dataset_offset] + CODE * 100_000
    assert opened.size_bytes == len(content)


def test_deflated_data_set_with_a_padding_byte_is_inflated() -> None:
    assert bytes(open_file(deflated(CODE) + b"\0").buffer).endswith(CODE)


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damaged_deflated_data_set_is_refused(damage: str) -> None:
    content = deflated(bytes(range(256)) * 50)
    start = len(file_of(b"", DEFLATED))
    with pytest.raises(InvalidDataset):
        open_file(content[:-20] if damage == "cut" else content[:start] + b"\xff" * 50)


def test_deflate_bomb_is_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part10, "INFLATED_FREE_BYTES", 12 << 20)
    monkeypatch.setattr(part10, "INFLATED_UNMEASURED_BYTES", 1 << 20)
    content = deflated(bytes(1 << 24))
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded):
            inflate_file(content, len(file_of(b"", DEFLATED)))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size_max", [1 << 16, 10 << 20])
def test_a_limit_of_who_asks_holds_below_the_others(monkeypatch: pytest.MonkeyPatch, size_max: int) -> None:
    monkeypatch.setattr(part10, "INFLATED_UNMEASURED_BYTES", 1 << 20)
    offset, size = len(file_of(b"", DEFLATED)), 8 << 20
    content = deflated(bytes(size))
    if size > size_max:
        with pytest.raises(LimitExceeded):
            inflate_file(content, offset, size_max_bytes=size_max)
    else:
        assert inflate_file(content, offset, size_max_bytes=size_max)[offset:] == bytes(size)
