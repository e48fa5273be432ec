"""Where the values of each VR lie in a header.

It depends on nothing but the structure of the header, so it can be kept with a shape (`shapes.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isocenter.dicom.dictionary import dictionary_vr
from isocenter.dicom.text import NUMBER_SIZES
from isocenter.dicom.value_tests import VALUE_TESTS
from isocenter.dicom.vr_rules import LENGTHS_MAX
from isocenter.dicom.walk import Element
from isocenter.domain.errors import LimitExceeded

FLAWS_MAX = 10_000
"""Invalid elements of one instance: more are garbage, and each is remembered by its path."""
VALUE_LENGTH_MAX = 1 << 20
"""Longer text is not looked into: it is held to be valid where its VR sets no length, and invalid elsewhere."""
PART_BYTES = 4 << 20
"""What the values of one part of a plan may take in memory."""
ENTRY_BYTES = 256
"""What a value takes beside its bytes, roughly."""


def vr_of(tag: int, coded_vr: str | None) -> str:
    """Return the VR by which a value is read: the dictionary's where it came without one."""
    return dictionary_vr(tag) if coded_vr is None or coded_vr == "UN" else coded_vr


@dataclass(frozen=True, slots=True)
class Place:
    """An item of a sequence."""

    above: Place | None
    """The item that holds the sequence; None where the data set itself does."""
    sequence_tag: int
    item_number: int
    elements: Sequence[Element]

    @property
    def path(self) -> str:
        """Return the path of what is in it: tag and item number for each level, as in a BulkDataURI, with a slash."""
        above = self.above.path if self.above is not None else ""
        return f"{above}{self.sequence_tag:08X}/{self.item_number}/"


@dataclass(frozen=True, slots=True)
class Flaw:
    """An element whose value is not valid, and why."""

    tag: int
    path: str
    """Its own tag behind those of the items that it is in: `00400275/0/00400007`."""
    reason: str
    """Holds the value: for the sender, never for a log."""

    @property
    def is_nested(self) -> bool:
        """Tell whether it is in an item of a sequence."""
        return "/" in self.path


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one VR."""

    vr: str
    slices: tuple[slice, ...]
    tags: tuple[int, ...]
    places: tuple[Place | None, ...]
    """The item that each value is in; None for the data set itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The values of a header, or of a part of it, by VR, and what is wrong with its structure already."""

    groups: tuple[Group, ...]
    flaws: tuple[Flaw, ...]


def plan_of(elements: Sequence[Element]) -> Plan:
    """Return the plan of a header from all of its elements.

    Raises LimitExceeded where more is wrong than can be named.
    """
    planner = _Planner()
    for element, place in _located(elements, None):
        planner.add(element, place)
    return planner.take()


def iter_plans(elements: Sequence[Element]) -> Iterator[Plan]:
    """Yield the same in parts, so that the values of one do not take much memory."""
    planner = _Planner()
    for element, place in _located(elements, None):
        planner.add(element, place)
        if planner.pending_bytes > PART_BYTES:
            yield planner.take()
    yield planner.take()


def path_of(tag: int, place: Place | None) -> str:
    """Return the path of an element."""
    return f"{place.path if place is not None else ''}{tag:08X}"


def require_few(flaws: Sequence[Flaw]) -> None:
    """Raise LimitExceeded where flaws are too many to be remembered."""
    if len(flaws) > FLAWS_MAX:
        raise LimitExceeded(f"More than {FLAWS_MAX} elements of the data set are invalid.")


def _located(elements: Sequence[Element], place: Place | None) -> Iterator[tuple[Element, Place | None]]:
    """Yield every element that is no sequence, with the item that it is in."""
    for element in elements:
        items = element[4]
        if items is None:
            yield element, place
        else:
            for number, item in enumerate(items):
                yield from _located(item, Place(place, element[0], number, item))


class _Planner:
    """Sort values by VR."""

    __slots__ = ("_flaws", "_found", "pending_bytes")

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[slice, int, Place | None]]] = {vr: [] for vr in VALUE_TESTS}
        self._flaws: list[Flaw] = []
        self.pending_bytes = 0

    def add(self, element: Element, place: Place | None) -> None:
        """Take in one element."""
        tag, coded_vr, offset, length, _ = element
        if not length:
            return
        vr = vr_of(tag, coded_vr)
        found = self._found.get(vr)
        if found is None:
            if vr in NUMBER_SIZES and length % NUMBER_SIZES[vr]:
                self._note(tag, place, vr, f"its length is no multiple of {NUMBER_SIZES[vr]} bytes")
        elif length <= VALUE_LENGTH_MAX:
            found.append((slice(offset, offset + length), tag, place))
            self.pending_bytes += length + ENTRY_BYTES
        elif vr in LENGTHS_MAX or vr == "PN":
            self._note(tag, place, vr, "it is longer than any value of it")

    def take(self) -> Plan:
        """Return what came since the last time."""
        groups: list[Group] = []
        for vr, found in self._found.items():
            if found:
                slices, tags, places = zip(*found, strict=True)
                groups.append(Group(vr, slices, tags, places))
                found.clear()
        plan = Plan(tuple(groups), tuple(self._flaws))
        self._flaws.clear()
        self.pending_bytes = 0
        return plan

    def _note(self, tag: int, place: Place | None, vr: str, reason: str) -> None:
        self._flaws.append(Flaw(tag, path_of(tag, place), f"The value does not validate VR {vr}: {reason}"))
        require_few(self._flaws)
