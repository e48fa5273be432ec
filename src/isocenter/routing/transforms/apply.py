"""Make transforms on an instance: the pieces of the file as it goes out, and what is otherwise in it.

Bytes that no step names stay what they were; pixel data is never looked at. Whatever cannot be written as it was meant
(a value too long for its VR, a letter that the character set lacks) stops the instance: nothing is cut or guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, TypeVar

from isocenter.dicom.amend import Copied, Piece, amend_elements, open_dataset
from isocenter.dicom.charset import CharacterSet
from isocenter.dicom.charset_encode import encode_text
from isocenter.dicom.dataset import (
    SPECIFIC_CHARACTER_SET,
    Attribute,
    character_set_of,
    has_charset_text,
    text_attribute,
    vr_of,
)
from isocenter.dicom.dictionary import is_private
from isocenter.dicom.text import CHARSET_DELIMITERS, NUMBER_FORMATS
from isocenter.dicom.walk import Buffer
from isocenter.domain.errors import InvalidDataset
from isocenter.routing.rules.evaluate import holds
from isocenter.routing.rules.expression import PathStep
from isocenter.routing.rules.subject import Subject
from isocenter.routing.rules.types import name_of_step
from isocenter.routing.transforms.check import value_objections
from isocenter.routing.transforms.difference import ElementDifference, compare_attributes
from isocenter.routing.transforms.draft import Draft
from isocenter.routing.transforms.errors import TransformRefused
from isocenter.routing.transforms.numbers import encode_number
from isocenter.routing.transforms.reader import DatasetReader, texts_in
from isocenter.routing.transforms.step import (
    Action,
    Copy,
    Recode,
    Remove,
    RemovePrivate,
    SetValue,
    Step,
    Transform,
)
from isocenter.routing.transforms.values import ValueAction, new_texts

ORIGINAL_ATTRIBUTES, MODIFIED_ATTRIBUTES = 0x04000561, 0x04000550
_MODIFIED_AT, _MODIFYING_SYSTEM, _PREVIOUS_SOURCE, _REASON = 0x04000562, 0x04000563, 0x04000564, 0x04000565
_BLOCKS = range(0x10, 0x100)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where and when a transform is made."""

    made_at: datetime
    """Aware."""
    system: str
    """Name of the node, at most 64 characters of ASCII (Modifying System)."""


@dataclass(frozen=True, slots=True)
class Transformed:
    """An instance after its transforms."""

    pieces: Iterator[Piece]
    """The file; ranges of the one that came are copied. Of a deflated one there are bytes only behind its head."""
    differences: tuple[ElementDifference, ...]

    @property
    def is_changed(self) -> bool:
        """Tell whether it is another file than the one that came."""
        return bool(self.differences)


def transform_instance(
    content: Buffer, transforms: Sequence[Transform], subject: Subject, circumstances: Circumstances
) -> Transformed:
    """Make transforms in their order on a file.

    `subject` says how it came, for the conditions of steps; its attributes are read from the file. Raises
    TransformRefused where a step cannot be carried out, InvalidDataset where the file cannot be read.
    """
    opened, dataset = open_dataset(content)
    draft = Draft(dataset)
    for transform in transforms:
        _make(draft, transform, subject, circumstances)
    changes = draft.changes
    differences = (*_differences(draft, changes), *_differences_behind(draft))
    if not differences:
        return Transformed(iter([Copied(0, len(content))]), ())
    pieces = amend_elements(opened, dataset, draft.encoded_changes(), end=draft.end)
    return Transformed(pieces, differences)


def _make(draft: Draft, transform: Transform, subject: Subject, circumstances: Circumstances) -> None:
    draft.begin_record()
    for number, step in enumerate(transform.steps, start=1):
        try:
            _take_step(draft, step, subject)
        except InvalidDataset as error:
            raise TransformRefused(f"Step {number} of transform {transform.name}: {error.message}") from error
    if transform.keeps_originals:
        _keep_originals(draft, transform, circumstances)


