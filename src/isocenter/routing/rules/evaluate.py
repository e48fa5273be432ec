"""Hold a condition against an instance: whether it holds, and why.

Nothing here can fail or take long: what cannot be compared does not fit, values beyond `VALUES_MAX` and characters
beyond `MATCHED_LENGTH_MAX` are not looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from isocenter.domain.forms import Form, Pattern, fits_pattern, padded_time, parse_pattern
from isocenter.domain.query import fold
from isocenter.routing.rules.expression import (
    WEEKDAYS,
    And,
    Between,
    Comparison,
    Contains,
    Count,
    Expression,
    Fact,
    Has,
    Leaf,
    Like,
    Literal,
    LiteralKind,
    Membership,
    Not,
    Operand,
    Operator,
    Or,
    Path,
    PathStep,
    Present,
)
from isocenter.routing.rules.subject import AttributeReader, Subject
from isocenter.routing.rules.types import ValueType, type_of

VALUES_MAX = 1024
"""Values of one attribute that are looked at; ImageType, the longest that rules ask for, has some ten."""
MATCHED_LENGTH_MAX = 10_240
"""Characters of a value that are held against a pattern: what LT may have (PS3.5 table 6.2-1)."""
NUMBER_LENGTH_MAX = 32
"""DS has 16 characters, the shortest spelling of a double 24."""
_PATTERNS_REMEMBERED = 1024
_AGE_DAYS = {"D": Decimal(1), "W": Decimal(7), "M": Decimal("30.4375"), "Y": Decimal("365.25")}
_BLOCKS = range(0x10, 0x100)

_T = TypeVar("_T")
Comparable = Decimal | str
"""What values and literals of one type become to be compared."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an expression holds, and what of it."""

    expression: Expression
    is_true: bool
    values: tuple[str, ...] = ()
    """What a comparison looked at: values of attributes, which belong in no log."""
    has_value: bool = True
    """Whether there was anything to compare."""
    has_unfit_value: bool = False
    """Whether a value is none of its VR, so that it cannot be compared."""
    parts: tuple[Finding, ...] = ()
    """Of a compound; of `has`, one for each item."""


Test = Callable[[AttributeReader, Subject], bool]
"""Tells of a data set or item, of an instance that came so, whether a condition holds."""


def holds(expression: Expression, subject: Subject) -> bool:
    """Tell whether a condition holds; what cannot change the outcome is not looked at."""
    return compile_expression(expression)(subject.attributes, subject)


def compile_expression(expression: Expression) -> Test:
    """Return a condition ready to be held against many instances."""
    match expression:
        case And(parts):
            tests = [compile_expression(part) for part in parts]
            return lambda reader, subject: all(test(reader, subject) for test in tests)
        case Or(parts):
            tests = [compile_expression(part) for part in parts]
            return lambda reader, subject: any(test(reader, subject) for test in tests)
        case Not(part):
            inner = compile_expression(part)
            return lambda reader, subject: not inner(reader, subject)
        case Has(path, condition):
            of_item = compile_expression(condition)
            return lambda reader, subject: any(of_item(item, subject) for item in _items_at(path, reader))
        case Present(operand):
            return lambda reader, subject: _is_present(operand, reader, subject)
        case _:
            return _compile_leaf(expression)


def _compile_leaf(leaf: Leaf) -> Test:
    texts_of = _texts_getter(leaf.operand)
    to_comparable = _CONVERSIONS.get(_type_for(leaf), str)
    fixed = None if _depends_on_today(leaf) else _fits(leaf, date.min)

    def test(reader: AttributeReader, subject: Subject) -> bool:
        fits = fixed or _fits(leaf, subject.received_at.date())
        for text in texts_of(reader, subject):
            value = to_comparable(text)
            if value is not None and fits(value):
                return True
        return False

    return test


def _depends_on_today(leaf: Leaf) -> bool:
    return any(literal.kind is LiteralKind.DAYS_FROM_TODAY for literal in _literals_of(leaf))


def _texts_getter(operand: Operand) -> Callable[[AttributeReader, Subject], Iterable[str]]:
    """Return what reads the values of an operand; the plain attribute, which most rules ask for, in one step."""
    if isinstance(operand, Path) and len(operand.steps) == 1:
        (step,) = operand.steps
        if step.creator is None and step.number is None:
            return lambda reader, subject: reader.values_of(step.tag)[:VALUES_MAX]
    return lambda reader, subject: _texts_of(operand, reader, subject)


def explain(expression: Expression, subject: Subject) -> Finding:
    """Return whether a condition and every part of it holds."""
    return _explain(expression, subject.attributes, subject)


