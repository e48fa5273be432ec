"""A data set whose attributes are values, or become them when they are looked at, as conditions read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isocenter.dicom.charset import CharacterSet
from isocenter.dicom.dataset import Attribute, character_set_of, texts_of
from isocenter.dicom.dictionary import UNKNOWN_VR, is_private
from isocenter.routing.rules.subject import texts_of_unknown


class DatasetReader:
    """Attributes of a data set, or of an item with the character set of what it lies in."""

    __slots__ = ("_character_set", "_dataset")

    def __init__(self, dataset: Mapping[int, Attribute], inherited: CharacterSet) -> None:
        self._dataset = dataset
        self._character_set = character_set_of(dataset, inherited)

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute as text."""
        attribute = self._dataset.get(tag)
        return [] if attribute is None else [text for text in texts_in(attribute, tag, self._character_set) if text]

    def items_of(self, tag: int) -> Sequence[DatasetReader]:
        """Return the items of a sequence."""
        attribute = self._dataset.get(tag)
        items = () if attribute is None else attribute.items
        return [DatasetReader(item, self._character_set) for item in items]

    def has_value(self, tag: int) -> bool:
        """Tell whether an attribute is there and not empty."""
        attribute = self._dataset.get(tag)
        return attribute is not None and not attribute.is_empty


def texts_in(attribute: Attribute, tag: int, character_set: CharacterSet) -> Sequence[str]:
    """Return the values of an attribute as texts; a private one whose VR is not told is taken for text if it can be."""
    if attribute.vr == UNKNOWN_VR and is_private(tag):
        return texts_of_unknown(attribute.value, character_set)
    return texts_of(attribute, character_set)
