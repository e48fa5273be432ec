"""Sizes and durations as people write them: `64MiB`, `20MB`, `90s`, `7d`."""

from __future__ import annotations

import re
from decimal import Decimal

_SIZE = re.compile(r"(\d{1,24}(?:\.\d{1,9})?)\s*([kKMGT]i?)?B?", re.ASCII)
_SIZE_FACTORS = {
    "": 1,
    "k": 1000,
    "K": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "T": 1000**4,
    "ki": 1024,
    "Ki": 1024,
    "Mi": 1024**2,
    "Gi": 1024**3,
    "Ti": 1024**4,
}
_DURATION = re.compile(r"(\d{1,24}(?:\.\d{1,9})?)\s*(ms|s|min|m|h|d)?", re.ASCII)
_DURATION_FACTORS = {
    "ms": Decimal("0.001"),
    "": Decimal(1),
    "s": Decimal(1),
    "m": Decimal(60),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}


def parse_size(text: str) -> int | None:
    """Return the bytes that a size says, None where text is none."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else int(Decimal(found[1]) * _SIZE_FACTORS[found[2] or ""])


def format_size(size_bytes: int) -> str:
    """Return a size exactly, in the largest unit that it is a whole number of; `parse_size` reads it."""
    for unit in ("Ti", "Gi", "Mi", "Ki", "T", "G", "M", "k"):
        if size_bytes and size_bytes % _SIZE_FACTORS[unit] == 0:
            return f"{size_bytes // _SIZE_FACTORS[unit]}{unit}B"
    return f"{size_bytes}B"


def parse_duration(text: str) -> float | None:
    """Return the seconds that a duration says, None where text is none."""
    found = _DURATION.fullmatch(text.strip())
    return None if found is None else float(Decimal(found[1]) * _DURATION_FACTORS[found[2] or ""])


def format_duration(duration_s: float) -> str:
    """Return a duration exactly, in the largest unit that it is a whole number of; `parse_duration` reads it."""
    for unit in ("d", "h", "min", "s"):
        factor = float(_DURATION_FACTORS[unit])
        if duration_s and duration_s % factor == 0:
            return f"{int(duration_s // factor)}{unit}"
    return f"{int(duration_s)}s" if duration_s.is_integer() else f"{Decimal(repr(duration_s)):f}s"
