"""The texts of a data set, as a plain tree: what matching looks at, whatever the encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Values: TypeAlias = Mapping[str, Sequence["str | Values"]]
"""Texts by tag (eight hexadecimal digits, as in DICOM JSON), items of sequences nested; what is empty is left out."""


def tag_key(tag: int) -> str:
    """Return the name under which the values of a tag stand."""
    return f"{tag:08X}"


def texts(values: Values, tag: int) -> list[str]:
    """Return the texts of an attribute; none where it is absent, empty or a sequence."""
    return [one for one in values.get(tag_key(tag), ()) if isinstance(one, str)]


def first_text(values: Values, tag: int) -> str:
    """Return the first text of an attribute, empty where it has none."""
    return next(iter(texts(values, tag)), "")


def items(values: Values, tag: int) -> list[Values]:
    """Return the items of a sequence; none where it is absent or empty."""
    return [one for one in values.get(tag_key(tag), ()) if not isinstance(one, str)]
