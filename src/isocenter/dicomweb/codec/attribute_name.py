"""Attributes as query strings name them: keyword or eight hex digits, with dots between levels (PS3.18 8.3.4)."""

from __future__ import annotations

import re

from isocenter.dicom.dictionary import tag_of

NESTING_MAX = 8
"""Levels of one path; the deepest path of a work list query has three."""

_HEX = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)


def parse_attribute_name(name: str) -> int | None:
    """Return the tag that a keyword or eight hex digits name, or None where it names none."""
    if _HEX.fullmatch(name) is not None:
        return int(name, 16)
    return tag_of(name)


def parse_attribute_path(path: str) -> tuple[int, ...] | None:
    """Return the tags of a dotted path from the outermost on, or None where a step names none."""
    steps = path.split(".")
    if len(steps) > NESTING_MAX:
        return None
    tags: list[int] = []
    for step in steps:
        tag = parse_attribute_name(step)
        if tag is None:
            return None
        tags.append(tag)
    return tuple(tags)
