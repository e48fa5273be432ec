"""Patterns and prefixes as SQLite compares them."""

from __future__ import annotations

from isocenter.domain.forms import Any, Pattern


def glob_of(pattern: Pattern) -> str:
    """Return a pattern as the right side of GLOB."""
    return "".join(token.value if isinstance(token, Any) else _escape(token) for token in pattern)


def _escape(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def behind(prefix: str) -> str:
    """Return the least text above all that begin with a prefix; empty where there is none."""
    while prefix:
        following = ord(prefix[-1]) + 1
        if following <= 0x10FFFF:
            last = chr(0xE000 if 0xD800 <= following < 0xE000 else following)
            return prefix[:-1] + last
        prefix = prefix[:-1]
    return ""
