"""DICOM files in folders: found by what they hold, not by how they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

PREAMBLE_LENGTH = 128
PREFIX = b"DICM"
HEAD_LENGTH = 1024
"""Holds preamble, prefix and the first elements of the file meta information."""
MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
_MEDIA_STORAGE_SOP_CLASS = b"\x02\x00\x02\x00UI"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, as it was when it was looked at."""

    path: str
    """Absolute."""
    size_bytes: int
    modified_ns: int


def iter_files(paths: Sequence[Path]) -> Iterator[FoundFile]:
    """Yield the files that are named and those in the folders that are named, in the order of their names.

    Links to folders inside a folder are not followed, so that a walk always ends.
    """
    for path in paths:
        absolute = os.path.abspath(path)
        if os.path.isdir(absolute):
            yield from _walk(absolute)
        else:
            yield from _look(absolute)


def _walk(top: str) -> Iterator[FoundFile]:
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            yield from _look(os.path.join(folder, name))


def _look(path: str) -> Iterator[FoundFile]:
    try:
        status = os.stat(path)
    except OSError:
        return
    if S_ISREG(status.st_mode):
        yield FoundFile(path, status.st_size, status.st_mtime_ns)


def is_instance_file(path: str) -> bool:
    """Tell whether a file is a DICOM Part 10 file (PS3.10 7.1) that holds an instance, not a directory of a medium.

    Raises OSError where it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD_LENGTH)
    if head[PREAMBLE_LENGTH : PREAMBLE_LENGTH + len(PREFIX)] != PREFIX:
        return False
    at = head.find(_MEDIA_STORAGE_SOP_CLASS, PREAMBLE_LENGTH)
    length = int.from_bytes(head[at + 6 : at + 8], "little")
    return at < 0 or head[at + 8 : at + 8 + length].rstrip(b"\0 ") != MEDIA_STORAGE_DIRECTORY
