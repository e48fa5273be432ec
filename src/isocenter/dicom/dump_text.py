"""Data sets as the text that `dcmdump` prints and `dump2dcm` reads: one element a line.

    (0010,0010) PN [VIVALDI^ANTONIO]                        #  16, 1 PatientName

Text is taken byte for byte: it is in the character set that the data set names. File meta information is passed over.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from functools import lru_cache

from isocenter.dicom.dataset import Attribute, Dataset, vr_of
from isocenter.dicom.text import NUMBER_FORMATS
from isocenter.dicom.walk import LONG_VRS, SHORT_VRS
from isocenter.domain.errors import InvalidDataset, LimitExceeded

LINE_LENGTH_MAX = 1 << 20
"""An element of a megabyte written out as text is no longer something for a person to read."""
LINES_MAX = 100_000
"""A work list item has some fifty."""
DEPTH_MAX = 16
"""Code sequences within protocol contexts reach five."""

_VR = "|".join((*SHORT_VRS, *LONG_VRS, r"[a-z]{2}", r"\?\?", "-")).encode("ascii")
_TAG = rb"\s*\(([0-9a-fA-F]{4}),([0-9a-fA-F]{4})\)"
_ELEMENT = re.compile(_TAG + rb"\s+(" + _VR + rb")(?:[ \t]+(.*))?$", re.DOTALL)
_IMPLIED_VR = re.compile(_TAG + rb"\s*(.*)$", re.DOTALL)
_NO_VALUE = re.compile(rb"\((?:no value|Sequence|Item|PixelSequence|not loaded)", re.IGNORECASE)
_COMMENT = re.compile(rb"#.*$", re.DOTALL)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_HEX_VRS = {"OB": 1, "UN": 1, "OW": 2}


def is_dump_text(content: bytes) -> bool:
    """Tell whether bytes look like such a text: the first line that is no comment begins with a tag."""
    for line in content[:LINE_LENGTH_MAX].splitlines():
        bare = line.strip()
        if bare and not bare.startswith(b"#"):
            return _IMPLIED_VR.match(bare) is not None
    return False


@dataclass(slots=True)
class _Level:
    """A data set while its lines come, and the sequence in it that is being filled."""

    dataset: dict[int, Attribute] = field(default_factory=dict)
    open_sequence: int | None = None
    items: list[Dataset] = field(default_factory=list)

    def close_sequence(self) -> None:
        if self.open_sequence is not None:
            self.dataset[self.open_sequence] = Attribute("SQ", items=tuple(self.items))
            self.open_sequence = None


def parse_dump_text(content: bytes) -> Dataset:
    """Return the data set that a text describes. Raises InvalidDataset, which names the line."""
    levels = [_Level()]
    lines = content.splitlines()
    if len(lines) > LINES_MAX or any(len(line) > LINE_LENGTH_MAX for line in lines):
        raise LimitExceeded("The text of a data set is too long.")
    for number, line in enumerate(lines, start=1):
        bare = line.strip()
        if not bare or bare.startswith(b"#"):
            continue
        try:
            _take(levels, bare)
        except (ValueError, struct.error) as error:
            raise _bad(number) from error
    while len(levels) > 1:
        _close_item(levels)
    levels[0].close_sequence()
    return dict(sorted(levels[0].dataset.items()))


def _bad(number: int) -> InvalidDataset:
    return InvalidDataset(f"Line {number} is no element as dcmdump prints one: (gggg,eeee) VR [value].")


def _take(levels: list[_Level], line: bytes) -> None:
    tag, vr, value = _split(line)
    if tag == _ITEM:
        if levels[-1].open_sequence is None or len(levels) > DEPTH_MAX:
            raise ValueError
        levels.append(_Level())
    elif tag == _ITEM_END:
        if len(levels) < 2:
            raise ValueError
        _close_item(levels)
    elif tag == _SEQUENCE_END:
        _close_sequence(levels)
    else:
        _take_element(levels, tag, vr, value)


def _take_element(levels: list[_Level], tag: int, vr: str, value: bytes) -> None:
    level = levels[-1]
    level.close_sequence()
    if tag >> 16 == 0x0002 or not tag & 0xFFFF:
        return
    if vr == "SQ":
        level.open_sequence, level.items = tag, []
    else:
        level.dataset.setdefault(tag, Attribute(vr, _value(vr, value)))  # of two, the first, as dump2dcm has it


def _close_item(levels: list[_Level]) -> None:
    item = levels.pop()
    item.close_sequence()
    levels[-1].items.append(dict(sorted(item.dataset.items())))


def _close_sequence(levels: list[_Level]) -> None:
    """End the innermost sequence, and its item where the line that ends it was left out."""
    if levels[-1].open_sequence is None and len(levels) > 1:
        _close_item(levels)
    levels[-1].close_sequence()


def _split(line: bytes) -> tuple[int, str, bytes]:
    """Return tag, VR and what stands behind them."""
    found = _ELEMENT.match(line)
    if found is not None:
        coded = found[3].decode("ascii")
        rest = found[4] or b""
    else:
        found = _IMPLIED_VR.match(line)
        if found is None:
            raise ValueError
        coded, rest = "??", found[3]
    tag = int(found[1] + found[2], 16)
    vr = coded if coded.isalpha() and coded.isupper() else vr_of(tag)
    return tag, vr, rest.strip()


def _value(vr: str, text: bytes) -> bytes:
    if text.startswith(b"["):
        end = text.rfind(b"]")
        if end < 0:
            raise ValueError
        return text[1:end]
    text = _COMMENT.sub(b"", text).strip()
    if not text or _NO_VALUE.match(text):
        return b""
    if text.startswith(b"="):
        return _uid(text[1:].decode("ascii"))
    if vr in _HEX_VRS:
        return b"".join(int(word, 16).to_bytes(_HEX_VRS[vr], "little") for word in text.split(b"\\"))
    if vr in NUMBER_FORMATS:
        return b"".join(_number(vr, word.decode("ascii")) for word in text.split(b"\\"))
    if vr == "AT":
        return b"".join(_tag(word) for word in text.split(b"\\"))
    return text


def _number(vr: str, text: str) -> bytes:
    number = float(text) if vr in {"FL", "FD"} else int(text, 16 if text.startswith("0x") else 10)
    return struct.pack("<" + NUMBER_FORMATS[vr], number)


def _tag(text: bytes) -> bytes:
    found = re.fullmatch(rb"\(?([0-9a-fA-F]{4}),?([0-9a-fA-F]{4})\)?", text.strip())
    if found is None:
        raise ValueError
    return struct.pack("<HH", int(found[1], 16), int(found[2], 16))


def _uid(name: str) -> bytes:
    """Return the UID that stands behind a name, with or without what DCMTK writes around it."""
    bare = name.strip().removeprefix("RETIRED_")
    uid = _uids_by_name().get(bare) or _uids_by_name().get(bare.removesuffix("SOPClass"))
    if uid is None:
        raise ValueError
    return uid.encode("ascii")


@lru_cache(maxsize=1)
def _uids_by_name() -> dict[str, str]:
    from pydicom._uid_dict import UID_dictionary

    return {entry[4]: uid for uid, entry in UID_dictionary.items() if entry[4]}
