"""JSON values as YAML, for people: nested by indentation, texts in the quotes of JSON (YAML 1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import orjson

_PLAIN = re.compile(r"[A-Za-z$/_][A-Za-z0-9$/{}_.-]*", re.ASCII)
_NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON lets stand in a text and YAML does not (5.1)."""
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_STEP = "  "


def write_yaml(value: Mapping[str, object]) -> str:
    """Return a mapping as YAML text."""
    return "\n".join((*_lines(value, ""), ""))


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entry(f"{indent}{_key(str(key))}:", inner, indent + _STEP)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _entry(f"{indent}-", inner, indent + _STEP)


def _entry(head: str, value: object, indent: str) -> Iterator[str]:
    is_nested = isinstance(value, Mapping | Sequence) and not isinstance(value, str)
    if is_nested and value:
        yield head
        yield from _lines(value, indent)
    else:
        yield f"{head} {_scalar(value)}"


def _key(text: str) -> str:
    if _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED:
        return text
    return _scalar(text)


def _scalar(value: object) -> str:
    text = orjson.dumps(value).decode()
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
