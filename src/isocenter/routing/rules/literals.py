"""Literals of expressions: read from tokens, and written as they are read again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from isocenter.domain.measures import format_size, parse_size
from isocenter.routing.rules.errors import InvalidExpression
from isocenter.routing.rules.expression import WEEKDAYS, YEAR_MIN, Literal, LiteralKind
from isocenter.routing.rules.tokens import Token, TokenKind

DAYS_MAX = 36_500
"""A hundred years from today is as far as anybody asks."""
AGE_MAX = 999
"""AS has three digits (PS3.5 table 6.2-1)."""

_DAYS = re.compile(r"(\d{1,6})d")
_AGE = re.compile(r"(\d{1,6})([dwmy])")
_DAY_NAMES = {name: day for day in WEEKDAYS for name in (day.value, day.value[:3])}


def read_literal(tokens: Sequence[Token], at: int) -> tuple[Literal | None, int]:
    """Return the literal that begins at a token, None where none does, and where the tokens go on.

    Raises InvalidExpression where it is one that cannot be.
    """
    token = tokens[at]
    match token.kind:
        case TokenKind.TEXT:
            return Literal(LiteralKind.TEXT, token.text), at + 1
        case TokenKind.DATE:
            return Literal(LiteralKind.DATE, _date(token)), at + 1
        case TokenKind.TIME:
            return Literal(LiteralKind.TIME, _seconds(token)), at + 1
        case TokenKind.NUMBER:
            return _number(token), at + 1
        case TokenKind.NAME if token.text == "today":
            return _from_today(tokens, at + 1)
        case TokenKind.NAME if token.text.lower() in _DAY_NAMES:
            return Literal(LiteralKind.WEEKDAY, _DAY_NAMES[token.text.lower()].value), at + 1
        case _:
            return None, at


def _date(token: Token) -> str:
    try:
        day = date.fromisoformat(token.text)
    except ValueError as error:
        raise InvalidExpression(f"{token.text} is no day of the calendar.", start=token.start, end=token.end) from error
    if day.year < YEAR_MIN:
        raise InvalidExpression("The year is out of reach.", start=token.start, end=token.end)
    return f"{day:%Y%m%d}"


def _seconds(token: Token) -> int:
    hour, minute, second = (int(part) for part in (token.text + ":00").split(":")[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise InvalidExpression(
            f"{token.text} is no time of day; a day has 00:00 to 23:59:59.", start=token.start, end=token.end
        )
    return (hour * 60 + minute) * 60 + second


def _number(token: Token) -> Literal:
    text = token.text
    if not text[-1].isalpha():
        return Literal(LiteralKind.NUMBER, normalized(Decimal(text)))
    age = _AGE.fullmatch(text)
    if age is not None and int(age[1]) <= AGE_MAX:
        return Literal(LiteralKind.AGE, f"{int(age[1]):03d}{age[2].upper()}")
    size_bytes = parse_size(text)
    if size_bytes is None:
        raise InvalidExpression(
            f"{text} is neither a size such as 64MiB nor an age such as 18y; texts stand in quotes.",
            start=token.start,
            end=token.end,
        )
    return Literal(LiteralKind.SIZE, size_bytes)


def normalized(number: Decimal) -> Decimal:
    """Return a number in the one spelling that is kept of it."""
    return number.normalize() if number else Decimal(0)


def _from_today(tokens: Sequence[Token], at: int) -> tuple[Literal, int]:
    sign = tokens[at]
    if sign.kind is not TokenKind.SIGN or sign.text not in "+-":
        return Literal(LiteralKind.DAYS_FROM_TODAY, 0), at
    number = tokens[at + 1]
    found = _DAYS.fullmatch(number.text)
    if number.kind is not TokenKind.NUMBER or found is None or int(found[1]) > DAYS_MAX:
        raise InvalidExpression(
            f"Behind today {sign.text} stands a number of days up to {DAYS_MAX}, for example 90d.",
            start=number.start,
            end=number.end,
        )
    days = int(found[1])
    return Literal(LiteralKind.DAYS_FROM_TODAY, -days if sign.text == "-" else days), at + 2


def format_literal(literal: Literal) -> str:
    """Return a literal as an expression writes it."""
    value = literal.value
    match literal.kind:
        case LiteralKind.TEXT:
            return format_text(str(value))
        case LiteralKind.NUMBER:
            return f"{value:f}"
        case LiteralKind.SIZE:
            return format_size(int(value))
        case LiteralKind.DATE:
            text = str(value)
            return f"{text[:4]}-{text[4:6]}-{text[6:]}"
        case LiteralKind.DAYS_FROM_TODAY:
            days = int(value)
            return "today" if not days else f"today {'-' if days < 0 else '+'} {abs(days)}d"
        case LiteralKind.TIME:
            minutes, second = divmod(int(value), 60)
            clock = f"{minutes // 60:02d}:{minutes % 60:02d}"
            return f"{clock}:{second:02d}" if second else clock
        case LiteralKind.AGE:
            text = str(value)
            return f"{int(text[:3])}{text[3].lower()}"
        case LiteralKind.WEEKDAY:
            return str(value)


def format_text(text: str) -> str:
    """Return a text in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
