"""What the operands of an expression hold, and which comparisons and literals go with that."""

from __future__ import annotations

import difflib
from enum import Enum

from isocenter.dicom.dictionary import dictionary_vr, is_private, keyword_of, resolve_vr, tag_of, tags_by_keyword
from isocenter.routing.rules.expression import Count, Fact, LiteralKind, Operand, PathStep


class ValueType(Enum):
    """What values of an operand are, in words for messages."""

    TEXT = "text"
    NUMBER = "a number"
    SIZE = "a size"
    DATE = "a date"
    TIME = "a time of day"
    AGE = "an age"
    WEEKDAY = "a day of the week"
    ADDRESS = "an address"
    SEQUENCE = "a sequence"
    BULK = "binary data"
    PRIVATE = "private"


_BY_VR = {
    **dict.fromkeys(("IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"), ValueType.NUMBER),
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "OV"), ValueType.BULK),
    "DA": ValueType.DATE,
    "DT": ValueType.DATE,
    "TM": ValueType.TIME,
    "AS": ValueType.AGE,
    "SQ": ValueType.SEQUENCE,
    "UN": ValueType.PRIVATE,
}
_BY_FACT = {
    Fact.SIZE: ValueType.SIZE,
    Fact.DATE: ValueType.DATE,
    Fact.TIME: ValueType.TIME,
    Fact.WEEKDAY: ValueType.WEEKDAY,
    Fact.ADDRESS: ValueType.ADDRESS,
}
_DATES = frozenset({LiteralKind.DATE, LiteralKind.DAYS_FROM_TODAY})
_SIZES = frozenset({LiteralKind.SIZE, LiteralKind.NUMBER})
LITERALS = {
    ValueType.TEXT: frozenset({LiteralKind.TEXT}),
    ValueType.NUMBER: frozenset({LiteralKind.NUMBER}),
    ValueType.SIZE: _SIZES,
    ValueType.DATE: _DATES,
    ValueType.TIME: frozenset({LiteralKind.TIME}),
    ValueType.AGE: frozenset({LiteralKind.AGE}),
    ValueType.WEEKDAY: frozenset({LiteralKind.WEEKDAY}),
    ValueType.ADDRESS: frozenset({LiteralKind.TEXT}),
    ValueType.PRIVATE: frozenset({LiteralKind.TEXT, LiteralKind.NUMBER}),
}
"""Kinds of literals that values of a type are compared with."""
EXAMPLES = {
    ValueType.TEXT: '"CT"',
    ValueType.NUMBER: "512",
    ValueType.SIZE: "64MiB",
    ValueType.DATE: "2026-01-31, or today - 90d",
    ValueType.TIME: "07:30",
    ValueType.AGE: "18y (also 6m, 2w, 10d)",
    ValueType.WEEKDAY: "monday",
    ValueType.ADDRESS: '"10.1.2.3" or "10.1.0.0/16"',
    ValueType.PRIVATE: '"text" or 12',
}
"""How a literal of a type is written."""
ORDERED_TYPES = frozenset({ValueType.NUMBER, ValueType.SIZE, ValueType.DATE, ValueType.TIME, ValueType.AGE})
RANGE_TYPES = ORDERED_TYPES | {ValueType.WEEKDAY}
TEXT_TYPES = frozenset({ValueType.TEXT, ValueType.PRIVATE})
_SUGGESTION_CUTOFF = 0.6


def type_of_step(step: PathStep) -> ValueType:
    """Return what the values of an attribute are."""
    if step.creator is not None:
        return ValueType.PRIVATE
    vr = resolve_vr(step.tag, dictionary_vr(step.tag), pixel_representation=0)
    return _BY_VR.get(vr, ValueType.TEXT)


def type_of(operand: Operand) -> ValueType:
    """Return what the values of an operand are."""
    if isinstance(operand, Fact):
        return _BY_FACT.get(operand, ValueType.TEXT)
    if isinstance(operand, Count):
        return ValueType.NUMBER
    return type_of_step(operand.steps[-1])


def vr_of_step(step: PathStep) -> str:
    """Return the VR that an attribute has outside of images, UN where only the data set knows."""
    if step.creator is not None:
        return "UN"
    return resolve_vr(step.tag, dictionary_vr(step.tag), pixel_representation=0)


def step_of_keyword(keyword: str) -> PathStep | None:
    """Return the attribute of a keyword, None where the standard knows none."""
    tag = tag_of(keyword)
    return None if tag is None else PathStep(tag)


def name_of_step(step: PathStep) -> str:
    """Return an attribute as an expression writes it, without the number of its value."""
    group, element = step.tag >> 16, step.tag & 0xFFFF
    if step.creator is not None:
        return f'({group:04X},xx{element:02X},"{step.creator}")'
    keyword = None if is_private(step.tag) else keyword_of(step.tag)
    is_found_again = keyword is not None and tag_of(keyword) == step.tag
    return keyword if keyword is not None and is_found_again else f"({group:04X},{element:04X})"


def nearest_name(name: str) -> str | None:
    """Return the fact or keyword that a name that nobody knows was most likely meant to be."""
    lowered = name.lower()
    folded = {known.lower(): str(known) for known in (*tags_by_keyword(), *Fact)}
    if lowered in folded:
        return folded[lowered]
    found = difflib.get_close_matches(lowered, list(folded), n=1, cutoff=_SUGGESTION_CUTOFF)
    return folded[found[0]] if found else None
