"""The expression language as a tree of values: what may stand in the condition of a rule.

    Modality in ("CT", "MR") and StudyDescription like "*thorax*"
    calling_ae_title = "CT1" and AccessionNumber is missing
    ViewCodeSequence has (CodeValue = "R-10242" and CodingSchemeDesignator = "SRT")
    size > 100MB and (time between 22:00 and 06:00 or weekday in (saturday, sunday))

There are two truth values. A comparison holds where one of the values of the attribute fits it; where there is none, it
does not hold. Every negated form (`!=`, `not in`, `is missing`, …) is `Not` of its plain form, so that it always says
the opposite of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

EXPRESSION_LENGTH_MAX = 8192
"""Characters; a condition that a person can read has some hundreds, a list of AE titles some thousand."""
DEPTH_MAX = 32
"""Parentheses, `not` and `has` within each other; well below what the interpreter can recurse."""
PATTERN_LENGTH_MAX = 256
"""Characters of a pattern of `like`: matching takes time with the product of this and the length of the value."""
PATH_LENGTH_MAX = 8
"""Sequences within sequences that one path names."""
ITEM_NUMBER_MAX = 9999
"""Numbers of values and items in a path."""
YEAR_MIN, YEAR_MAX = 1000, 9999
"""Dates that are written in eight digits."""


class Fact(StrEnum):
    """What is known of an instance besides its attributes."""

    CALLING_AE_TITLE = "calling_ae_title"
    CALLED_AE_TITLE = "called_ae_title"
    ADDRESS = "address"
    TRANSFER_SYNTAX_UID = "transfer_syntax_uid"
    SIZE = "size"
    DATE = "date"
    TIME = "time"
    WEEKDAY = "weekday"


class Weekday(StrEnum):
    """The days of a week in their order (ISO 8601)."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEKDAYS = tuple(Weekday)


@dataclass(frozen=True, slots=True)
class PathStep:
    """An attribute of a data set or item, and which of its values or items is meant: None for any of them."""

    tag: int
    creator: str | None = None
    """Of a private attribute whose block is told by its creator; the block in `tag` is then 00."""
    number: int | None = None
    """From 1, as in the standard's "value 3"."""


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute, by the sequences that it is nested in."""

    steps: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many values or items an attribute has."""

    path: Path


Operand: TypeAlias = Path | Fact | Count


class LiteralKind(StrEnum):
    """What a literal is, in words for messages."""

    TEXT = "a text in quotes"
    NUMBER = "a number"
    SIZE = "a size"
    DATE = "a date"
    DAYS_FROM_TODAY = "a day from today"
    TIME = "a time of day"
    AGE = "an age"
    WEEKDAY = "a day of the week"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in an expression."""

    kind: LiteralKind
    value: str | int | Decimal
    """TEXT: the text. NUMBER: Decimal, normalized. SIZE: bytes. DATE: YYYYMMDD. DAYS_FROM_TODAY: days, most often
    negative. TIME: seconds of the day. AGE: as AS writes it, `018Y`. WEEKDAY: its name."""


class Operator(StrEnum):
    """Comparisons with one value."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Comparison:
    """One of the values stands in this relation to a literal."""

    operand: Operand
    operator: Operator
    literal: Literal


@dataclass(frozen=True, slots=True)
class Between:
    """One of the values lies between two, both included; times and days of the week may pass midnight or Sunday."""

    operand: Operand
    lowest: Literal
    highest: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """One of the values equals one of the literals; an address lies in one of the networks."""

    operand: Operand
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """One of the values fits a pattern of `*` and `?`, whatever its case and accents."""

    operand: Operand
    pattern: str


@dataclass(frozen=True, slots=True)
class Contains:
    """One of the values contains a text, whatever its case and accents."""

    operand: Operand
    text: str


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value, or an item."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Has:
    """One item of a sequence fulfils a condition, in which paths begin at the item."""

    path: Path
    condition: Expression


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite holds."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; there are two at least, and none of them is `And`."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds; there are two at least, and none of them is `Or`."""

    parts: tuple[Expression, ...]


Leaf: TypeAlias = Comparison | Between | Membership | Like | Contains | Present
Expression: TypeAlias = Leaf | Has | Not | And | Or


def tags_of(expression: Expression) -> frozenset[int]:
    """Return the tags that must be at hand at top level to evaluate an expression.

    For a private attribute whose block is not known before, those are all blocks and the elements that name them.
    """
    match expression:
        case And(parts) | Or(parts):
            return frozenset().union(*map(tags_of, parts))
        case Not(part):
            return tags_of(part)
        case Has(path):
            return _top_tags(path)
        case _:
            operand = expression.operand
    if isinstance(operand, Count):
        operand = operand.path
    return _top_tags(operand) if isinstance(operand, Path) else frozenset()


def _top_tags(path: Path) -> frozenset[int]:
    step = path.steps[0]
    if step.creator is None:
        return frozenset((step.tag,))
    group = step.tag & 0xFFFF0000
    blocks = range(0x10, 0x100)
    return frozenset(group | block for block in blocks) | frozenset(step.tag | block << 8 for block in blocks)
