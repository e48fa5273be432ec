"""What conditions are held against: an instance's attributes where they lie, and how, when and whence it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from isocenter.dicom.charset import CharacterSet
from isocenter.dicom.dictionary import UNKNOWN_VR, is_private
from isocenter.dicom.element_view import ElementView, view_header
from isocenter.dicom.text import PADDING, TEXT_LENGTH_MAX
from isocenter.dicom.walk import Buffer


class AttributeReader(Protocol):
    """A data set, or an item, of which attributes can be read."""

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute as text, none where it is absent, empty, bulk or a sequence."""
        ...

    def items_of(self, tag: int) -> Sequence[AttributeReader]:
        """Return the items of a sequence."""
        ...

    def has_value(self, tag: int) -> bool:
        """Tell whether an attribute is there and not empty, whatever its VR."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """An instance that rules are held against."""

    attributes: AttributeReader
    received_at: datetime
    """In the time of the place, for that is what hours and days in rules mean."""
    size_bytes: int
    transfer_syntax_uid: str
    calling_ae_title: str | None = None
    """None where it came by no association."""
    called_ae_title: str | None = None
    address: str | None = None
    """IP address of the sender, None where there is none, as for a file."""


class HeaderAttributes:
    """The attributes of a data set that lies in a buffer."""

    __slots__ = ("_view",)

    def __init__(self, view: ElementView) -> None:
        self._view = view

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute as text.

        A private one whose VR is not told is taken for text where it can be one.
        """
        if is_private(tag) and tag in self._view and self._view.vr_of(tag) == UNKNOWN_VR:
            return texts_of_unknown(self._view.raw(tag) or b"", self._view.character_set)
        return [value for value in self._view.values_of(tag) if value]

    def items_of(self, tag: int) -> Sequence[HeaderAttributes]:
        """Return the items of a sequence."""
        return [HeaderAttributes(item) for item in self._view.items_of(tag)]

    def has_value(self, tag: int) -> bool:
        """Tell whether an attribute is there and not empty."""
        return bool((self._view.raw(tag) or b"").strip(b" \0")) or bool(self._view.items_of(tag))


def texts_of_unknown(raw: bytes, character_set: CharacterSet) -> Sequence[str]:
    """Return the values of an element whose VR is not told: text where it can be that, else none."""
    if len(raw) > TEXT_LENGTH_MAX:
        return ()
    text = character_set.decode(raw).rstrip(PADDING)
    return [part for part in text.split("\\") if part] if text.isprintable() else ()


def read_attributes(header: Buffer, tags: frozenset[int]) -> HeaderAttributes:
    """Return some attributes of an instance from its header. Raises InvalidDataset."""
    return HeaderAttributes(view_header(header, tags))
