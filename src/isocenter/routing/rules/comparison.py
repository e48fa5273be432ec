"""What a comparison means: how values and literals of each type become comparable, and which of them fit.

Nothing here can fail: what is none of its type cannot be compared, and does not fit.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from isocenter.domain.forms import Form, Pattern, fits_pattern, padded_time, parse_pattern
from isocenter.domain.query import fold
from isocenter.routing.rules.expression import (
    WEEKDAYS,
    Between,
    Comparison,
    Contains,
    Leaf,
    Like,
    Literal,
    LiteralKind,
    Membership,
    Operator,
)
from isocenter.routing.rules.types import ValueType, type_of

MATCHED_LENGTH_MAX = 10_240
"""Characters of a value that are held against a pattern: what LT may have (PS3.5 table 6.2-1)."""
NUMBER_LENGTH_MAX = 32
"""DS has 16 characters, the shortest spelling of a double 24."""
_PATTERNS_REMEMBERED = 1024
_AGE_DAYS = {"D": Decimal(1), "W": Decimal(7), "M": Decimal("30.4375"), "Y": Decimal("365.25")}

Comparable = Decimal | str
"""What values and literals of one type become to be compared."""


def to_comparable(leaf: Leaf) -> Callable[[str], Comparable | None]:
    """Return what makes values comparable as a comparison needs them: None of a value that is none of its type."""
    return _CONVERSIONS.get(_type_for(leaf), str)


def depends_on_today(leaf: Leaf) -> bool:
    """Tell whether a comparison means another day tomorrow."""
    return any(literal.kind is LiteralKind.DAYS_FROM_TODAY for literal in _literals_of(leaf))


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


def fitting(leaf: Leaf, today: date) -> Callable[[Comparable], bool]:
    """Return what tells of one comparable value whether it fits."""
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
