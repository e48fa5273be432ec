"""What both dialects make of the attributes in a query string."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.attributes import BY_TAG, COMPUTED_TAGS, MODALITIES_IN_STUDY, IndexedAttribute
from isocenter.domain.query import Match


@dataclass(frozen=True, slots=True)
class AttributeMatches:
    """The matches of a query string, the tags that it names, and what was passed over."""

    matches: tuple[Match, ...]
    tags: tuple[int, ...]
    warnings: tuple[str, ...] = ()


def _computed(tag: int) -> IndexedAttribute:
    keyword, vr, level = COMPUTED_TAGS[tag]
    return IndexedAttribute(keyword=keyword, tag=tag, vr=vr, level=level)


MATCHABLE = {**BY_TAG, MODALITIES_IN_STUDY: _computed(MODALITIES_IN_STUDY)}
"""Every attribute that an index can match on, by tag."""
