"""Values out of a data set in the DICOM JSON model (PS3.18 annex F), by keyword, whatever is in it.

Nothing here trusts what it reads: an attribute that is missing or of another kind reads as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from isocenter.dicom.dictionary import tag_of

Dataset = Mapping[str, Any]
"""A data set, or an item of a sequence."""
TEXT_LENGTH_MAX = 1_000
"""What a title or an overlay shows of a value; LO ends at 64 (PS3.5 table 6.2-1)."""


def values_of(dataset: Dataset, keyword: str) -> list[Any]:
    """Return the values of an attribute."""
    tag = tag_of(keyword)
    attribute = dataset.get(f"{tag:08X}") if tag is not None else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values if isinstance(values, list) else []


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the first value as text; a person name as it is coded, its groups joined by `=`."""
    return next((value_text(value)[:TEXT_LENGTH_MAX] for value in values_of(dataset, keyword) if value is not None), "")


def value_text(value: Any) -> str:
    """Return one value as text; nothing of an item."""
    if isinstance(value, dict):
        groups = [str(value.get(name, "")) for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return f"{value:g}" if isinstance(value, float) else str(value)


def numbers_of(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return the values as numbers, or nothing where one of them is none."""
    numbers = [_number(value) for value in values_of(dataset, keyword)]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(numbers) else ()


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value as a number."""
    return next(iter(numbers_of(dataset, keyword)), None)


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence."""
    return [item for item in values_of(dataset, keyword) if isinstance(item, dict)]


def item_of(dataset: Dataset, keyword: str) -> Dataset:
    """Return the first item of a sequence, empty where there is none."""
    return next(iter(items_of(dataset, keyword)), {})


def functional_group(dataset: Dataset, frame_number: int, keyword: str) -> Dataset:
    """Return what a functional group says of a frame: its own, else the shared one (PS3.3 C.7.6.16)."""
    frames = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    own = frames[frame_number - 1] if 0 < frame_number <= len(frames) else {}
    shared = item_of(dataset, "SharedFunctionalGroupsSequence")
    return item_of(own, keyword) or item_of(shared, keyword)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
