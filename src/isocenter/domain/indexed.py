"""Which matches an index answers, and at which level; the others are held against headers (`archive.search`)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.domain.attributes import (
    BY_TAG,
    COMPUTED_TAGS,
    MATCHED_COMPUTED_TAGS,
    REQUEST_ATTRIBUTES_SEQUENCE,
    REQUEST_BY_TAG,
    IndexedAttribute,
    level_of,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    ByExternalMetadata,
    ByQueryTag,
    DateAndTime,
    InItem,
    Match,
    PersonName,
    Query,
    WordPrefixes,
)


def is_indexed(match: Match) -> bool:
    """Tell whether an index answers a match."""
    if isinstance(match, ByQueryTag | ByExternalMetadata):
        return True
    if isinstance(match, InItem):
        is_request = match.tag == REQUEST_ATTRIBUTES_SEQUENCE
        return is_request and all(not isinstance(one, InItem) and one.tag in REQUEST_BY_TAG for one in match.matches)
    if isinstance(match, DateAndTime):
        return match.date_tag in BY_TAG and match.time_tag in BY_TAG
    return match.tag in BY_TAG or match.tag in MATCHED_COMPUTED_TAGS


def split_matches(matches: Sequence[Match]) -> tuple[tuple[Match, ...], tuple[Match, ...]]:
    """Return the matches that an index answers, and the others."""
    indexed = tuple(match for match in matches if is_indexed(match))
    return indexed, tuple(match for match in matches if match not in indexed)


def matched_attribute(tag: int) -> IndexedAttribute:
    """Return the attribute that a match names, those that are computed included; their values are several."""
    if tag in MATCHED_COMPUTED_TAGS:
        keyword, vr, level = COMPUTED_TAGS[tag]
        return IndexedAttribute(keyword, tag, vr, level)
    return BY_TAG[tag]


def matched_level(match: Match) -> Level:
    """Return the level at which an index has what a match names."""
    if isinstance(match, ByQueryTag):
        return match.level
    if isinstance(match, ByExternalMetadata):
        return Level.STUDY
    level = Level.SERIES if isinstance(match, InItem) else level_of(match.tag)
    assert level is not None
    return level


def require_searchable(query: Query) -> None:
    """Raise InvalidRequest where an index cannot answer a query."""
    for match in query.matches:
        if not is_indexed(match):
            raise InvalidRequest(f"The attribute {match.tag:08X} cannot be searched.")
        if isinstance(match, WordPrefixes | PersonName) and matched_attribute(match.tag).vr != "PN":
            raise InvalidRequest(f"{matched_attribute(match.tag).keyword} is not a person name.")
