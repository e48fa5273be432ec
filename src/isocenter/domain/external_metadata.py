"""External metadata: private attributes that callers hand in beside a study and no file has (dicom-service 2.7).

A tag has one VR for the whole service. A later value for a study takes the place of the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.query_tag_value import Comparable, comparable_of

VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "PN", "SH", "SL", "SS", "TM", "UI", "UL", "US"}
)
TAGS_MAX = 1000
"""Of the whole service; each is an index of its own to search by."""
PRIVATE_CREATOR = "Microsoft"
"""Who owns the blocks of these tags where they are shown; a caller cannot name another."""

_FIRST_DATA_ELEMENT = 0x1000
"""PS3.5 7.8.1: lower elements of a private group reserve blocks."""
_FORBIDDEN_GROUPS = frozenset({0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF})
"""PS3.5 7.8.1."""


@dataclass(frozen=True, slots=True)
class ExternalValue:
    """One attribute of a study that is in none of its files."""

    tag: int
    vr: str
    value: str


@dataclass(frozen=True, slots=True)
class ExternalMetadata:
    """All external attributes of a study."""

    values: tuple[ExternalValue, ...] = ()
    """In the order of tags."""
    changed_at: float = 0.0
    """When one came last, seconds since the epoch, UTC."""


NO_EXTERNAL_METADATA = ExternalMetadata()


def is_external_tag(tag: int) -> bool:
    """Tell whether a tag may be one: that of a private data element."""
    group, element = tag >> 16, tag & 0xFFFF
    return bool(group & 1) and group not in _FORBIDDEN_GROUPS and element >= _FIRST_DATA_ELEMENT


def creator_tag(tag: int) -> int:
    """Return the tag of the element that reserves the block of a private data element (PS3.5 7.8.1)."""
    return (tag & 0xFFFF0000) | (tag & 0xFF00) >> 8


def comparing_vr(vr: str) -> str:
    """Return the VR by whose rules values compare: decimal strings do so as numbers."""
    return "FD" if vr == "DS" else vr


def comparable(value: ExternalValue) -> Comparable | None:
    """Return a value as searches compare it, None where it is no value of its VR."""
    return comparable_of(comparing_vr(value.vr), value.value)


def new_tags(known: Mapping[int, str], values: Iterable[ExternalValue]) -> dict[int, str]:
    """Return the VRs of the tags that are not known yet.

    Raises InvalidRequest where a tag is known with another VR, or there would be too many.
    """
    found: dict[int, str] = {}
    for one in values:
        vr = known.get(one.tag) or found.setdefault(one.tag, one.vr)
        if vr != one.vr:
            raise InvalidRequest(f"The external metadata tag {one.tag:08X} is of VR {vr}, not {one.vr}.")
    if len(known) + len(found) > TAGS_MAX:
        raise InvalidRequest(f"There can be at most {TAGS_MAX} external metadata tags.")
    return found
