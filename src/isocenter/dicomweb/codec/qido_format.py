"""A query as the parameters of a search request, for asking another service (PS3.18 10.6.1)."""

from __future__ import annotations

from isocenter.dicomweb.codec.qido import IncludeFields
from isocenter.dicomweb.codec.qido_attributes import MATCHABLE
from isocenter.domain.query import Between, Match, OneOf, Query, Wildcard, WordPrefixes

_NOTHING = IncludeFields()


def search_parameters(query: Query, include: IncludeFields = _NOTHING) -> list[tuple[str, str]]:
    """Return the parameters that ask for a query; what its route names is not among them.

    `fuzzymatching` holds for every person name of a request, so that a query which mixes `WordPrefixes` with exact
    names cannot be said; its exact names become fuzzy.
    """
    parameters = [(MATCHABLE[match.tag].keyword, _value(match)) for match in query.matches]
    if any(isinstance(match, WordPrefixes) for match in query.matches):
        parameters.append(("fuzzymatching", "true"))
    if include.is_all:
        parameters.append(("includefield", "all"))
    if include.tags:
        parameters.append(("includefield", ",".join(f"{tag:08X}" for tag in include.tags)))
    parameters.append(("limit", str(query.limit)))
    if query.offset:
        parameters.append(("offset", str(query.offset)))
    return parameters


def _value(match: Match) -> str:
    match match:
        case OneOf(_, values, _):
            return "\\".join(values)
        case Wildcard(_, pattern, _):
            return pattern
        case Between(_, lowest, highest):
            return f"{lowest or ''}-{highest or ''}"
        case WordPrefixes(_, words):
            return " ".join(words)
