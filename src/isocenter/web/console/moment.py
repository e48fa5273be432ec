"""Times as pages show them: to the second, in UTC, since the people of a network sit in several zones."""

from __future__ import annotations

from datetime import UTC, datetime


def format_moment(at_s: float | None) -> str:
    """Return seconds since the epoch as `2026-11-22 07:30:00 UTC`, a dash where there is none."""
    if at_s is None:
        return "–"
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_duration(duration_s: float) -> str:
    """Return a length of time in its two largest units: `3 d 4 h`, `12 min 5 s`, `0 s`."""
    left = max(0, int(duration_s))
    parts: list[str] = []
    for size_s, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size_s)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])
