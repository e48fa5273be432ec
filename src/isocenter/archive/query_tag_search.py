"""Let keys of the standard be answered by extended query tags, so that they need no look at headers.

A tag takes the place of a look at headers only where it finds the same: it is ready, enabled and without errors, and
the attribute has one value by the standard, for of several an index keeps the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isocenter.dicom.dictionary import may_have_several_values
from isocenter.domain.indexed import is_indexed
from isocenter.domain.query import Between, ByQueryTag, Match, OneOf, PersonName, Query, Wildcard, WordPrefixes
from isocenter.domain.query_tag import QueryStatus, QueryTag, ValueKind

_TEXTS = (ValueKind.STRING, ValueKind.PERSON_NAME)
_RANGE_VRS = frozenset({"DA", "TM"})


def by_query_tags(query: Query, query_tags: Sequence[QueryTag]) -> Query:
    """Return a query whose keys are answered by tags where they can be."""
    usable = {one.entry.tag: one for one in query_tags if _is_usable(one, query)}
    if not usable:
        return query
    matches = tuple(_by_query_tag(match, usable.get(match.tag)) for match in query.matches)
    return replace(query, matches=matches)


def _is_usable(query_tag: QueryTag, query: Query) -> bool:
    entry = query_tag.entry
    return (
        query_tag.is_queryable
        and query_tag.query_status is QueryStatus.ENABLED
        and not query_tag.error_count
        and not entry.private_creator
        and entry.level <= query.level
        and not may_have_several_values(entry.tag)
    )


def _by_query_tag(match: Match, query_tag: QueryTag | None) -> Match:
    if query_tag is None or is_indexed(match):
        return match
    entry = query_tag.entry
    match match:
        case OneOf() if entry.vr != "DT":
            return ByQueryTag(query_tag.query_tag_key, entry.vr, entry.level, match)
        case Wildcard() if query_tag.kind in _TEXTS:
            return ByQueryTag(query_tag.query_tag_key, entry.vr, entry.level, match)
        case Between() if entry.vr in _RANGE_VRS:
            return ByQueryTag(query_tag.query_tag_key, entry.vr, entry.level, match)
        case WordPrefixes() | PersonName() if query_tag.kind is ValueKind.PERSON_NAME:
            return ByQueryTag(query_tag.query_tag_key, entry.vr, entry.level, match)
        case _:
            return match
