"""Search by looking at every row: the meaning of a match, spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isocenter.domain.attributes import MODALITIES_IN_STUDY
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Between, Comparison, Match, OneOf, Wildcard, WordPrefixes, person_name_words
from isocenter.storage.matching import (
    Any,
    Pattern,
    fits_words,
    folded_words,
    form_of,
    is_universal,
    matched_attribute,
    parse_pattern,
    to_form,
    wildcard_form_of,
)


def fits(match: Match, level: Level, attributes: Mapping[int, str], modalities: Iterable[str]) -> bool:
    """Tell whether the attributes of a row, with those of the levels above, fit a match."""
    vr = matched_attribute(match, level).vr
    values = list(modalities) if match.tag == MODALITIES_IN_STUDY else [attributes.get(match.tag, "")]
    return any(_value_fits(match, vr, value) for value in values or [""])


def _value_fits(match: Match, vr: str, value: str) -> bool:
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
