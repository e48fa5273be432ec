"""What the steps that change values make of them: pure functions from texts to texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from isocenter.routing.transforms.errors import TransformRefused
from isocenter.routing.transforms.step import Affix, MapOtherwise, MapValues, Replace, Rewrite

_PLACEHOLDER = re.compile(r"\{([0-9])\}")
RESULT_LENGTH_MAX = 1 << 16
"""What an element with a 16-bit length can hold; `{0}{0}{0}` makes three of one."""
ValueAction: TypeAlias = Affix | Replace | Rewrite | MapValues
"""Steps whose outcome depends on the values that are there."""


def new_texts(action: ValueAction, texts: Sequence[str]) -> tuple[str, ...]:
    """Return the values of an attribute after a step; without any it is to be taken away.

    Raises TransformRefused for a value that a map refuses, and for one that became too long for any attribute.
    """
    changed = _changed(action, texts)
    if any(len(text) > RESULT_LENGTH_MAX for text in changed):
        raise TransformRefused("A value became longer than an attribute can be.")
    return changed


def _changed(action: ValueAction, texts: Sequence[str]) -> tuple[str, ...]:
    match action:
        case Affix(_, prefix, suffix):
            return tuple(_affixed(text, prefix, suffix) for text in texts)
        case Replace(_, find, by):
            return tuple(text.replace(find, by) for text in texts)
        case Rewrite(_, pattern, result):
            return tuple(_rewritten(text, pattern, result) for text in texts)
        case MapValues():
            return _mapped(action, texts)


def _affixed(text: str, prefix: str, suffix: str) -> str:
    if not text:
        return text
    return (prefix if not text.startswith(prefix) else "") + text + (suffix if not text.endswith(suffix) else "")


def _mapped(action: MapValues, texts: Sequence[str]) -> tuple[str, ...]:
    table = dict(action.table)
    if action.otherwise is MapOtherwise.REMOVE:
        return tuple(table[text] for text in texts if text in table)
    if action.otherwise is MapOtherwise.REFUSE and any(text and text not in table for text in texts):
        raise TransformRefused("A value is not in the table, which says that such an instance is not sent.")
    return tuple(table.get(text, text) for text in texts)


def _rewritten(text: str, pattern: str, result: str) -> str:
    parts = match_parts(pattern, text)
    if parts is None:
        return text
    return _PLACEHOLDER.sub(lambda found: ([text, *parts])[int(found[1])], result)


def match_parts(pattern: str, text: str) -> list[str] | None:
    """Return what the wild cards of a pattern stand for in a text, None where it does not fit.

    Each `*` takes as little as it can from left to right, the last one what is left. Nothing is tried twice, so the
    time grows with the product of the lengths at most.
    """
    head, *segments = _segments(pattern)
    parts: list[str] = []
    first = head.match(text)
    if first is None:
        return None
    parts += first.groups()
    at = first.end()
    for number, segment in enumerate(segments, start=1):
        found = _ending(segment, text, at) if number == len(segments) else segment.search(text, at)
        if found is None:
            return None
        parts += [text[at : found.start()], *found.groups()]
        at = found.end()
    return parts if at == len(text) else None


def _ending(segment: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """Return where the last segment fits at the very end."""
    start = len(text) - _width(segment)
    return segment.match(text, start) if start >= at else None


def _width(segment: re.Pattern[str]) -> int:
    return len(_UNIT.findall(segment.pattern))


_UNIT = re.compile(r"\(\.\)|\\.|.", re.DOTALL)
_PATTERNS_REMEMBERED = 256


@lru_cache(maxsize=_PATTERNS_REMEMBERED)
def _segments(pattern: str) -> tuple[re.Pattern[str], ...]:
    """Return the runs between `*` of a pattern: letters and `?` alone, so that none of them can go astray."""
    return tuple(
        re.compile("".join("(.)" if letter == "?" else re.escape(letter) for letter in run), re.DOTALL)
        for run in pattern.split("*")
    )
