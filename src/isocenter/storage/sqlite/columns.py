"""The columns of the three tables of attributes, derived from the one table of indexed attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from isocenter.domain.attributes import (
    INSTANCE_ATTRIBUTES,
    REQUEST_ATTRIBUTES,
    REQUEST_ATTRIBUTES_SEQUENCE,
    SERIES_ATTRIBUTES,
    STUDY_ATTRIBUTES,
    IndexedAttribute,
    item_tag,
)
from isocenter.domain.forms import Form, form_of, to_form
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Comparison, person_name_words

TABLES = {Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}
WORDS_SUFFIX = "words"

Value = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: an attribute's value, or a form of it."""

    name: str
    tag: int
    derive: Callable[[str], str] | None


def _columns(attributes: Sequence[IndexedAttribute]) -> tuple[Column, ...]:
    columns: list[Column] = []
    for attribute in attributes:
        columns.append(Column(attribute.column, attribute.tag, None))
        form = kept_form(attribute)
        if form is not None:
            columns.append(Column(f"{attribute.column}_{form.value}", attribute.tag, partial(to_form, form)))
        if attribute.vr == "PN":
            columns.append(Column(f"{attribute.column}_{WORDS_SUFFIX}", attribute.tag, person_name_words))
    return tuple(columns)


def kept_form(attribute: IndexedAttribute) -> Form | None:
    """Return the form that has a column of its own; US has none, because numbers come in no other spelling."""
    if attribute.vr == "PN":
        return Form.FOLDED
    form = form_of(attribute.vr, Comparison.CASELESS)
    return None if form is Form.RAW or attribute.vr == "US" else form


INSTANCE_IDENTITY = ("sop_instance_uid", "sop_class_uid")
"""Known apart from the data set's attributes, and always there."""
COLUMNS = {
    Level.STUDY: _columns(STUDY_ATTRIBUTES),
    Level.SERIES: _columns(SERIES_ATTRIBUTES),
    Level.INSTANCE: _columns([one for one in INSTANCE_ATTRIBUTES if one.column not in INSTANCE_IDENTITY]),
}
REQUEST_COLUMNS = _columns(REQUEST_ATTRIBUTES)
"""Of an item of RequestAttributesSequence."""

STUDY_FIXED = ("study_key", "partition_key", "number_of_series", "number_of_instances", "newest_instance_key")
SERIES_FIXED = ("series_key", "partition_key", "study_key", "number_of_instances", "newest_instance_key")
REQUEST_FIXED = ("series_key", "item_number", "partition_key")
INSTANCE_FIXED = (
    "instance_key",
    "partition_key",
    "study_key",
    "series_key",
    "is_original",
    "has_original",
    *INSTANCE_IDENTITY,
)
INSTANCE_PLACE = (
    "transfer_syntax_uid",
    "container",
    "offset",
    "length",
    "header_length",
    "received_at",
    "source",
    "block_digests",
    "frame_table",
)


def values_of(level: Level, attributes: Mapping[int, str]) -> tuple[str | None, ...]:
    """Return the values of a table's attribute columns; None where the attribute is absent or empty."""
    return tuple(
        [
            (value if column.derive is None else column.derive(value)) if value else None
            for column in COLUMNS[level]
            for value in (attributes.get(column.tag),)
        ]
    )


_REQUEST_ITEM_TAGS = tuple(item_tag(REQUEST_ATTRIBUTES_SEQUENCE, column.tag) for column in REQUEST_COLUMNS)


def request_rows(attributes: Mapping[int, str]) -> list[tuple[str | None, ...]]:
    """Return the values of the columns of each item of RequestAttributesSequence."""
    parts = [attributes.get(tag, "").split("\\") for tag in _REQUEST_ITEM_TAGS]
    if not any(map(any, parts)):
        return []
    count = max(map(len, parts))
    filled = [part + [""] * (count - len(part)) for part in parts]
    return [
        tuple(
            (value if column.derive is None else column.derive(value)) if value else None
            for column, value in zip(REQUEST_COLUMNS, item, strict=True)
        )
        for item in zip(*filled, strict=True)
    ]
