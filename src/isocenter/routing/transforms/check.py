"""Tell whether a step can be carried out at all, before any instance meets it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from isocenter.dicom.charset_encode import can_be_written_in
from isocenter.dicom.dictionary import is_private, may_have_several_values
from isocenter.dicom.text import BULK_VRS, NUMBER_FORMATS, SINGLE_VALUED_VRS
from isocenter.dicom.vr_rules import objection_to
from isocenter.routing.rules.expression import PATTERN_LENGTH_MAX, Path, PathStep
from isocenter.routing.rules.types import name_of_step, vr_of_step
from isocenter.routing.transforms.numbers import number_objection
from isocenter.routing.transforms.step import (
    Action,
    Affix,
    Copy,
    MapValues,
    Recode,
    Remove,
    RemovePrivate,
    Replace,
    Rewrite,
    SetValue,
)

_IDENTITY = frozenset({0x00080016, 0x00080018, 0x0020000D, 0x0020000E})
"""SOP class and the UIDs of instance, series and study: with others it would be another instance."""
_SPECIFIC_CHARACTER_SET = 0x00080005
_ORIGINAL_ATTRIBUTES = 0x04000561
_PIXEL_MODULE = frozenset(
    {0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102,
     0x00280103}
)  # fmt: skip
"""How the bytes of the pixel data are read."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def objections_to(action: Action) -> Iterator[str]:
    """Yield what is wrong with an action, in sentences; nothing where it can be carried out."""
    match action:
        case Recode(character_set):
            if not can_be_written_in(character_set):
                yield f"Text cannot be written in {character_set}; ISO_IR 192 is UTF-8, ISO_IR 100 is Latin 1."
        case RemovePrivate():
            pass
        case Remove(path):
            yield from _untouchable(path.steps[-1])
        case Copy(source, target):
            yield from _unchangeable(target)
            if vr_of_step(source.steps[-1]) in BULK_VRS | {"SQ"}:
                yield f"The values of {name_of_step(source.steps[-1])} are no text, so they are not copied."
        case _:
            yield from _unchangeable(action.path)
            yield from _objections_to_values(action)


def _unchangeable(path: Path) -> Iterator[str]:
    step = path.steps[-1]
    untouchable = list(_untouchable(step))
    yield from untouchable
    if untouchable:
        return
    if is_private(step.tag):
        yield f"{name_of_step(step)} is private: it can be removed, not given a value."
    elif vr_of_step(step) in BULK_VRS | {"SQ", "UN", "AT"}:
        yield f"{name_of_step(step)} has no text for a value: it can be removed, not given one."
    elif step.number is not None:
        yield f"A step changes all values of {name_of_step(step)}; leave the number of the value out."


def _untouchable(step: PathStep) -> Iterator[str]:
    name = name_of_step(step)
    if step.tag in _IDENTITY:
        yield f"{name} says which instance this is; a transform does not change it."
    elif step.tag in _PIXEL_MODULE:
        yield f"{name} says how the pixels are read; a transform does not change it."
    elif step.tag == _SPECIFIC_CHARACTER_SET:
        yield f"{name} is changed together with all text, by a step `character_set`."
    elif step.tag == _ORIGINAL_ATTRIBUTES:
        yield f"{name} is the record of earlier changes; a transform only adds to it."


def _objections_to_values(action: SetValue | Affix | Replace | Rewrite | MapValues) -> Iterator[str]:
    step = action.path.steps[-1]
    match action:
        case SetValue(_, values):
            yield from value_objections(step.tag, vr_of_step(step), values)
        case MapValues(_, table):
            for _, value in table:
                yield from value_objections(step.tag, vr_of_step(step), (value,))
        case Affix(_, prefix, suffix):
            if not prefix + suffix:
                yield "There is nothing to put before or behind the values."
        case Replace(_, find, _):
            if not find:
                yield "What is to be replaced is empty."
        case Rewrite(_, pattern, result):
            yield from _rewrite_objections(pattern, result)


def _rewrite_objections(pattern: str, result: str) -> Iterator[str]:
    if len(pattern) > PATTERN_LENGTH_MAX:
        yield f"A pattern has {PATTERN_LENGTH_MAX} characters at most."
    parts = pattern.count("*") + pattern.count("?")
    for name in _PLACEHOLDER.findall(result):
        if not (name.isascii() and name.isdecimal() and len(name) == 1 and int(name) <= parts):
            yield f"{{{name}}} stands for nothing: the pattern has {parts} parts, {{0}} is the whole value."


def value_objections(tag: int, vr: str, values: tuple[str, ...]) -> Iterator[str]:
    """Yield why these values cannot be those of an attribute, without telling them."""
    if len(values) > 1 and (vr in SINGLE_VALUED_VRS or not may_have_several_values(tag)):
        yield f"The attribute has one value, not {len(values)}."
    for number, value in enumerate(values, start=1):
        if "\\" in value and vr not in SINGLE_VALUED_VRS:
            yield "A backslash stands between values, so none of them can hold one; write a list of values."
            return
        objection = number_objection(vr, value) if vr in NUMBER_FORMATS else objection_to(vr, value)
        if objection is not None:
            yield f"Value {number} cannot be one of VR {vr}: {objection}."
