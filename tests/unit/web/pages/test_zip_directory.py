from __future__ import annotations

import io
import struct
import zipfile

import pytest

from isocenter.domain.errors import TooLarge
from isocenter.web.pages import zip_directory
from isocenter.web.pages.zip_directory import DIRECTORY_SIZE_MAX_BYTES, ENTRIES_MAX, check_directory

END, LOCATOR_64, END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
LOCAL = b"PK\x03\x04" + bytes(300)
MUCH = DIRECTORY_SIZE_MAX_BYTES + 1


def _check(content: bytes) -> None:
    check_directory(memoryview(content))


def _zip(count: int, *, comment: bytes = b"") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for number in range(count):
            file.writestr(f"{number}.dcm", b"x")
        file.comment = comment
    return content.getvalue()


def _end(size_bytes: int, *, entries: int = 1, offset: bytes = bytes(4), comment: bytes = b"") -> bytes:
    return END + struct.pack("<HHHHI4sH", 0, 0, entries, entries, size_bytes, offset, len(comment)) + comment


def _end_64(size_bytes: int, *, entries: int = 1) -> bytes:
    return END_64 + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, size_bytes, 0)


def _locator(record_at: int) -> bytes:
    return LOCATOR_64 + struct.pack("<IQI", 0, record_at, 1)


@pytest.mark.parametrize("comment", [b"", b"from the scanner", b"x" * 0xFFFF])
def test_an_honest_file_passes_with_and_without_a_comment(comment: bytes) -> None:
    _check(_zip(3, comment=comment))
    _check(b"something before it" + _zip(3, comment=comment))


def test_a_large_but_honest_file_of_the_64_bit_kind_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    content = _zip(3)
    assert END_64 in content
    _check(content)


@pytest.mark.parametrize("content", [b"", LOCAL, LOCAL + END, LOCAL + _end(9)[:-1], _end(MUCH)[4:]])
def test_what_has_no_list_is_left_to_who_reads_it(content: bytes) -> None:
    _check(content)


@pytest.mark.parametrize(
    "content",
    [
        LOCAL + _end(MUCH),
        LOCAL + _end(MUCH, offset=END),
        LOCAL + _end(MUCH, comment=b"a comment"),
        LOCAL + _end(9) + _end(MUCH),
        LOCAL + _end_64(MUCH) + _locator(len(LOCAL)) + _end(9),
        LOCAL + _end_64(MUCH) + _locator(len(LOCAL)) + _end(9, offset=END),
    ],
)
def test_a_list_that_is_too_long_is_refused_however_it_is_hidden(content: bytes) -> None:
    with pytest.raises(TooLarge, match="do harm"):
        _check(content)


@pytest.mark.parametrize(
    "content",
    [
        _end_64(9) + LOCAL + _end_64(9) + _locator(0) + _end(9),
        _end_64(9) + LOCAL + _locator(0) + _end(9),
        LOCAL + _locator(0) + _end(9),
        _locator(0) + _end(9),
    ],
)
def test_a_list_that_two_readers_would_find_at_two_places_is_refused(content: bytes) -> None:
    with pytest.raises(TooLarge, match="do harm"):
        _check(content)


@pytest.mark.parametrize(
    "content", [LOCAL + _end_64(9, entries=ENTRIES_MAX + 1) + _locator(len(LOCAL)) + _end(9, entries=0xFFFF)]
)
def test_a_list_that_says_to_have_too_many_entries_is_refused(content: bytes) -> None:
    with pytest.raises(TooLarge, match="100,000 entries"):
        _check(content)


def test_a_list_that_has_more_entries_than_it_says_is_refused() -> None:
    entry = b"PK\x01\x02" + bytes(42)
    for count, is_refused in ((ENTRIES_MAX, False), (ENTRIES_MAX + 1, True)):
        content = LOCAL + entry * count + _end(len(entry) * count, entries=1)
        assert _is_refused(content) is is_refused


def test_names_and_comments_of_entries_are_counted_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_directory, "ENTRIES_MAX", 3)
    assert not _is_refused(_zip(3))
    assert _is_refused(_zip(4))


def _is_refused(content: bytes) -> bool:
    try:
        _check(content)
    except TooLarge:
        return True
    return False
