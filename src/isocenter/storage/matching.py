"""What it means that a stored value fits a match: one set of rules for every index (PS3.4 C.2.2.2).

A value is brought into the form that the attribute's VR and the comparison ask for, on both sides, and forms are
compared character by character. An adapter may keep a form in a column of its own; it must not have other rules.
"""

from __future__ import annotations

import re
from enum import Enum

from isocenter.domain.attributes import BY_TAG, COMPUTED_TAGS, MODALITIES_IN_STUDY, IndexedAttribute
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    Comparison,
    Match,
    OneOf,
    Query,
    Wildcard,
    WordPrefixes,
    fold,
    fold_caseless,
    person_name_words,
)

PATTERN_LENGTH_MAX = 1024
"""Longer than any value of the index; a longer pattern only costs time."""

_INTEGER = re.compile(r"\s*([+-]?\d{1,12})\s*", re.ASCII)
_TIME = re.compile(r"\d\d(\d\d(\d\d(\.\d{1,6})?)?)?", re.ASCII)
_RAW_VRS = frozenset({"UI", "DA", "DT"})
_INTEGER_VRS = frozenset({"IS", "US", "SS", "UL", "SL"})


class Form(Enum):
    """A form in which values are compared."""

    RAW = "raw"
    CASELESS = "caseless"
    FOLDED = "folded"
    TIME = "padded"
    """Time of day to the microsecond, so that `10` and `103000.5` compare."""
    INTEGER = "integer"
    """Without sign and zeros that mean nothing, so that `03` equals `3`."""


class Any(Enum):
    """The wild cards of a pattern."""

    RUN = "*"
    ONE = "?"


Pattern = tuple[str | Any, ...]
"""Literal texts, in the form of the comparison, and wild cards."""


def form_of(vr: str, comparison: Comparison) -> Form:
    """Return the form in which values of a VR are compared for equality and range."""
    if vr in _RAW_VRS:
        return Form.RAW
    if vr in _INTEGER_VRS:
        return Form.INTEGER
    if vr == "TM":
        return Form.TIME
    return {Comparison.EXACT: Form.RAW, Comparison.CASELESS: Form.CASELESS, Comparison.FOLDED: Form.FOLDED}[comparison]


def wildcard_form_of(vr: str, comparison: Comparison) -> Form:
    """Return the form in which values of a VR are held against a pattern."""
    form = form_of(vr, comparison)
    return Form.RAW if form in (Form.TIME, Form.INTEGER) else form


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


def integer_of(text: str | None) -> int | None:
    """Return the number that an IS or US value says, None where it says none."""
    found = _INTEGER.fullmatch(text) if text else None
    return int(found[1]) if found else None


def _time(text: str) -> str:
    bare = text.replace(":", "")  # the form of ACR-NEMA, which PS3.5 table 6.2-1 asks to be understood
    if not _TIME.fullmatch(bare):
        return text
    whole, _, fraction = bare.partition(".")
    return f"{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}"


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


def fits_words(words: str, wanted: tuple[str, ...]) -> bool:
    """Tell whether the wanted words, in order and adjacent, each begin a word."""
    have = words.split(" ")
    last = len(have) - len(wanted)
    return any(
        all(word.startswith(prefix) for word, prefix in zip(have[at:], wanted, strict=False)) for at in range(last + 1)
    )


def folded_words(match: WordPrefixes) -> tuple[str, ...]:
    """Return the words of a fuzzy match as they are compared; words that are empty say nothing."""
    return tuple(person_name_words(" ".join(match.words)).split())


def matched_attribute(match: Match, level: Level) -> IndexedAttribute:
    """Return the attribute that a match names; raise InvalidRequest where a search of that level cannot match it.

    ModalitiesInStudy answers as an attribute of the study; its values are the modalities of the series.
    """
    if match.tag == MODALITIES_IN_STUDY:
        keyword, vr, found_level = COMPUTED_TAGS[MODALITIES_IN_STUDY]
        attribute = IndexedAttribute(keyword, MODALITIES_IN_STUDY, vr, found_level)
    elif match.tag in BY_TAG:
        attribute = BY_TAG[match.tag]
    else:
        raise InvalidRequest(f"The attribute {match.tag:08X} cannot be searched.")
    if attribute.level > level:
        raise InvalidRequest(f"{attribute.keyword} cannot be searched at this level.")
    if isinstance(match, WordPrefixes) and attribute.vr != "PN":
        raise InvalidRequest(f"{attribute.keyword} is not a person name.")
    return attribute


def require_searchable(query: Query) -> None:
    """Raise InvalidRequest where an index cannot answer a query."""
    if query.level is Level.PATIENT:
        raise InvalidRequest("The index is searched by study, series or instance.")
    for match in query.matches:
        matched_attribute(match, query.level)


def value_fits(match: Match, vr: str, value: str) -> bool:
    """Tell whether a value, empty where the attribute has none, fits a match: the meaning of it, spelled out."""
    match match:
        case Wildcard(_, text, comparison):
            return _fits_wildcard(vr, text, comparison, value)
        case _ if not value:
            return False
        case OneOf(_, values, comparison):
            form = form_of(vr, comparison)
            return to_form(form, value) in [to_form(form, wanted) for wanted in values]
        case Between(_, lowest, highest):
            form = form_of(vr, Comparison.EXACT)
            text = to_form(form, value)
            above = lowest is None or to_form(form, lowest) <= text
            return above and (highest is None or text <= to_form(form, highest))
        case WordPrefixes():
            words = folded_words(match)
            return bool(words) and fits_words(person_name_words(value), words)


def _fits_wildcard(vr: str, text: str, comparison: Comparison, value: str) -> bool:
    form = wildcard_form_of(vr, comparison)
    pattern = parse_pattern(text, form)
    return is_universal(pattern) or (bool(value) and _fits_pattern(pattern, to_form(form, value)))


def _fits_pattern(pattern: Pattern, text: str) -> bool:
    ends = {0}
    for token in pattern:
        if token is Any.RUN:
            ends = set(range(min(ends), len(text) + 1)) if ends else set()
        elif token is Any.ONE:
            ends = {end + 1 for end in ends if end < len(text)}
        else:
            ends = {end + len(token) for end in ends if text.startswith(str(token), end)}
    return len(text) in ends
