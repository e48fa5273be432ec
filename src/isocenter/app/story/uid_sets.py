"""Sets of UIDs held against each other, told in words that name what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from isocenter.app.story.step import Findings

SHOWN_MAX = 3
"""Of those that are missing: enough to look for them; the report for programs has all."""


def expect_exactly(findings: Findings, text: str, *, wanted: Iterable[str], found: Iterable[str], noun: str) -> bool:
    """Note that a place has these and no others."""
    expected, there = frozenset(wanted), frozenset(found)
    return findings.expect(text, expected == there, wanted=count(expected, noun), found=told(expected, there, noun))


def expect_among(findings: Findings, text: str, *, wanted: Iterable[str], found: Iterable[str], noun: str) -> bool:
    """Note that a place has these, whatever else it has."""
    expected = frozenset(wanted)
    there = expected & frozenset(found)
    return findings.expect(text, there == expected, wanted=count(expected, noun), found=told(expected, there, noun))


def count(uids: Iterable[str], noun: str) -> str:
    """Return how many there are, with the noun in its form."""
    number = len(frozenset(uids))
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def told(wanted: frozenset[str], found: frozenset[str], noun: str) -> str:
    """Return what was found, and what of it is too little or too much."""
    parts = [count(found, noun)]
    parts += [f"missing {_shown(wanted - found)}"] if wanted - found else []
    parts += [f"not expected {_shown(found - wanted)}"] if found - wanted else []
    return ", ".join(parts)


def _shown(uids: frozenset[str]) -> str:
    more = " …" if len(uids) > SHOWN_MAX else ""
    return " ".join(sorted(uids)[:SHOWN_MAX]) + more
