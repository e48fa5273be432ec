"""What the keys of a search mean together, for QIDO-RS and C-FIND alike (PS3.4 C.2.2.2).

parse_keys ── dates with the times beside them, combined or in a time zone ──> DateAndTime
           └─ the others one by one: `key.parse_key`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from isocenter.domain.forms import padded_time
from isocenter.domain.key import EMPTY_VALUE, PLAIN_RULES, Key, KeyRules, date_ends, invalid_key, parse_key, time_ends
from isocenter.domain.query import DateAndTime, Match

DATES_WITH_TIMES = {
    0x00080012: 0x00080013,  # InstanceCreation
    0x00080020: 0x00080030,  # Study
    0x00080021: 0x00080031,  # Series
    0x00080022: 0x00080032,  # Acquisition
    0x00080023: 0x00080033,  # Content
    0x00400002: 0x00400003,  # ScheduledProcedureStepStart
    0x00400004: 0x00400005,  # ScheduledProcedureStepEnd
    0x00400244: 0x00400245,  # PerformedProcedureStepStart
    0x00400250: 0x00400251,  # PerformedProcedureStepEnd
}
"""Date attributes and the time attributes that say when on that day."""


def parse_keys(keys: Sequence[Key], rules: KeyRules = PLAIN_RULES) -> tuple[Match, ...]:
    """Return what keys ask for together.

    Raises InvalidKey where the text of one cannot be a value of its VR.
    """
    matches: list[Match] = []
    settled: set[int] = set()
    if rules.combines_dates_and_times or rules.timezone_minutes is not None:
        by_tag = {key.tag: key for key in keys if key.text.strip(" \0")}
        for date_key, time_key in _pairs(by_tag):
            match = _parse_date_and_time(date_key, time_key, rules)
            if match is not None:
                matches.append(match)
                settled |= {match.date_tag, match.time_tag}
    return (*matches, *(match for key in keys if key.tag not in settled for match in parse_key(key, rules)))


def _pairs(by_tag: Mapping[int, Key]) -> Iterator[tuple[Key, Key | None]]:
    for date_tag, time_tag in DATES_WITH_TIMES.items():
        if date_tag in by_tag:
            yield by_tag[date_tag], by_tag.get(time_tag)


def _parse_date_and_time(date_key: Key, time_key: Key | None, rules: KeyRules) -> DateAndTime | None:
    """Return one match for a date and its time, None where each is to be matched by itself."""
    date_text = date_key.text.strip(" \0")
    time_text = time_key.text.strip(" \0") if time_key is not None else ""
    if EMPTY_VALUE in (date_text, time_text) or "*" in (date_text, time_text):
        return None
    is_combined = rules.combines_dates_and_times and _form(date_text) == _form(time_text) != ""
    if not is_combined and rules.timezone_minutes is None:
        return None
    dates = date_ends(date_key, date_text)
    lowest, highest = time_ends(time_key, time_text) if time_key is not None and time_text else (None, None)
    if time_key is not None and not is_combined and lowest and highest and lowest > highest:
        raise invalid_key(time_key)
    return DateAndTime(
        date_key.tag,
        DATES_WITH_TIMES[date_key.tag],
        dates,
        (lowest and padded_time(lowest), highest),
        is_combined=is_combined,
        timezone_minutes=rules.timezone_minutes,
    )


def _form(text: str) -> str:
    """Return which form of a range text has (PS3.4 C.2.2.2.5): both ends, the lower, the upper; empty if it is none."""
    if "-" not in text:
        return ""
    return "upper" if text.startswith("-") else "lower" if text.endswith("-") else "both"
