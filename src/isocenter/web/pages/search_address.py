"""What the searches of studies have in common: their state is an address, and their dates are days."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode


def address_of(state: Any, default: Any) -> str:
    """Return the query string of a state, a data class, without what is at its default."""
    named = {name: getattr(state, name) for name in state.__dataclass_fields__}
    return urlencode({name: value for name, value in named.items() if value != getattr(default, name)})


def problem_of_days(since: str, until: str) -> str:
    """Return why nothing can be searched between two days, in a sentence for the reader; empty if it can."""
    if any(text and parse_day(text) is None for text in (since, until)):
        return "A date is written as year-month-day, for example 2026-03-31."
    if since and until and since > until:
        return "The first date is later than the last one."
    return ""


def clean_day(text: str) -> str:
    """Return a day in its one form, and what is none as it is."""
    parsed = parse_day(text)
    return parsed.isoformat() if parsed else text


def parse_day(text: str) -> date | None:
    """Return the day that text is, None where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
