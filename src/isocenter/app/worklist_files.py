"""Work list items in files: DICOM files, bare data sets, DICOM JSON, the text of dcmdump, known by what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from isocenter.app.part10_files import PREAMBLE_LENGTH, PREFIX, iter_files
from isocenter.archive.worklist import make_item, make_item_of
from isocenter.dicom.dump_text import is_dump_text, parse_dump_text
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicom.part10 import encoding_of, open_file
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicom.walk import LONG_VRS, SHORT_VRS
from isocenter.domain.errors import InvalidDataset, Refused, TooLarge
from isocenter.domain.worklist import NewWorklistItem

FILE_SIZE_MAX_BYTES = 64 * 1024**2
"""A JSON file may hold a whole day's list; an item has a few kilobytes."""
SOURCE = "file"

_VRS = frozenset(vr.encode("ascii") for vr in (*SHORT_VRS, *LONG_VRS))


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file holds: items, or why not."""

    path: str
    items: tuple[NewWorklistItem, ...] = ()
    problem: str = ""
    is_other: bool = False
    """It is none of the kinds, and was only met in a folder."""


def read_files(paths: Sequence[Path]) -> Iterator[ReadFile]:
    """Yield what each file holds, of those that are named and those in folders that are named."""
    named = {str(path.absolute()) for path in paths}
    for found in iter_files(paths):
        if found.size_bytes > FILE_SIZE_MAX_BYTES:
            yield ReadFile(found.path, problem="It is too large for a work list.", is_other=found.path not in named)
            continue
        try:
            items = tuple(read_items(Path(found.path).read_bytes()))
        except _UnknownKind as error:
            yield ReadFile(found.path, problem=error.message, is_other=found.path not in named)
        except Refused as error:
            yield ReadFile(found.path, problem=error.message)
        except OSError as error:
            yield ReadFile(found.path, problem=f"{error.strerror}.")
        else:
            yield ReadFile(found.path, items)


class _UnknownKind(InvalidDataset):
    """It is no DICOM file, no data set, no DICOM JSON and no text of dcmdump."""


def read_items(content: bytes) -> Iterator[NewWorklistItem]:
    """Yield the items that the bytes of a file hold. Raises InvalidDataset, TooLarge."""
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if content[PREAMBLE_LENGTH : PREAMBLE_LENGTH + len(PREFIX)] == PREFIX:
        yield _of_file(content)
    elif start in (b"{", b"["):
        yield from _of_json(content)
    elif is_dump_text(content):
        yield make_item_of(parse_dump_text(content), source=SOURCE)
    else:
        yield _of_bare_dataset(content)


def _of_file(content: bytes) -> NewWorklistItem:
    opened = open_file(content)
    dataset = bytes(opened.buffer[opened.dataset_offset :])
    encoding = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN) if opened.encoding.is_deflated else opened.encoding
    return make_item(dataset, encoding, source=SOURCE)


def _of_json(content: bytes) -> Iterator[NewWorklistItem]:
    try:
        document = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InvalidDataset(f"It is no JSON: line {error.lineno}, column {error.colno}.") from error
    for one in document if isinstance(document, list) else [document]:
        yield make_item_of(parse_dicom_json(one), source=SOURCE)


def _of_bare_dataset(content: bytes) -> NewWorklistItem:
    is_explicit = content[4:6] in _VRS
    encoding = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN if is_explicit else IMPLICIT_VR_LITTLE_ENDIAN)
    try:
        return make_item(content, encoding, source=SOURCE)
    except TooLarge:
        if is_explicit:
            raise
        raise _UnknownKind() from None
    except InvalidDataset as error:
        raise _UnknownKind() from error