def _take_step(draft: Draft, step: Step, subject: Subject) -> None:
    if step.when is not None and not holds(step.when, replace(subject, attributes=draft.reader)):
        return
    action = step.action
    if isinstance(action, Recode):
        draft.recode(action.character_set)
        return
    if isinstance(action, RemovePrivate):
        draft.leave_out_private_behind_pixels()
    if isinstance(action, Remove) and len(action.path.steps) == 1:
        tag = _tag_in(action.path.steps[0], draft, _Place(draft.terms, draft.character_set))
        if tag is not None:
            draft.remove(tag)
        return
    if isinstance(action, RemovePrivate):
        changes = _without_private(draft, action.kept_creators, has_private=draft.has_private_within)
    else:
        path = action.target if isinstance(action, Copy) else action.path
        place = _Place(draft.terms, draft.character_set)
        changes = _at_path(draft, path.steps, place, _change_of(action, draft))
    for tag, attribute in changes.items():
        if attribute is None:
            draft.remove(tag)
        else:
            draft.change(tag, attribute)


# Where a step changes something


Changes: TypeAlias = Mapping[int, Attribute | None]


@dataclass(frozen=True, slots=True)
class _Place:
    """The character set of a data set or item."""

    terms: str
    character_set: CharacterSet

    def of_item(self, item: Mapping[int, Attribute]) -> _Place:
        named = item.get(SPECIFIC_CHARACTER_SET)
        if named is None:
            return self
        return _Place(named.value.decode("latin-1").strip(" \0"), character_set_of(item))


Change = Callable[[int, "Attribute | None", _Place], "Attribute | None"]
"""From a tag, what stands there, and its place, to what is to stand there."""


def _at_path(dataset: Mapping[int, Attribute], steps: Sequence[PathStep], place: _Place, change: Change) -> Changes:
    """Return what a change along a path makes of a data set."""
    tag = _tag_in(steps[0], dataset, place)
    if tag is None:
        return {}
    before = dataset.get(tag)
    if len(steps) == 1:
        after = change(tag, before, place)
    elif before is None or not before.items:
        return {}
    else:
        items = tuple(
            _with(item, _at_path(item, steps[1:], place.of_item(item), change))
            if steps[0].number in (None, number)
            else item
            for number, item in enumerate(before.items, start=1)
        )
        after = Attribute("SQ", items=items)
    return {} if after == before else {tag: after}


def _with(item: Mapping[int, Attribute], changes: Changes) -> Mapping[int, Attribute]:
    if not changes:
        return item
    merged = {**item, **changes}
    return {tag: attribute for tag, attribute in sorted(merged.items()) if attribute is not None}


def _tag_in(step: PathStep, dataset: Mapping[int, Attribute], place: _Place) -> int | None:
    if step.creator is None:
        return step.tag
    for block, creator in _creators(dataset, step.tag >> 16, place.character_set).items():
        if creator == step.creator:
            return step.tag | block << 8
    return None


def _creators(dataset: Mapping[int, Attribute], group: int, character_set: CharacterSet) -> dict[int, str]:
    """Return the creators of the private blocks of a group (PS3.5 7.8.1)."""
    found: dict[int, str] = {}
    for block in _BLOCKS:
        attribute = dataset.get(group << 16 | block)
        if attribute is not None:
            found[block] = "\\".join(texts_in(attribute, group << 16 | block, character_set)).strip()
    return found


# What it changes


def _change_of(action: Action, draft: Draft) -> Change:
    match action:
        case Remove():
            return lambda tag, before, place: None
        case SetValue(_, values):
            return lambda tag, before, place: _attribute(tag, before, values, place)
        case Copy(source):
            copied = _copied(draft.reader, source.steps)
            return lambda tag, before, place: _attribute(tag, before, copied, place) if copied else before
        case Recode() | RemovePrivate():
            raise AssertionError("these have no path")
    return lambda tag, before, place: _revalued(tag, before, action, place)


def _copied(reader: DatasetReader, steps: Sequence[PathStep]) -> tuple[str, ...]:
    """Return the values of the attribute that a path leads to; of several items, those of the first that has any."""
    readers = [reader]
    for step in steps[:-1]:
        readers = [item for one in readers for item in _chosen(one.items_of(step.tag), step.number)]
    last = steps[-1]
    found = (_chosen(one.values_of(last.tag), last.number) for one in readers)
    return next((tuple(values) for values in found if values), ())


def _chosen(values: Sequence[_T], number: int | None) -> Sequence[_T]:
    return values if number is None else values[number - 1 : number]


def _texts(tag: int, attribute: Attribute, place: _Place) -> Sequence[str]:
    return texts_in(attribute, tag, place.character_set)


