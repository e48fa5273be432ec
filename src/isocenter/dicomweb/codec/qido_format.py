"""A query as the parameters of a search request, for asking another service (PS3.18 10.6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from isocenter.dicom.dictionary import keyword_of
from isocenter.dicomweb.codec.qido import IncludeFields
from isocenter.domain.key import EMPTY_VALUE
from isocenter.domain.query import (
    Between,
    ByExternalMetadata,
    ByQueryTag,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
)

_NOTHING = IncludeFields()
Flat = tuple[str, Match]
"""A match with what its attribute is called, behind the sequences that it is nested in."""


def search_parameters(query: Query, include: IncludeFields = _NOTHING) -> list[tuple[str, str]]:
    """Return the parameters that ask for a query; what its route names is not among them.

    `fuzzymatching` holds for every person name of a request, so that a query which mixes `WordPrefixes` with exact
    names cannot be said; its exact names become fuzzy. Nor can the combination of dates with times.
    """
    flat = list(_flatten(query.matches, ""))
    values: dict[str, list[str]] = {}
    for match in flat:
        for name, value in _parameters(*match):
            values.setdefault(name, []).append(value)
    parameters = [(name, "\\".join(parts)) for name, parts in values.items()]
    switches = {
        "fuzzymatching": any(isinstance(match, WordPrefixes) for _, match in flat),
        "emptyvaluematching": any(isinstance(match, Empty) for _, match in flat),
        "multiplevaluematching": any(len(parts) > 1 for parts in values.values()),
    }
    parameters += [(name, "true") for name, is_on in switches.items() if is_on]
    if include.is_all:
        parameters.append(("includefield", "all"))
    if include.tags:
        parameters.append(("includefield", ",".join(f"{tag:08X}" for tag in include.tags)))
    parameters.append(("limit", str(query.limit)))
    if query.offset:
        parameters.append(("offset", str(query.offset)))
    return parameters


def _flatten(matches: Sequence[Match], path: str) -> Iterator[Flat]:
    for match in matches:
        if isinstance(match, InItem):
            yield from _flatten(match.matches, f"{path}{_name(match.tag)}.")
        else:
            yield path, match


def _name(tag: int) -> str:
    return keyword_of(tag) or f"{tag:08X}"


def _parameters(path: str, match: Match) -> Iterator[tuple[str, str]]:
    if isinstance(match, DateAndTime):
        yield path + _name(match.date_tag), _range(*match.dates)
        if any(match.times):
            yield path + _name(match.time_tag), _range(*match.times)
    else:
        yield path + _name(match.tag), _value(match)


def _range(lowest: str | None, highest: str | None) -> str:
    return f"{lowest or ''}-{highest or ''}"


def _value(match: Match) -> str:
    match match:
        case OneOf(_, values, _):
            return "\\".join(values)
        case Wildcard(_, pattern, _):
            return pattern
        case Between(_, lowest, highest):
            return _range(lowest, highest)
        case WordPrefixes(_, words):
            return " ".join(words)
        case PersonName(_, groups):
            return "=".join(groups)
        case Empty():
            return EMPTY_VALUE
        case DateAndTime() | InItem() | ByQueryTag() | ByExternalMetadata():
            raise AssertionError("the first were taken apart before, the last are an index's own")
        case _:
            assert_never(match)
