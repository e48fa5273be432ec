"""Media types and ranges as clients write them: quoted or not, with parameters and q (RFC 9110 8.3.1, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

MEMBERS_MAX = 64
"""Media ranges read from one Accept header; viewers send up to ten."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
ACCEPTS_KEPT = 256
"""A client asks with a handful of Accept headers, again and again."""
SHORT_ACCEPT_LENGTH = 512
"""Longer ones are read each time, so that what is kept stays small."""

_ESSENCE = re.compile(rf"{_WORD}/{_WORD}", re.ASCII)
_NAME = re.compile(_WORD, re.ASCII)
_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range: `type/subtype` in lower case, parameters by lower-case name, weight."""

    essence: str
    parameters: Mapping[str, str]
    quality: float = 1.0

    def covers(self, essence: str) -> bool:
        """Tell whether this range takes in a media type, by type and subtype, in any case of letters."""
        essence = essence.lower()
        if self.essence in (essence, "*/*"):
            return True
        return self.essence.endswith("/*") and essence.startswith(self.essence[:-1])


def parse_media_type(text: str) -> MediaType | None:
    """Return a media type or range, or None where text is not one."""
    pieces = list(_split(text, ";"))
    essence = pieces[0].strip().lower()
    if _ESSENCE.fullmatch(essence) is None:
        return None
    parameters: dict[str, str] = {}
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        name = name.strip().lower()
        if not piece.strip():
            continue
        if not equals or _NAME.fullmatch(name) is None:
            return None
        parameters[name] = _unquote(value.strip())
    weight = parameters.pop("q", "1")
    if _QUALITY.fullmatch(weight) is None:
        return None
    return MediaType(essence, MappingProxyType(parameters), float(weight))


def parse_accept(text: str) -> tuple[MediaType, ...]:
    """Return the media ranges of an Accept header in their order, leaving out members that cannot be read."""
    return _parse_short(text) if len(text) <= SHORT_ACCEPT_LENGTH else _parse_accept(text)


@lru_cache(maxsize=ACCEPTS_KEPT)
def _parse_short(text: str) -> tuple[MediaType, ...]:
    return _parse_accept(text)


def _parse_accept(text: str) -> tuple[MediaType, ...]:
    ranges: list[MediaType] = []
    for member in _split(text, ","):
        media_type = parse_media_type(member)
        if media_type is not None:
            ranges.append(media_type)
        if len(ranges) == MEMBERS_MAX:
            break
    return tuple(ranges)


def _split(text: str, separator: str) -> Iterator[str]:
    """Split text at a separator that stands outside quotes."""
    if '"' not in text:
        yield from text.split(separator)
        return
    start, quoted, escaped = 0, False, False
    for position, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = quoted
        elif letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
