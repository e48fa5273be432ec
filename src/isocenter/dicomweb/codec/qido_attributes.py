"""What both dialects make of the attributes in a query string."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.attributes import BY_TAG, MATCHED_COMPUTED_TAGS
from isocenter.domain.indexed import matched_attribute
from isocenter.domain.query import Match


@dataclass(frozen=True, slots=True)
class AttributeMatches:
    """The matches of a query string, the tags that it names, and what was passed over."""

    matches: tuple[Match, ...]
    tags: tuple[int, ...]
    warnings: tuple[str, ...] = ()
    erroneous_keys: tuple[str, ...] = ()
    """Keys, as the client wrote them, of extended query tags that have errors: some instances may be missing."""


MATCHABLE = {tag: matched_attribute(tag) for tag in (*BY_TAG, *MATCHED_COMPUTED_TAGS)}
"""Every attribute that an index can match on, by tag."""
