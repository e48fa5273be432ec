"""All attributes of an instance as rows of a table: nested sequences in place, long values cut, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from isocenter.dicom.dictionary import keyword_of, uid_name
from isocenter.web.light.dataset_json import Dataset, value_text

ROWS_PER_PAGE = 250
"""Some screens; the header of a CT fits on one page."""
ROWS_MAX = 1_000_000
"""What a data set may hold (`dicom/walk.py`); the walk ends there whatever comes."""
VALUE_LENGTH_MAX = 2_000
"""More of one value is not read on a screen; the file can be downloaded."""
VALUES_SHOWN_MAX = 64
CUT = "…"
"""Stands where more of a value follows."""
CONTROL_PICTURES = 0x2400
"""Where Unicode has a picture for each control character."""
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Of a keyword: `SOPClassUID` is read as `SOP Class UID`."""


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One element, or the beginning of an item."""

    depth: int
    tag: str
    """`(0010,0010)`; empty for an item."""
    vr: str
    name: str
    value: str
    remark: str = ""
    """What was left out of the value, or what it means."""
    path: str = ""
    """By which the value is found: tags and numbers of items from 1, joined by slashes."""
    is_cut: bool = False
    """There is more text than is shown."""
    is_bulk: bool = False
    """The value is no text; it can be had as it is."""


@dataclass(frozen=True, slots=True)
class AttributePage:
    """Some rows out of all of them."""

    rows: tuple[AttributeRow, ...]
    number: int
    has_next: bool


def attribute_page(dataset: Dataset, *, number: int, wanted: str = "") -> AttributePage:
    """Return a page of the rows, of those only that `wanted` occurs in where it is not empty."""
    rows = (row for row in iter_rows(dataset) if _is_wanted(row, wanted.casefold()))
    start = (number - 1) * ROWS_PER_PAGE
    found = list(islice(rows, start, start + ROWS_PER_PAGE + 1))
    return AttributePage(tuple(found[:ROWS_PER_PAGE]), number, len(found) > ROWS_PER_PAGE)


def iter_rows(dataset: Dataset) -> Iterator[AttributeRow]:
    """Yield the rows of a data set in the order of its elements."""
    return islice(_rows(dataset, 0, ""), ROWS_MAX)


def printable(text: str) -> str:
    """Return text whose control characters are to be seen instead of being obeyed; line breaks stay."""
    return "".join(letter if letter == "\n" or not _is_control(letter) else _picture(letter) for letter in text)


def _rows(dataset: Dataset, depth: int, above: str) -> Iterator[AttributeRow]:
    for key in sorted(dataset):
        attribute = dataset[key]
        if not isinstance(attribute, dict):
            continue
        values, vr = attribute.get("Value"), str(attribute.get("vr", ""))
        values = values if isinstance(values, list) else []
        if vr != "SQ":
            value, remark = _value(attribute, values, vr)
            is_bulk = "BulkDataURI" in attribute or "InlineBinary" in attribute
            is_cut = not is_bulk and (len(values) > VALUES_SHOWN_MAX or value.endswith(CUT))
            yield AttributeRow(depth, _tag_text(key), vr, _name(key), value, remark, above + key, is_cut, is_bulk)
            continue
        count = f"{len(values)} item{'' if len(values) == 1 else 's'}"
        yield AttributeRow(depth, _tag_text(key), vr, _name(key), "", count)
        for number, item in enumerate(values, start=1):
            yield AttributeRow(depth + 1, "", "", f"Item {number}", "")
            yield from _rows(item if isinstance(item, dict) else {}, depth + 2, f"{above}{key}/{number}/")


def _value(attribute: Dataset, values: list[object], vr: str) -> tuple[str, str]:
    if "BulkDataURI" in attribute:
        return "", "not shown: bulk data"
    if "InlineBinary" in attribute:
        return "", f"not shown: {len(str(attribute['InlineBinary'])) * 3 // 4} bytes"
    shown = [value_text(value) if value is not None else "" for value in values[:VALUES_SHOWN_MAX]]
    text = "\\".join(shown)
    remarks = []
    if len(values) > len(shown):
        remarks.append(f"{len(values):,} values")
    if len(text) > VALUE_LENGTH_MAX:
        remarks.append(f"{len(text):,} characters")
        text = text[:VALUE_LENGTH_MAX] + CUT
    if vr == "UI" and len(values) == 1 and (known := uid_name(text)):
        remarks.append(known)
    return printable(text), ", ".join(remarks)


def _name(key: str) -> str:
    """Return the name of an attribute, its keyword cut into words."""
    try:
        keyword = keyword_of(int(key, 16))
    except ValueError:
        return ""
    if keyword is None:
        return "Private" if len(key) == 8 and int(key[:4], 16) % 2 else "Unknown"
    return _BETWEEN_WORDS.sub(" ", keyword)


def _tag_text(key: str) -> str:
    return f"({key[:4]},{key[4:]})"


def _is_wanted(row: AttributeRow, wanted: str) -> bool:
    if not wanted:
        return True
    keyword = row.name.replace(" ", "")
    return bool(row.tag) and any(
        wanted in part.casefold() for part in (row.tag, row.name, keyword, row.value, row.remark)
    )


def _is_control(letter: str) -> bool:
    return ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0


def _picture(letter: str) -> str:
    return chr(CONTROL_PICTURES + ord(letter)) if ord(letter) < 0x20 else "\N{REPLACEMENT CHARACTER}"
