"""From a tag and a text to a key of a search, by the dictionary."""

from __future__ import annotations

from isocenter.dicom.dictionary import (
    AMBIGUOUS_VRS,
    dictionary_vr,
    is_private,
    keyword_of,
    may_have_several_values,
    resolve_vr,
)
from isocenter.domain.key import MATCHABLE_VRS, Key

_LOWEST_GROUP = 0x0008
"""Below it are commands and file meta information, which are no part of a data set."""
_NEVER_MATCHED = frozenset({0x00080005, 0x00080052, 0x00080053, 0x00080054, 0x00080056, 0x00081190})
"""They say how a request or an answer is meant: character set, level, view, where and how the instances are reached."""


def make_key(tag: int, text: str) -> Key | None:
    """Return the key that an attribute of the standard is in a search, None where its values cannot be matched."""
    vr = dictionary_vr(tag)
    if vr in AMBIGUOUS_VRS:
        vr = resolve_vr(tag, vr, pixel_representation=0)
    if vr not in MATCHABLE_VRS or is_private(tag) or tag >> 16 < _LOWEST_GROUP or tag in _NEVER_MATCHED:
        return None
    if not tag & 0xFFFF:
        return None
    return Key(tag, vr, text, keyword_of(tag) or "", is_multi_valued=may_have_several_values(tag))