def _explain(expression: Expression, reader: AttributeReader, subject: Subject) -> Finding:
    match expression:
        case And(parts):
            findings = tuple(_explain(part, reader, subject) for part in parts)
            return Finding(expression, all(finding.is_true for finding in findings), parts=findings)
        case Or(parts):
            findings = tuple(_explain(part, reader, subject) for part in parts)
            return Finding(expression, any(finding.is_true for finding in findings), parts=findings)
        case Not(part):
            inner = _explain(part, reader, subject)
            return Finding(expression, not inner.is_true, parts=(inner,))
        case Has(path, condition):
            findings = tuple(_explain(condition, item, subject) for item in _items_at(path, reader))
            is_true = any(finding.is_true for finding in findings)
            return Finding(expression, is_true, has_value=bool(findings), parts=findings)
        case _:
            return _test(expression, reader, subject)


def _test(leaf: Leaf, reader: AttributeReader, subject: Subject) -> Finding:
    if isinstance(leaf, Present):
        is_present = _is_present(leaf.operand, reader, subject)
        return Finding(leaf, is_present, has_value=is_present)
    texts = tuple(_texts_of(leaf.operand, reader, subject))
    compared = list(map(_CONVERSIONS.get(_type_for(leaf), str), texts))
    values = [value for value in compared if value is not None]
    is_true = any(map(_fits(leaf, subject.received_at.date()), values))
    return Finding(leaf, is_true, texts, has_value=bool(texts), has_unfit_value=None in compared)


def _type_for(leaf: Leaf) -> ValueType:
    """Return as what values are compared: for a private attribute, what the literal is."""
    value_type = type_of(leaf.operand)
    if value_type is not ValueType.PRIVATE:
        return value_type
    literals = _literals_of(leaf)
    return ValueType.NUMBER if literals and literals[0].kind is LiteralKind.NUMBER else ValueType.TEXT


def _literals_of(leaf: Leaf) -> tuple[Literal, ...]:
    match leaf:
        case Comparison(_, _, literal):
            return (literal,)
        case Between(_, lowest, highest):
            return lowest, highest
        case Membership(_, literals):
            return literals
        case _:
            return ()


def _fits(leaf: Leaf, today: date) -> Callable[[Comparable], bool]:
    """Return what tells of one value whether it fits."""
    if isinstance(leaf, Like):
        pattern = _pattern(leaf.pattern)
        return lambda value: fits_pattern(pattern, fold(str(value)[:MATCHED_LENGTH_MAX]))
    if isinstance(leaf, Contains):
        wanted = fold(leaf.text)
        return lambda value: wanted in fold(str(value)[:MATCHED_LENGTH_MAX])
    value_type = _type_for(leaf)
    if value_type is ValueType.ADDRESS:
        networks = [str(literal.value) for literal in _literals_of(leaf)]
        return lambda value: any(_is_within(str(value), network) for network in networks)
    ends = [_meant(literal, today) for literal in _literals_of(leaf)]
    if isinstance(leaf, Comparison):
        return _relation(leaf.operator, ends[0])
    if isinstance(leaf, Between):
        return _range(ends[0], ends[1], is_cyclic=value_type in (ValueType.TIME, ValueType.WEEKDAY))
    return lambda value: value in ends


def _relation(operator: Operator, meant: Comparable) -> Callable[[Comparable], bool]:
    match operator:
        case Operator.EQUAL:
            return lambda value: value == meant
        case Operator.LESS:
            return lambda value: _order(value, meant) < 0
        case Operator.AT_MOST:
            return lambda value: _order(value, meant) <= 0
        case Operator.GREATER:
            return lambda value: _order(value, meant) > 0
        case Operator.AT_LEAST:
            return lambda value: _order(value, meant) >= 0


def _order(value: Comparable, other: Comparable) -> int:
    """Return -1, 0 or 1; both are of one type by construction, so text never meets a number."""
    if isinstance(value, str) or isinstance(other, str):
        return (str(value) > str(other)) - (str(value) < str(other))
    return (value > other) - (value < other)


def _range(lowest: Comparable, highest: Comparable, *, is_cyclic: bool) -> Callable[[Comparable], bool]:
    if is_cyclic and _order(lowest, highest) > 0:
        return lambda value: _order(lowest, value) <= 0 or _order(value, highest) <= 0
    return lambda value: _order(lowest, value) <= 0 and _order(value, highest) <= 0


def _meant(literal: Literal, today: date) -> Comparable:
    """Return what a literal is compared as."""
    match literal.kind:
        case LiteralKind.DAYS_FROM_TODAY:
            return _day_from(today, int(literal.value))
        case LiteralKind.SIZE | LiteralKind.TIME:
            return Decimal(literal.value)
        case LiteralKind.WEEKDAY:
            return Decimal(WEEKDAYS.index(str(literal.value)))
        case LiteralKind.AGE:
            return _age_days(str(literal.value)) or Decimal(0)
        case _:
            return literal.value if isinstance(literal.value, Decimal) else str(literal.value)


def _day_from(today: date, days: int) -> str:
    try:
        return f"{today + timedelta(days=days):%Y%m%d}"
    except OverflowError:
        return "00000000" if days < 0 else "99999999"


def _day(text: str) -> str | None:
    day = text[:8]
    return day if len(day) == 8 and day.isascii() and day.isdecimal() else None


