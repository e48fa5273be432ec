"""A data set that is being changed: what lies in the file, and over it what steps have made of it.

Attributes are decoded only when somebody looks at them. An attribute that was changed is remembered as it was at first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isocenter.dicom.behind_pixels import BehindPixels, look_behind_pixels
from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet
from isocenter.dicom.charset_encode import with_character_set
from isocenter.dicom.dataset import (
    SPECIFIC_CHARACTER_SET,
    Attribute,
    character_set_of,
    decode_elements,
    encode_dataset,
    has_charset_text,
    text_attribute,
    vr_of,
)
from isocenter.dicom.dictionary import UNKNOWN_VR, is_private
from isocenter.dicom.element_span import WalkedDataset
from isocenter.dicom.walk import Element
from isocenter.domain.errors import InvalidDataset
from isocenter.routing.transforms.errors import TransformRefused
from isocenter.routing.transforms.reader import DatasetReader


class Draft(Mapping[int, Attribute]):
    """The attributes of a data set by tag, with changes."""

    def __init__(self, dataset: WalkedDataset) -> None:
        self._dataset = dataset
        self._elements = {
            element[0]: element for element in dataset.elements if element[0] & 0xFFFF and element[0] >> 16 > 0x0002
        }
        self._decoded: dict[int, Attribute] = {}
        self._changes: dict[int, Attribute | None] = {}
        self._originals: dict[int, Attribute] = {}
        self._touched: set[int] = set()
        self._behind: BehindPixels | None = None
        self.end: int | None = None
        """Where the file is cut, None where it is not."""
        self.left_out: tuple[tuple[int, int], ...] = ()
        """Tags and lengths of what is cut off."""

    def __getitem__(self, tag: int) -> Attribute:
        if tag in self._changes:
            changed = self._changes[tag]
            if changed is None:
                raise KeyError(tag)
            return changed
        return self._as_it_came(tag)

    def __iter__(self) -> Iterator[int]:
        """Yield the tags that are there now, in their order."""
        there = (self._elements.keys() | self._changes.keys()) - self._removed()
        return iter(sorted(there))

    def __len__(self) -> int:
        return len((self._elements.keys() | self._changes.keys()) - self._removed())

    def __contains__(self, tag: object) -> bool:
        return tag in self._elements if tag not in self._changes else tag not in self._removed()

    def _removed(self) -> set[int]:
        return {tag for tag, attribute in self._changes.items() if attribute is None}

    def _as_it_came(self, tag: int) -> Attribute:
        if tag not in self._decoded:
            element = self._elements[tag]
            encoding = self._dataset.encoding
            self._decoded |= decode_elements(self._dataset.buffer, [element], encoding.is_little_endian)
        return self._decoded[tag]

    @property
    def character_set(self) -> CharacterSet:
        """Return what its text is read by."""
        return character_set_of(self)

    @property
    def terms(self) -> str:
        """Return SpecificCharacterSet as it stands there now."""
        named = self.get(SPECIFIC_CHARACTER_SET)
        return "" if named is None else named.value.decode("latin-1").strip(" \0")

    @property
    def reader(self) -> DatasetReader:
        """Return it as conditions read it."""
        return DatasetReader(self, DEFAULT_CHARACTER_SET)

    def change(self, tag: int, attribute: Attribute | None) -> None:
        """Put an attribute in the place of another, or take it away."""
        before = self.get(tag)
        if before == attribute:
            return
        self._remember(tag, before)
        self._changes[tag] = attribute

    def remove(self, tag: int) -> None:
        """Take an attribute away, be it one that cannot be decoded; of such a one nothing is remembered."""
        if tag in self:
            try:
                self._remember(tag, self[tag])
            except InvalidDataset:
                self._touched.add(tag)
            self._changes[tag] = None

    def _remember(self, tag: int, before: Attribute | None) -> None:
        if tag not in self._touched and before is not None:
            self._originals[tag] = before
        self._touched.add(tag)

    @property
    def changes(self) -> Mapping[int, Attribute | None]:
        """Return what is otherwise than it came, by tag; None where it is gone."""
        return {
            tag: attribute for tag, attribute in sorted(self._changes.items()) if self._is_otherwise(tag, attribute)
        }

    def _is_otherwise(self, tag: int, attribute: Attribute | None) -> bool:
        if attribute is None:
            return tag in self._elements
        return tag not in self._elements or attribute != self._as_it_came(tag)

    @property
    def originals(self) -> Mapping[int, Attribute]:
        """Return what was changed or taken away since the record began as it was, in the present character set."""
        return {tag: before for tag, before in sorted(self._originals.items()) if before != self.get(tag)}

    @property
    def behind(self) -> BehindPixels:
        """Return what stands behind the pixel data, which no step changes."""
        if self._behind is None:
            self._behind = look_behind_pixels(self._dataset)
        return self._behind

    def leave_out_private_behind_pixels(self) -> None:
        """Cut the file behind its pixel data where private attributes stand there.

        What else stands there is padding, and signatures that would not hold any more.
        """
        behind = self.behind
        if any(is_private(element[0]) or _has_private(element) for element in behind.elements):
            self.end = behind.start
            self.left_out = tuple((element[0], element[3]) for element in behind.elements)

    def begin_record(self) -> None:
        """Begin the record of what is changed anew: each transform has one of its own."""
        self._originals.clear()
        self._touched.clear()

    def as_it_came(self, tag: int) -> Attribute | None:
        """Return an attribute as it lies in the file; one that cannot be decoded as its bytes."""
        if tag not in self._elements:
            return None
        try:
            return self._as_it_came(tag)
        except InvalidDataset:
            return Attribute("OB", self._dataset.value(self._elements[tag]))

    def encoded_changes(self) -> Mapping[int, bytes]:
        """Return the changes as elements in the encoding of the file, nothing for what is gone."""
        return {
            tag: b"" if attribute is None else encode_dataset({tag: attribute}, self._dataset.encoding)
            for tag, attribute in self.changes.items()
        }

    def recode(self, terms: str) -> None:
        """Write all text in another character set. Raises TransformRefused where that cannot be done."""
        if terms == self.terms:
            return
        if self.end is None and any(map(self._is_dependent, self.behind.elements)):
            raise TransformRefused("Text stands behind the pixel data, where it is not written anew.")
        inherited = {SPECIFIC_CHARACTER_SET: text_attribute("CS", self.terms)} if self.terms else {}
        depending = {tag: self[tag] for tag in self if self._depends_on_character_set(tag)}
        recoded = with_character_set(inherited | depending, terms)
        originals = with_character_set(inherited | self._originals, terms)
        if recoded is None or originals is None:
            raise TransformRefused(f"The text of the data set cannot be written in {terms}.")
        for tag in depending:
            self._changes[tag] = recoded[tag]
        self._changes[SPECIFIC_CHARACTER_SET] = text_attribute("CS", terms)
        self._originals = {tag: originals[tag] for tag in self._originals}

    def _depends_on_character_set(self, tag: int) -> bool:
        changed = self._changes.get(tag)
        if changed is not None:
            return bool(changed.items) or (has_charset_text(changed.vr) and not _is_plain(changed.value))
        return self._is_dependent(self._elements[tag])

    def _is_dependent(self, element: Element) -> bool:
        tag, coded_vr, _, _, items = element
        if items is not None:
            return any(self._is_dependent(one) for item in items for one in item)
        vr = vr_of(tag) if coded_vr is None or coded_vr == UNKNOWN_VR else coded_vr
        return has_charset_text(vr) and not _is_plain(self._dataset.value(element))

    def has_private_within(self, tag: int) -> bool:
        """Tell whether private attributes lie in a sequence, without decoding it."""
        changed = self._changes.get(tag)
        if changed is not None:
            return bool(changed.items)
        element = self._elements.get(tag)
        return element is not None and _has_private(element)


def _is_plain(value: bytes) -> bool:
    return value.isascii() and b"\x1b" not in value


def _has_private(element: Element) -> bool:
    return any(is_private(one[0]) or _has_private(one) for item in element[4] or [] for one in item)
