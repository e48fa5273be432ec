"""Hold every value of a header against the rules of its VR, quickly where all is well.

plan    where the values of each VR lie (`validation_plan`); a shape keeps it
test    all values of a VR at once (`value_tests`)
search  where that fails, value by value (`vr_rules`): exact, and only then is a reason put into words
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet, parse_character_set
from isocenter.dicom.dictionary import dictionary_vr
from isocenter.dicom.text import CHARSET_DELIMITERS, NUMBER_SIZES, SINGLE_VALUED_VRS
from isocenter.dicom.validation_plan import Flaw, Group, Place, Plan, iter_plans, path_of, require_few
from isocenter.dicom.value_tests import VALUE_TESTS
from isocenter.dicom.vr_rules import objection_to
from isocenter.dicom.walk import Buffer, Element

_SPECIFIC_CHARACTER_SET = 0x00080005
QUICK_LENGTH_MAX = 1 << 20
"""Values of a longer header are looked at in parts, so that no second copy of all of them lies in memory."""
_QUOTED_LENGTH_MAX = 256
"""Characters of a value that are repeated to its sender."""


def find_flaws(buffer: Buffer, elements: Sequence[Element], *, end: int, plan: Plan | None = None) -> list[Flaw]:
    """Return every invalid element of a header, which ends at `end`; without a plan, `elements` are all of it.

    NULs behind a value are padding (dicom-service 2.5, version 2). Raises LimitExceeded where they are too many to be
    named.
    """
    if end <= QUICK_LENGTH_MAX:
        head = buffer if isinstance(buffer, bytes) else bytes(buffer[:end])
        if plan is not None:
            return _flaws_by_plans(head, elements, [plan])
        if _are_all_valid(head, elements):
            return []
    return _flaws_by_plans(buffer, elements, iter_plans(elements) if plan is None else [plan])


def _flaws_by_plans(buffer: Buffer, elements: Sequence[Element], plans: Iterable[Plan]) -> list[Flaw]:
    flaws: list[Flaw] = []
    search = _Search(buffer, elements)
    for plan in plans:
        flaws += plan.flaws
        for group in plan.groups:
            values = _values(buffer, group.slices)
            if not VALUE_TESTS[group.vr](values):
                for flaw in search.in_group(group, values):
                    flaws.append(flaw)
                    require_few(flaws)
    require_few(flaws)
    return flaws


def _are_all_valid(head: bytes, elements: Sequence[Element]) -> bool:
    """Tell whether every value is surely valid, which costs less than a plan; False says only "look"."""
    values: dict[str, list[bytes]] = {vr: [] for vr in VALUE_TESTS}
    if not _gather(head, elements, values):
        return False
    return all(VALUE_TESTS[vr](found) for vr, found in values.items() if found)


def _gather(head: bytes, elements: Sequence[Element], values: Mapping[str, list[bytes]]) -> bool:
    """Sort the values of a data set and of the items in it by VR; return False where a length is wrong."""
    values_of, sizes = values.get, NUMBER_SIZES
    for tag, coded_vr, offset, length, items in elements:
        if items is not None:
            if not all(_gather(head, item, values) for item in items):
                return False
        elif length:
            vr = coded_vr if coded_vr is not None and coded_vr != "UN" else dictionary_vr(tag)
            found = values_of(vr)
            if found is not None:
                found.append(head[offset : offset + length])
            elif vr in sizes and length % sizes[vr]:
                return False
    return True


def _values(buffer: Buffer, slices: Sequence[slice]) -> list[bytes]:
    if isinstance(buffer, bytes):
        return [buffer[one] for one in slices]
    return [bytes(buffer[one]) for one in slices]


class _Search:
    """Look at single values of one header."""

    __slots__ = ("_buffer", "_character_sets", "_elements")

    def __init__(self, buffer: Buffer, elements: Sequence[Element]) -> None:
        self._buffer = buffer
        self._elements = elements
        self._character_sets: dict[int, CharacterSet] = {}
        """By the identity of the item, so that each data set is looked through once."""

    def in_group(self, group: Group, values: Sequence[bytes]) -> Iterator[Flaw]:
        test, vr = VALUE_TESTS[group.vr], group.vr
        for value, tag, place in zip(values, group.tags, group.places, strict=True):
            if test([value]):
                continue
            text = self._text(value, vr, place)
            for part in [text] if vr in SINGLE_VALUED_VRS else text.split("\\"):
                bare = part.rstrip(" ")
                objection = objection_to(vr, bare)
                if objection is not None:
                    content = bare[:_QUOTED_LENGTH_MAX]
                    yield Flaw(tag, path_of(tag, place), f'Content "{content}" does not validate VR {vr}: {objection}')
                    break

    def _text(self, value: bytes, vr: str, place: Place | None) -> str:
        if value.isascii() and b"\x1b" not in value:
            text = value.decode("ascii")
        elif vr in CHARSET_DELIMITERS:
            text = self._character_set(place).decode(value, delimiters=CHARSET_DELIMITERS[vr])
        else:
            text = value.decode("latin-1")
        return text.rstrip("\0 ")

    def _character_set(self, place: Place | None) -> CharacterSet:
        """Return the character set of a data set: its own, or that of the one which holds it."""
        found = self._character_sets.get(id(place))
        if found is None:
            found = self._own_character_set(self._elements if place is None else place.elements)
            if found is None:
                found = DEFAULT_CHARACTER_SET if place is None else self._character_set(place.above)
            self._character_sets[id(place)] = found
        return found

    def _own_character_set(self, elements: Sequence[Element]) -> CharacterSet | None:
        for tag, _, offset, length, _ in elements:
            if tag == _SPECIFIC_CHARACTER_SET:
                return parse_character_set(bytes(self._buffer[offset : offset + length]))
        return None
