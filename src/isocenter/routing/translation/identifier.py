"""What an AE is asked by C-FIND for a search that came by QIDO-RS (routing-and-gateway 6.6).

Of each match the AE gets what every AE understands of it (PS3.4 C.2.2.2), which may find too much; rows are then held
against all matches here (`fits_row`). An AE need not find series or instances but below one that is named: the search
goes down level by level (`steps_down`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isocenter.dicom.dictionary import dictionary_vr
from isocenter.domain.attributes import level_of
from isocenter.domain.fitting import fits
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    DateAndTime,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
)
from isocenter.domain.values import Values, tag_key
from isocenter.routing.translation.answer import AnswerRow

QUERY_RETRIEVE_LEVEL = 0x00080052
LEVEL_NAMES = {Level.STUDY: "STUDY", Level.SERIES: "SERIES", Level.INSTANCE: "IMAGE"}
UNIQUE_KEYS = {Level.STUDY: 0x0020000D, Level.SERIES: 0x0020000E, Level.INSTANCE: 0x00080018}

Document = dict[str, Any]
"""A data set in the DICOM JSON model; VRs are left to the dictionary."""


def steps_down(query: Query) -> list[Level]:
    """Return the levels that are asked one after the other: from the first that the route leaves open to the last."""
    if query.study_instance_uid is None:
        first = Level.STUDY
    else:
        first = Level.SERIES if query.series_instance_uid is None else Level.INSTANCE
    return [level for level in LEVEL_NAMES if min(first, query.level) <= level <= query.level]


def find_document(query: Query, level: Level, *, above: Mapping[Level, str], returned: Iterable[int]) -> Document:
    """Return the identifier that asks for one level, below the study and series of `above`.

    What belongs to a level above was asked there, or is known by its unique key.
    """
    document: Document = {}
    for tag in returned:
        if _belongs(tag, level, query.level):
            document[tag_key(tag)] = {}
    document[tag_key(UNIQUE_KEYS[level])] = {}
    _put_matches(document, [match for match in query.matches if _belongs(match.tag, level, query.level)])
    for upper, unique_key in UNIQUE_KEYS.items():
        if upper < level:
            document[tag_key(unique_key)] = {"Value": [above[upper]]}
    document[tag_key(QUERY_RETRIEVE_LEVEL)] = {"Value": [LEVEL_NAMES[level]]}
    return document


def matches_of(query: Query, level: Level) -> list[Match]:
    """Return the matches that rows of a level are to fit."""
    return [match for match in query.matches if _belongs(match.tag, level, query.level)]


def fits_row(matches: Sequence[Match], row: Values) -> bool:
    """Tell whether a row fits; what an AE does not tell of was matched by it, or by nobody.

    `row` has an empty entry for what the AE returned without a value.
    """
    answer = AnswerRow(row)
    return all(fits(match, answer) for match in matches if _is_told(match, row))


def _is_told(match: Match, row: Values) -> bool:
    tags = (match.date_tag, match.time_tag) if isinstance(match, DateAndTime) else (match.tag,)
    return all(tag_key(tag) in row for tag in tags)


def _belongs(tag: int, level: Level, lowest: Level) -> bool:
    """Tell whether a key stands at a level: a patient's with the studies, what no index knows with the lowest."""
    found = level_of(tag)
    if found is None:
        return level is lowest
    return max(found, Level.STUDY) is level


def _put_matches(document: Document, matches: Sequence[Match]) -> None:
    for match in matches:
        if isinstance(match, InItem):
            item: Document = {}
            _put_matches(item, match.matches)
            document[tag_key(match.tag)] = {"Value": [item]}
            continue
        for tag, text in _texts(match):
            document[tag_key(tag)] = {"Value": text.split("\\")} if text else {}


def _texts(match: Match) -> list[tuple[int, str]]:
    """Return the keys of a match with what finds at least all that fits; an empty text finds everything."""
    match match:
        case OneOf(tag, values):
            return [(tag, "\\".join(values) if dictionary_vr(tag) == "UI" or len(values) == 1 else "")]
        case Wildcard(tag, pattern):
            return [(tag, pattern)]
        case Between(tag, lowest, highest):
            return [(tag, _range((lowest, highest)))]
        case WordPrefixes(tag, words):
            longest = max(words, key=len, default="")
            return [(tag, f"*{longest}*" if longest else "")]
        case PersonName(tag, groups, in_any_group):
            return [(tag, "" if in_any_group else "=".join(groups))]
        case DateAndTime(date_tag, time_tag, dates, times) if match.timezone_minutes is None:
            return [(date_tag, _range(dates)), (time_tag, "" if match.is_combined else _range(times))]
        case DateAndTime(date_tag, time_tag):
            return [(date_tag, ""), (time_tag, "")]
        case _:
            return [(match.tag, "")]


def _range(ends: tuple[str | None, str | None]) -> str:
    lowest, highest = ends
    if lowest is None and highest is None:
        return ""
    return lowest or "" if lowest == highest else f"{lowest or ''}-{highest or ''}"
