"""The forms in which values are compared, and the patterns that they are held against (PS3.4 C.2.2.2).

A value is brought into the form that the attribute's VR and the comparison ask for, on both sides, and forms are
compared character by character. An index may keep a form in a column of its own; it must not have other rules.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from enum import Enum

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.query import Comparison, fold, fold_caseless

PATTERN_LENGTH_MAX = 1024
"""Longer than any value of the index; a longer pattern only costs time."""
DECIMAL_LENGTH_MAX = 32
"""PS3.5 table 6.2-1 has 16 for DS; the shortest spelling of a double has 24."""

_INTEGER = re.compile(r"\s*([+-]?\d{1,12})\s*", re.ASCII)
_TIME = re.compile(r"\d\d(\d\d(\d\d(\.\d{1,6})?)?)?", re.ASCII)
_RAW_VRS = frozenset({"UI", "DA", "DT", "AS", "AT"})
_INTEGER_VRS = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_DECIMAL_VRS = frozenset({"DS", "FL", "FD"})


class Form(Enum):
    """A form in which values are compared."""

    RAW = "raw"
    CASELESS = "caseless"
    FOLDED = "folded"
    TIME = "padded"
    """Time of day to the microsecond, so that `10` and `103000.5` compare."""
    INTEGER = "integer"
    """Without sign and zeros that mean nothing, so that `03` equals `3`."""
    DECIMAL = "decimal"
    """One spelling of each number, so that `1.50` equals `1.5`."""


class Any(Enum):
    """The wild cards of a pattern."""

    RUN = "*"
    ONE = "?"


Pattern = tuple[str | Any, ...]
"""Literal texts, in the form of the comparison, and wild cards."""

_FORMS = {Comparison.EXACT: Form.RAW, Comparison.CASELESS: Form.CASELESS, Comparison.FOLDED: Form.FOLDED}


def form_of(vr: str, comparison: Comparison) -> Form:
    """Return the form in which values of a VR are compared for equality and range."""
    if vr in _RAW_VRS:
        return Form.RAW
    if vr in _INTEGER_VRS:
        return Form.INTEGER
    if vr in _DECIMAL_VRS:
        return Form.DECIMAL
    if vr == "TM":
        return Form.TIME
    return _FORMS[comparison]


def wildcard_form_of(vr: str, comparison: Comparison) -> Form:
    """Return the form in which values of a VR are held against a pattern."""
    form = form_of(vr, comparison)
    return form if form in (Form.CASELESS, Form.FOLDED) else Form.RAW


def to_form(form: Form, text: str) -> str:
    """Return text in a form; what cannot be brought into it stays as it is."""
    match form:
        case Form.RAW:
            return text
        case Form.CASELESS:
            return fold_caseless(text)
        case Form.FOLDED:
            return fold(text)
        case Form.TIME:
            return _time(text)
        case Form.INTEGER:
            found = _INTEGER.fullmatch(text)
            return str(int(found[1])) if found else text
        case Form.DECIMAL:
            return _decimal(text)


def integer_of(text: str | None) -> int | None:
    """Return the number that an IS or US value says, None where it says none."""
    found = _INTEGER.fullmatch(text) if text else None
    return int(found[1]) if found else None


def padded_time(text: str) -> str | None:
    """Return a time of day to the microsecond, None where text is none."""
    padded = _time(text)
    return padded if len(padded) == len("HHMMSS.FFFFFF") and padded[6] == "." else None


def _time(text: str) -> str:
    bare = text.replace(":", "")  # the form of ACR-NEMA, which PS3.5 table 6.2-1 asks to be understood
    if not _TIME.fullmatch(bare):
        return text
    whole, _, fraction = bare.partition(".")
    return f"{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}"


def _decimal(text: str) -> str:
    bare = text.strip()
    if len(bare) > DECIMAL_LENGTH_MAX or not bare.isascii() or "_" in bare:
        return text
    try:
        number = Decimal(bare)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    return str(number.normalize()) if number else "0"


def parse_pattern(pattern: str, form: Form) -> Pattern:
    """Return a pattern in a form, runs of `*` as one."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise InvalidRequest("The pattern is too long.")
    tokens: list[str | Any] = []
    for part in re.split(r"([*?])", pattern):
        if part == "*":
            if not tokens or tokens[-1] is not Any.RUN:
                tokens.append(Any.RUN)
        elif part == "?":
            tokens.append(Any.ONE)
        elif part:
            tokens.append(to_form(form, part))
    return tuple(tokens)


def is_universal(pattern: Pattern) -> bool:
    """Tell whether a pattern is `*` alone, which absent values fit too (PS3.4 C.2.2.2.4)."""
    return pattern == (Any.RUN,)


def fits_pattern(pattern: Pattern, text: str) -> bool:
    """Tell whether text, in the form of the pattern, fits it; the time grows with the product of their lengths."""
    ends = {0}
    for token in pattern:
        if token is Any.RUN:
            ends = set(range(min(ends), len(text) + 1)) if ends else set()
        elif token is Any.ONE:
            ends = {end + 1 for end in ends if end < len(text)}
        else:
            ends = {end + len(token) for end in ends if text.startswith(str(token), end)}
    return len(text) in ends
