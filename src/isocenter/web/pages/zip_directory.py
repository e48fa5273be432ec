"""Look at the list of entries of a ZIP file before it is read.

`zipfile` reads the list whole and makes an object of each entry, as many as there are, whatever the file says of their
number. So it is found here as `zipfile` finds it, measured and counted; where two readers could find different ones,
the file is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.errors import TooLarge

ENTRIES_MAX = 100_000
"""More images than any study has."""
DIRECTORY_SIZE_MAX_BYTES = 32 * 1024**2
"""Of the list of entries, which is read whole: 320 bytes for each."""
HARMFUL = "The ZIP file would grow beyond what is taken; it may be built to do harm."

_END, _LOCATOR_64, _END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_END_LENGTH, _LOCATOR_LENGTH, _END_64_LENGTH, _ENTRY_LENGTH = 22, 20, 56, 46
_COMMENT_MAX = 0x1_0000
"""One more than a comment can have: so far `zipfile` looks."""
_TOO_MANY = f"The ZIP file has more than {ENTRIES_MAX:,} entries; send folders instead."


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the list of entries is, and what the end record says of it."""

    start: int
    size_bytes: int
    entries: int


def check_directory(content: memoryview) -> None:
    """Raise TooLarge for a list of entries that is too long, or that cannot be told; pass what has none."""
    directory = _find(content)
    if directory is None:
        return
    if directory.size_bytes > DIRECTORY_SIZE_MAX_BYTES:
        raise TooLarge(HARMFUL)
    if directory.entries > ENTRIES_MAX or _has_too_many(content, directory):
        raise TooLarge(_TOO_MANY)


def _find(content: memoryview) -> _Directory | None:
    at = _end_at(content)
    if at is None:
        return None
    locator_at = at - _LOCATOR_LENGTH
    if locator_at < 0 or content[locator_at : locator_at + 4] != _LOCATOR_64:
        size_bytes = _number(content, at + 12, 4)
        return _Directory(at - size_bytes, size_bytes, _number(content, at + 10, 2))
    # The locator says where the record is, and zipfile takes the one before the locator (APPNOTE 4.3.14, 4.3.15).
    before, said = locator_at - _END_64_LENGTH, _number(content, locator_at + 8, 8)
    if before < 0 or content[before : before + 4] != _END_64:
        raise TooLarge(HARMFUL)
    if said != before and content[said : said + 4] == _END_64:
        raise TooLarge(HARMFUL)
    size_bytes = _number(content, before + 40, 8)
    return _Directory(before - size_bytes, size_bytes, _number(content, before + 32, 8))


def _end_at(content: memoryview) -> int | None:
    """Return where the end record is: at the very end without a comment, else where its mark is last."""
    last = len(content) - _END_LENGTH
    if last < 0:
        return None
    if content[last : last + 4] == _END and _number(content, last + 20, 2) == 0:
        return last
    start = max(0, last - _COMMENT_MAX)
    found = bytes(content[start:]).rfind(_END)
    return start + found if 0 <= found <= last - start else None


def _has_too_many(content: memoryview, directory: _Directory) -> bool:
    """Tell whether there are more entries than are taken, by their own lengths (APPNOTE 4.3.12)."""
    at, end = directory.start, directory.start + directory.size_bytes
    for _ in range(ENTRIES_MAX):
        if at < 0 or at >= end:
            return False
        at += _ENTRY_LENGTH + sum(_number(content, at + offset, 2) for offset in (28, 30, 32))
    return at < end


def _number(content: memoryview, at: int, length: int) -> int:
    return int.from_bytes(content[at : at + length], "little")
