"""The values that an operand of a condition has in an instance, as text, and the items that a path leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from isocenter.routing.rules.expression import Count, Fact, Operand, Path, PathStep
from isocenter.routing.rules.subject import AttributeReader, Subject
from isocenter.routing.rules.types import ValueType, type_of

VALUES_MAX = 1024
"""Values of one attribute that are looked at; ImageType, the longest that rules ask for, has some ten."""
_BLOCKS = range(0x10, 0x100)
"""Of private attributes (PS3.5 7.8.1)."""
_T = TypeVar("_T")


def texts_getter(operand: Operand) -> Callable[[AttributeReader, Subject], Iterable[str]]:
    """Return what reads the values of an operand; the plain attribute, which most rules ask for, in one step."""
    if isinstance(operand, Path) and len(operand.steps) == 1:
        (step,) = operand.steps
        if step.creator is None and step.number is None:
            return lambda reader, subject: reader.values_of(step.tag)[:VALUES_MAX]
    return lambda reader, subject: texts_of(operand, reader, subject)


def is_present(operand: Operand, reader: AttributeReader, subject: Subject) -> bool:
    """Tell whether an operand has a value, or an item."""
    if isinstance(operand, Path) and type_of(operand) is ValueType.SEQUENCE:
        return any(True for _ in items_at(operand, reader))
    if not isinstance(operand, Path) or operand.steps[-1].number is not None:
        return any(True for _ in texts_of(operand, reader, subject))
    last = operand.steps[-1]
    holders = _items_along(operand.steps[:-1], reader)
    return any(tag is not None and holder.has_value(tag) for holder in holders for tag in [_tag_in(last, holder)])


def texts_of(operand: Operand, reader: AttributeReader, subject: Subject) -> Iterator[str]:
    """Yield the values of an operand as text."""
    if isinstance(operand, Fact):
        text = _fact(operand, subject)
        return iter(() if text is None else (text,))
    if isinstance(operand, Count):
        return iter((str(_count(operand.path, reader, subject)),))
    return islice(_values_at(operand, reader), VALUES_MAX)


def _count(path: Path, reader: AttributeReader, subject: Subject) -> int:
    if type_of(path) is ValueType.SEQUENCE:
        return sum(1 for _ in items_at(path, reader))
    return sum(1 for _ in _values_at(path, reader))


def _values_at(path: Path, reader: AttributeReader) -> Iterator[str]:
    last = path.steps[-1]
    for holder in _items_along(path.steps[:-1], reader):
        tag = _tag_in(last, holder)
        if tag is not None:
            yield from _chosen(holder.values_of(tag), last.number)


def items_at(path: Path, reader: AttributeReader) -> Iterator[AttributeReader]:
    """Yield the items that a path of sequences leads to."""
    return _items_along(path.steps, reader)


def _items_along(steps: Sequence[PathStep], reader: AttributeReader) -> Iterator[AttributeReader]:
    """Yield the items that a path of sequences leads to; the data set itself for no step."""
    if not steps:
        yield reader
        return
    tag = _tag_in(steps[0], reader)
    for item in [] if tag is None else _chosen(reader.items_of(tag), steps[0].number):
        yield from _items_along(steps[1:], item)


def _chosen(values: Sequence[_T], number: int | None) -> Sequence[_T]:
    return values if number is None else values[number - 1 : number]


def _tag_in(step: PathStep, reader: AttributeReader) -> int | None:
    """Return the tag of an attribute in this data set: that of a private one by the block of its creator."""
    if step.creator is None:
        return step.tag
    group = step.tag & 0xFFFF0000
    for block in _BLOCKS:
        if any(value.strip() == step.creator for value in reader.values_of(group | block)):
            return step.tag | block << 8
    return None


def _fact(fact: Fact, subject: Subject) -> str | None:
    match fact:
        case Fact.CALLING_AE_TITLE:
            return subject.calling_ae_title
        case Fact.CALLED_AE_TITLE:
            return subject.called_ae_title
        case Fact.ADDRESS:
            return subject.address
        case Fact.TRANSFER_SYNTAX_UID:
            return subject.transfer_syntax_uid or None
        case Fact.SIZE:
            return str(subject.size_bytes)
        case Fact.DATE:
            return f"{subject.received_at:%Y%m%d}"
        case Fact.TIME:
            return f"{subject.received_at:%H%M%S}"
        case Fact.WEEKDAY:
            return str(subject.received_at.weekday())