def _number(text: str) -> Decimal | None:
    if len(text) > NUMBER_LENGTH_MAX or not text.isascii() or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _seconds(text: str) -> Decimal | None:
    padded = padded_time(text)
    if padded is None:
        return None
    return Decimal(int(padded[:2]) * 3600 + int(padded[2:4]) * 60) + Decimal(padded[4:])


def _age_days(text: str) -> Decimal | None:
    bare = text.strip()
    if len(bare) != 4 or not bare[:3].isdecimal() or not bare.isascii() or bare[3] not in _AGE_DAYS:
        return None
    return int(bare[:3]) * _AGE_DAYS[bare[3]]


_CONVERSIONS: Mapping[ValueType, Callable[[str], Comparable | None]] = {
    ValueType.NUMBER: _number,
    ValueType.SIZE: _number,
    ValueType.DATE: _day,
    ValueType.TIME: _seconds,
    ValueType.AGE: _age_days,
    ValueType.WEEKDAY: Decimal,
}
"""From a value to what it is compared as, None where it is none of its type; text is compared as it is."""


@lru_cache(maxsize=_PATTERNS_REMEMBERED)
def _pattern(pattern: str) -> Pattern:
    return parse_pattern(pattern, Form.FOLDED)


@lru_cache(maxsize=_PATTERNS_REMEMBERED)
def _is_within(address: str, network: str) -> bool:
    """Tell whether an address lies in a network; one of IPv4 that came over IPv6 counts as what it is."""
    try:
        found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found) in ipaddress.ip_network(network, strict=False)


# Values


def _is_present(operand: Operand, reader: AttributeReader, subject: Subject) -> bool:
    if not isinstance(operand, Path):
        return any(True for _ in _texts_of(operand, reader, subject))
    if operand.steps[-1].number is not None and type_of(operand) is not ValueType.SEQUENCE:
        return any(True for _ in _texts_of(operand, reader, subject))
    if type_of(operand) is ValueType.SEQUENCE:
        return any(True for _ in _items_at(operand, reader))
    last = operand.steps[-1]
    holders = _items_along(operand.steps[:-1], reader)
    return any(tag is not None and holder.has_value(tag) for holder in holders for tag in [_tag_in(last, holder)])


def _texts_of(operand: Operand, reader: AttributeReader, subject: Subject) -> Iterator[str]:
    """Yield the values of an operand as text."""
    if isinstance(operand, Fact):
        text = _fact(operand, subject)
        return iter(() if text is None else (text,))
    if isinstance(operand, Count):
        return iter((str(_count(operand.path, reader, subject)),))
    return islice(_values_at(operand, reader), VALUES_MAX)


def _count(path: Path, reader: AttributeReader, subject: Subject) -> int:
    if type_of(path) is ValueType.SEQUENCE:
        return sum(1 for _ in _items_at(path, reader))
    return sum(1 for _ in _values_at(path, reader))


def _values_at(path: Path, reader: AttributeReader) -> Iterator[str]:
    last = path.steps[-1]
    for holder in _items_along(path.steps[:-1], reader):
        tag = _tag_in(last, holder)
        if tag is not None:
            yield from _chosen(holder.values_of(tag), last.number)


def _items_at(path: Path, reader: AttributeReader) -> Iterator[AttributeReader]:
    return _items_along(path.steps, reader)


def _items_along(steps: Sequence[PathStep], reader: AttributeReader) -> Iterator[AttributeReader]:
    """Yield the items that a path of sequences leads to; the data set itself for no step."""
    if not steps:
        yield reader
        return
    tag = _tag_in(steps[0], reader)
    for item in [] if tag is None else _chosen(reader.items_of(tag), steps[0].number):
        yield from _items_along(steps[1:], item)


def _chosen(values: Sequence[_T], number: int | None) -> Sequence[_T]:
    return values if number is None else values[number - 1 : number]


def _tag_in(step: PathStep, reader: AttributeReader) -> int | None:
    """Return the tag of an attribute in this data set: that of a private one by the block of its creator."""
    if step.creator is None:
        return step.tag
    group = step.tag & 0xFFFF0000
    for block in _BLOCKS:
        if any(value.strip() == step.creator for value in reader.values_of(group | block)):
            return step.tag | block << 8
    return None


def _fact(fact: Fact, subject: Subject) -> str | None:
    match fact:
        case Fact.CALLING_AE_TITLE:
            return subject.calling_ae_title
        case Fact.CALLED_AE_TITLE:
            return subject.called_ae_title
        case Fact.ADDRESS:
            return subject.address
        case Fact.TRANSFER_SYNTAX_UID:
            return subject.transfer_syntax_uid or None
        case Fact.SIZE:
            return str(subject.size_bytes)
        case Fact.DATE:
            return f"{subject.received_at:%Y%m%d}"
        case Fact.TIME:
            return f"{subject.received_at:%H%M%S}"
        case Fact.WEEKDAY:
            return str(subject.received_at.weekday())
