"""What is otherwise in a data set after its transforms, attribute by attribute, for whoever looks before it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from isocenter.dicom.charset import CharacterSet
from isocenter.dicom.dataset import Attribute, character_set_of
from isocenter.dicom.text import BULK_VRS
from isocenter.routing.rules.expression import PathStep
from isocenter.routing.rules.types import name_of_step
from isocenter.routing.transforms.reader import texts_in

DEPTH_MAX = 64
"""As deep as a data set is read."""


@dataclass(frozen=True, slots=True)
class ElementDifference:
    """One attribute before and after; its values are patient data."""

    name: str
    """With the sequences that it lies in: `RequestAttributesSequence[1].AccessionNumber`."""
    before: tuple[str, ...] | None
    """None where it was not there; without values where it was empty."""
    after: tuple[str, ...] | None


def compare_attributes(
    tag: int, before: Attribute | None, after: Attribute | None, *, before_set: CharacterSet, after_set: CharacterSet
) -> Iterator[ElementDifference]:
    """Yield what is otherwise in an attribute, item by item in a sequence; text that only changed its set is not."""
    old = dict(_leaves(tag, before, "", before_set))
    new = dict(_leaves(tag, after, "", after_set))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield ElementDifference(name, old.get(name), new.get(name))


def _leaves(
    tag: int, attribute: Attribute | None, prefix: str, character_set: CharacterSet
) -> Iterator[tuple[str, tuple[str, ...]]]:
    if attribute is None:
        return
    name = prefix + name_of_step(PathStep(tag))
    if attribute.vr != "SQ":
        yield name, _shown(tag, attribute, character_set)
        return
    if not attribute.items:
        yield name, ()
    for number, item in enumerate(attribute.items, start=1):
        yield from _leaves_of_item(item, f"{name}[{number}].", character_set)


def _leaves_of_item(
    item: Mapping[int, Attribute], prefix: str, inherited: CharacterSet
) -> Iterator[tuple[str, tuple[str, ...]]]:
    character_set = character_set_of(item, inherited)
    for tag, attribute in item.items():
        yield from _leaves(tag, attribute, prefix, character_set)


def _shown(tag: int, attribute: Attribute, character_set: CharacterSet) -> tuple[str, ...]:
    texts = tuple(texts_in(attribute, tag, character_set))
    if not texts and attribute.value and (attribute.vr in BULK_VRS):
        return (f"{len(attribute.value)} bytes",)
    return texts
