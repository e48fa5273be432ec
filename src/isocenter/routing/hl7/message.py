"""A message as segments, fields, repetitions, components (HL7 version 2, chapter 2).

The separators are those that the message itself names. Fields stay as they came until they are asked for; what is asked
for and not there is an empty text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocenter.domain.errors import InvalidRequest
from isocenter.routing.hl7.charset import codec_of, decode_text

SEGMENTS_MAX = 2000
"""An order of many steps has some dozens."""
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)
_LINE_END = re.compile("\r\n?|\n")
_ESCAPE_LENGTH_MAX = 256
_NULL = '""'
"""A value that is to be deleted (chapter 2.5.3)."""


class InvalidMessage(InvalidRequest):
    """What came is no HL7 message."""


@dataclass(frozen=True, slots=True)
class Separators:
    """The characters that part a message."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: its name, and its fields as they came; field 1 of MSH is the separator itself."""

    name: str
    fields: tuple[str, ...]
    separators: Separators

    def raw(self, field: int) -> str:
        """Return a field as it came."""
        return self.fields[field - 1] if 0 < field <= len(self.fields) else ""

    def repetitions(self, field: int) -> int:
        """Return how often a field is repeated; 0 where it is empty."""
        text = self.raw(field)
        return len(text.split(self.separators.repetition)) if text else 0

    def text(self, field: int, component: int = 1, *, subcomponent: int = 1, repetition: int = 0) -> str:
        """Return a value with its escapes resolved."""
        marks = self.separators
        repeated = _part(self.raw(field), marks.repetition, repetition)
        value = _part(_part(repeated, marks.component, component - 1), marks.subcomponent, subcomponent - 1)
        return "" if value == _NULL else unescape(value, marks).strip()

    def components(self, field: int, *, repetition: int = 0) -> list[str]:
        """Return the components of a field, each by its first subcomponent."""
        repeated = _part(self.raw(field), self.separators.repetition, repetition)
        count = len(repeated.split(self.separators.component)) if repeated else 0
        return [self.text(field, number, repetition=repetition) for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that can be read."""

    segments: tuple[Segment, ...]
    codec: str

    @property
    def header(self) -> Segment:
        """Return MSH, which every message has."""
        return self.segments[0]

    @property
    def type(self) -> str:
        """Return what it is, such as `ORM^O01`."""
        code, trigger = self.header.text(9, 1), self.header.text(9, 2)
        return f"{code}^{trigger}" if trigger else code

    @property
    def control_id(self) -> str:
        """Return by what its sender knows it."""
        return self.header.text(10)

    def all(self, name: str) -> list[Segment]:
        """Return the segments of a name."""
        return [segment for segment in self.segments if segment.name == name]

    def first(self, *names: str) -> Segment:
        """Return the first segment of the names, an empty one where there is none."""
        return next((one for one in self.segments if one.name in names), Segment("", (), Separators()))


def _part(text: str, separator: str, number: int) -> str:
    parts = text.split(separator) if separator else [text]
    return parts[number] if 0 <= number < len(parts) else ""


def parse_message(content: bytes) -> Message:
    """Return the message that bytes hold. Raises InvalidMessage where they hold none."""
    codec = _codec(content)
    lines = [line for line in _LINE_END.split(decode_text(content, codec)) if line.strip()]
    if len(lines) > SEGMENTS_MAX:
        raise InvalidMessage(f"The message has more than {SEGMENTS_MAX} segments.")
    if not lines or not lines[0].startswith("MSH"):
        raise InvalidMessage("A message begins with the segment MSH.")
    separators = _separators(lines[0])
    segments = [_segment(line, separators) for line in lines]
    return Message(tuple(one for one in segments if one is not None), codec)


def _codec(content: bytes) -> str:
    """Return the codec that MSH-18 names; up to there it does not matter which it is."""
    head = _LINE_END.split(content[:4096].decode("latin-1"), maxsplit=1)[0]
    if not head.startswith("MSH") or len(head) < 8:
        return "utf-8"
    fields = head.split(head[3])
    named = fields[17].split(head[5] if len(head) > 5 else "~")[0] if len(fields) > 17 else ""
    return codec_of(named)


def _separators(line: str) -> Separators:
    marks = line[3:8]
    if len(marks) < 4:
        raise InvalidMessage("MSH names no separators.")
    field, component, repetition, escape = (marks[number] for number in range(4))
    rest = line[4:].partition(field)[0]
    subcomponent = rest[3:4]
    if escape == field:  # `MSH|^~|`: no escapes
        escape, subcomponent = "", ""
    chosen = [mark for mark in (field, component, repetition, escape, subcomponent) if mark]
    if len(set(chosen)) < len(chosen) or any(mark.isalnum() or mark.isspace() for mark in chosen):
        raise InvalidMessage("MSH names separators that cannot be told apart.")
    return Separators(field, component, repetition, escape, subcomponent)


def _segment(line: str, separators: Separators) -> Segment | None:
    """Return a segment; a line that is none, which some senders have within texts, is passed over."""
    name = line[:3]
    if _SEGMENT_NAME.fullmatch(name) is None or line[3:4] not in ("", separators.field):
        return None
    fields = tuple(line[4:].split(separators.field))
    return Segment(name, (separators.field, *fields) if name == "MSH" else fields, separators)


def unescape(text: str, separators: Separators) -> str:
    """Return text with its escape sequences resolved (chapter 2.7); those that only format are left out."""
    mark = separators.escape
    if not mark or mark not in text:
        return text
    out: list[str] = []
    position = 0
    while (start := text.find(mark, position)) >= 0:
        out.append(text[position:start])
        end = text.find(mark, start + 1, start + _ESCAPE_LENGTH_MAX)
        if end < 0:  # a lone one is itself
            out.append(mark)
            position = start + 1
            continue
        out.append(_resolve(text[start + 1 : end], separators))
        position = end + 1
    out.append(text[position:])
    return "".join(out)


def _resolve(sequence: str, separators: Separators) -> str:
    named = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": separators.escape,
        ".br": "\n",
        ".sp": "\n",
    }
    if sequence in named:
        return named[sequence]
    if sequence.startswith("X"):
        try:
            return bytes.fromhex(sequence[1:]).decode("latin-1")
        except ValueError:
            return ""
    return ""