def _revalued(tag: int, before: Attribute | None, action: ValueAction, place: _Place) -> Attribute | None:
    if before is None or before.is_empty:
        return before
    texts = tuple(_texts(tag, before, place))
    changed = new_texts(action, texts)
    if changed == texts:
        return before
    return _attribute(tag, before, changed, place) if changed else None


def _attribute(tag: int, before: Attribute | None, texts: tuple[str, ...], place: _Place) -> Attribute:
    """Return an attribute with these values. Raises TransformRefused where they cannot be its."""
    vr = before.vr if before is not None and before.vr != "UN" else vr_of(tag)
    old = set() if before is None else set(_texts(tag, before, place))
    objection = next(value_objections(tag, vr, tuple(text for text in texts if text not in old)), None)
    if objection is not None:
        raise TransformRefused(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) cannot get its new value. {objection}")
    return Attribute(vr, _encoded(tag, vr, texts, place))


def _encoded(tag: int, vr: str, texts: tuple[str, ...], place: _Place) -> bytes:
    if vr in NUMBER_FORMATS:
        return b"".join(encode_number(vr, text) or b"" for text in texts)
    joined = "\\".join(texts)
    if not has_charset_text(vr):
        return joined.encode("ascii", "strict")
    encoded = encode_text(joined, place.terms, delimiters=CHARSET_DELIMITERS[vr])
    if encoded is None:
        raise TransformRefused(
            f"The character set of the data set has not all letters of the new value of ({tag >> 16:04x},"
            f"{tag & 0xFFFF:04x}); a step character_set before this one gives it another."
        )
    return encoded


def _without_private(
    dataset: Mapping[int, Attribute], kept: tuple[str, ...], *, has_private: Callable[[int], bool]
) -> Changes:
    """Return what taking private attributes away makes of a data set."""
    changes: dict[int, Attribute | None] = {}
    kept_tags: dict[int, frozenset[int]] = {}
    for tag in dataset:
        if is_private(tag):
            group = tag >> 16
            blocks = kept_tags.setdefault(group, _kept_blocks(dataset, group, kept))
            element = tag & 0xFFFF
            if (element if element < 0x100 else element >> 8) not in blocks:
                changes[tag] = None
                continue
        if has_private(tag):
            items = tuple(_item_without_private(item, kept) for item in dataset[tag].items)
            changes[tag] = Attribute("SQ", items=items)
    return changes


def _item_without_private(item: Mapping[int, Attribute], kept: tuple[str, ...]) -> Mapping[int, Attribute]:
    return _with(item, _without_private(item, kept, has_private=lambda tag: bool(item[tag].items)))


def _kept_blocks(dataset: Mapping[int, Attribute], group: int, kept: tuple[str, ...]) -> frozenset[int]:
    creators = _creators(dataset, group, character_set_of(dataset))
    return frozenset(block for block, creator in creators.items() if creator in kept)


# The record of what was there before


def _keep_originals(draft: Draft, transform: Transform, circumstances: Circumstances) -> None:
    """Add what was changed to OriginalAttributesSequence (PS3.3 C.12.1.1.9)."""
    originals = draft.originals
    if not originals:
        return
    item = {
        MODIFIED_ATTRIBUTES: Attribute("SQ", items=(originals,)),
        _MODIFIED_AT: text_attribute("DT", f"{circumstances.made_at:%Y%m%d%H%M%S.%f%z}"),
        _MODIFYING_SYSTEM: text_attribute("LO", circumstances.system),
        _PREVIOUS_SOURCE: Attribute("LO"),
        _REASON: text_attribute("CS", transform.reason.value),
    }
    earlier = draft.get(ORIGINAL_ATTRIBUTES)
    items = (*(() if earlier is None else earlier.items), dict(sorted(item.items())))
    draft.change(ORIGINAL_ATTRIBUTES, Attribute("SQ", items=items))


def _differences_behind(draft: Draft) -> Iterator[ElementDifference]:
    """Yield what is left out behind the pixel data, by its length alone."""
    for tag, length in draft.left_out:
        yield ElementDifference(name_of_step(PathStep(tag)), (f"{length} bytes",), None)


def _differences(draft: Draft, changes: Changes) -> Iterator[ElementDifference]:
    before_set = character_set_of(
        {} if (named := draft.as_it_came(SPECIFIC_CHARACTER_SET)) is None else {SPECIFIC_CHARACTER_SET: named}
    )
    for tag, after in changes.items():
        yield from compare_attributes(
            tag, draft.as_it_came(tag), after, before_set=before_set, after_set=draft.character_set
        )
