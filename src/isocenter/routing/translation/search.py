"""Translate a search into requests of QIDO-RS: what the server is asked, and what is matched here in its answers.

    query ─▶ for each match: what of it the server can be asked ─▶ parameters ─▶ requests, for lists that it cannot take
                             what of it the server may answer too widely ─▶ residual

Whatever the server finds for the requests together holds everything that the search means; the residual takes away
what it does not mean. A match that the server is asked in full is not in it, for the answer may lack the attribute.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote, urlencode

from isocenter.dicom.dictionary import dictionary_vr, keyword_of
from isocenter.domain.attributes import level_of
from isocenter.domain.forms import Any, Form, parse_pattern
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    Comparison,
    DateAndTime,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
    person_name_words,
)
from isocenter.routing.translation.profile import SearchProfile

REQUESTS_MAX = 256
"""Requests of one search; a key whose values would make more is matched here."""
UIDS_PER_REQUEST = 50
"""A UID has 64 characters at most, and servers take lines of some thousand."""
INCLUDED_MAX = 200
"""Attributes that are asked for; a data set of a study has some dozens."""
TOO_WIDE = "No key of this search can be matched by the server; name a patient, a date or a UID."
"""To be answered with A900 where nothing narrows a search that has keys (routing-and-gateway 6.1)."""

_RESOURCES = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}
_UIDS = {Level.STUDY: 0x0020000D, Level.SERIES: 0x0020000E, Level.INSTANCE: 0x00080018}
_PERSON_NAME = "PN"
_WILD = frozenset("*?")
_INCLUDE = "includefield"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One request of QIDO-RS, without its page."""

    path: str
    """Below the root of the service."""
    parameters: tuple[tuple[str, str], ...]

    @property
    def query_string(self) -> str:
        """Return its parameters as UTF-8 in a URL; wild cards and commas stand as they are."""
        return urlencode(self.parameters, quote_via=quote, safe="*?,")

    @property
    def has_fields(self) -> bool:
        """Tell whether it names attributes to return."""
        return any(name == _INCLUDE for name, _ in self.parameters)


@dataclass(frozen=True, slots=True)
class TranslatedSearch:
    """What a server is asked for one search."""

    requests: tuple[SearchRequest, ...]
    """Their answers together, each row once by its UID, hold what is searched."""
    residual: tuple[Match, ...]
    """What the rows must fit besides."""
    is_by_patient: bool
    """Rows are studies, to be gathered by patient: PatientID and its issuer."""
    is_too_wide: bool
    """The search has keys, and the server can be asked for none of them: everything it has would have to be fetched."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What of one match a server is asked."""

    name: str
    alternatives: tuple[str, ...]
    """Values of the parameter, each in a request of its own."""
    is_whole: bool
    """The server's rule is the match's."""
    is_fuzzy: bool = False


def translate_search(query: Query, profile: SearchProfile, *, return_tags: Sequence[int] = ()) -> TranslatedSearch:
    """Return what a server is asked for a query, and asked to return of each row."""
    level = max(query.level, Level.STUDY)
    asked: list[_Asked] = []
    residual: list[Match] = []
    for match in query.matches:
        one = _ask(match, query, profile) if _is_sendable(match, query, profile) else None
        if one is not None and _fits_among(asked, one):
            asked.append(one)
        if one is None or not one.is_whole or one not in asked:
            residual.append(match)
    common = (*_scope_parameters(query, level), *_common_parameters(asked, residual, return_tags))
    path = _path(query, level)
    requests = tuple(SearchRequest(path, (*chosen, *common)) for chosen in _combinations(asked))
    has_scope = query.study_instance_uid is not None
    return TranslatedSearch(
        requests,
        tuple(residual),
        is_by_patient=query.level is Level.PATIENT,
        is_too_wide=bool(query.matches) and not asked and not has_scope,
    )


def with_known_fields(request: SearchRequest, profile: SearchProfile) -> SearchRequest:
    """Return a request that asks for attributes only that a server surely has, for one that refused others."""
    known = {f"{tag:08X}" for tags in profile.searchable.values() for tag in tags}
    kept = tuple(pair for pair in request.parameters if pair[0] != _INCLUDE or pair[1] in known)
    return SearchRequest(request.path, kept)


def _path(query: Query, level: Level) -> str:
    parts = [""]
    if query.study_instance_uid is not None and level > Level.STUDY:
        parts += ["studies", query.study_instance_uid]
        if query.series_instance_uid is not None and level > Level.SERIES:
            parts += ["series", query.series_instance_uid]
    return "/".join([*parts, _RESOURCES[level]])


def _scope_parameters(query: Query, level: Level) -> Iterator[tuple[str, str]]:
    """Yield the UIDs that the search is below of and that its path does not hold."""
    if query.study_instance_uid is not None and level is Level.STUDY:
        yield "StudyInstanceUID", query.study_instance_uid
    is_in_path = query.study_instance_uid is not None and level > Level.SERIES
    if query.series_instance_uid is not None and level > Level.STUDY and not is_in_path:
        yield "SeriesInstanceUID", query.series_instance_uid


def _is_sendable(match: Match, query: Query, profile: SearchProfile) -> bool:
    """Tell whether a server matches an attribute at this resource."""
    named = {_UIDS[Level.STUDY]: query.study_instance_uid, _UIDS[Level.SERIES]: query.series_instance_uid}
    if named.get(match.tag) is not None:
        return False
    found = max(level_of(match.tag) or Level.PATIENT, Level.STUDY)
    level = max(query.level, Level.STUDY)
    if match.tag not in profile.searchable.get(found, frozenset()) or found > level:
        return False
    scope = _scope_level(query)
    return scope is None or found > scope or profile.has_study_keys_below_study


def _scope_level(query: Query) -> Level | None:
    """Return the lowest level that the route names."""
    if query.study_instance_uid is None or query.level <= Level.STUDY:
        return None
    return Level.SERIES if query.series_instance_uid is not None and query.level > Level.SERIES else Level.STUDY


def _fits_among(asked: Sequence[_Asked], one: _Asked) -> bool:
    """Tell whether a further parameter names another attribute, and keeps the number of requests in bounds."""
    if one.name in (other.name for other in asked):
        return False
    number = len(one.alternatives)
    for other in asked:
        number *= len(other.alternatives)
    return number <= REQUESTS_MAX


def _combinations(asked: Sequence[_Asked]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the parameters of each request."""
    for values in itertools.product(*(one.alternatives for one in asked)):
        yield tuple((one.name, value) for one, value in zip(asked, values, strict=True))


def _common_parameters(
    asked: Sequence[_Asked], residual: Sequence[Match], return_tags: Sequence[int]
) -> Iterator[tuple[str, str]]:
    if any(one.is_fuzzy for one in asked):
        yield "fuzzymatching", "true"
    wanted = dict.fromkeys((*return_tags, *(tag for match in residual for tag in _tags_of(match))))
    for tag in itertools.islice(wanted, INCLUDED_MAX):
        yield _INCLUDE, f"{tag:08X}"


def _tags_of(match: Match) -> tuple[int, ...]:
    """Return what must be in a row to match it here."""
    return (match.date_tag, match.time_tag, 0x00080201) if isinstance(match, DateAndTime) else (match.tag,)


# What of a match a server is asked


def _ask(match: Match, query: Query, profile: SearchProfile) -> _Asked | None:
    """Return what a server is asked for a match, None where it cannot be asked anything that finds all of it."""
    name = keyword_of(match.tag) or f"{match.tag:08X}"
    match match:
        case OneOf(tag, values, comparison):
            return _ask_values(name, tag, values, comparison, profile)
        case Wildcard(tag, pattern) if dictionary_vr(tag) == _PERSON_NAME:
            return _ask_name(name, pattern, profile)
        case Wildcard(_, pattern, comparison):
            is_sure = "," not in pattern and _is_compared_widely_enough(comparison, [pattern], profile)
            return _Asked(name, (pattern,), is_whole=False) if profile.has_wildcards and is_sure else None
        case Between(tag, lowest, highest):
            return _ask_range(name, tag, (lowest, highest), profile)
        case WordPrefixes(_, words):
            prefixes = _sure_words(" ".join(words))
            return _ask_words(name, prefixes) if profile.has_fuzzy_names else None
        case PersonName(_, groups, in_any_group):
            alphabetic = "" if in_any_group else groups[0]
            return _ask_name(name, alphabetic, profile) if alphabetic else None
        case DateAndTime(date_tag, _, dates):
            return _ask_days(name, date_tag, dates, match.timezone_minutes is not None, profile)
        case _:
            return None


def _ask_values(
    name: str, tag: int, values: Sequence[str], comparison: Comparison, profile: SearchProfile
) -> _Asked | None:
    vr = dictionary_vr(tag)
    if vr == "UI":
        lists = [values[at : at + UIDS_PER_REQUEST] for at in range(0, len(values), UIDS_PER_REQUEST)]
        return _Asked(name, tuple(map(",".join, lists)) if profile.takes_uid_lists else tuple(values), is_whole=True)
    if vr == _PERSON_NAME:
        return _ask_name(name, values[0], profile) if len(values) == 1 else None
    if any("," in value or _WILD & set(value) for value in values):
        return None  # a server that takes lists or wild cards would read something else
    if vr in ("IS", "DS", "TM"):
        return None  # `03` and `3` are one number, and not one text
    if not _is_compared_widely_enough(comparison, values, profile):
        return None
    is_whole = vr == "DA" or (vr == "CS" and tag == _MODALITIES_IN_STUDY)
    return _Asked(name, tuple(values), is_whole=is_whole)


def _is_compared_widely_enough(comparison: Comparison, values: Sequence[str], profile: SearchProfile) -> bool:
    """Tell whether a server finds every value that is meant: one that minds the case finds fewer, but of codes."""
    return comparison is Comparison.EXACT or profile.ignores_case or all(value.isupper() for value in values)


_MODALITIES_IN_STUDY = 0x00080061
"""A code of two letters; servers compare it as it is, and do not all return it."""


def _ask_range(name: str, tag: int, ends: tuple[str | None, str | None], profile: SearchProfile) -> _Asked | None:
    if tag not in profile.ranges or ends == (None, None):
        return None
    if dictionary_vr(tag) == "TM":
        # Servers differ in what a coarse time means; the whole hours around are what all of them understand.
        ends = (ends[0] and ends[0][:2] + "0000", ends[1] and ends[1][:2] + "5959")
        return _Asked(name, (f"{ends[0] or ''}-{ends[1] or ''}",), is_whole=False)
    return _Asked(name, (f"{ends[0] or ''}-{ends[1] or ''}",), is_whole=True)


def _ask_days(
    name: str, tag: int, dates: tuple[str | None, str | None], has_timezone: bool, profile: SearchProfile
) -> _Asked | None:
    """Return the days of a match with times; with a time zone, a day on either side may be meant too."""
    if tag not in profile.ranges or dates == (None, None):
        return None
    lowest, highest = dates
    if has_timezone:
        lowest, highest = lowest and _shifted(lowest, -1), highest and _shifted(highest, 1)
    return _Asked(name, (f"{lowest or ''}-{highest or ''}",), is_whole=False)


def _shifted(day: str, days: int) -> str:
    try:
        moved = date(int(day[:4]), int(day[4:6]), int(day[6:8])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return day
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"


def _ask_name(name: str, group: str, profile: SearchProfile) -> _Asked | None:
    """Return what a server is asked for the alphabetic group of a name; the others each compares in its own way."""
    if profile.has_fuzzy_names:
        return _ask_words(name, _sure_words(group))
    if not profile.has_wildcards or not group.isascii() or "," in group:
        return None
    bare = group.strip(" ").rstrip("^ ")
    # The name may go on with further components that are empty, or with groups in other scripts.
    return _Asked(name, (bare if bare.endswith("*") else bare + "*",), is_whole=False) if bare.strip("*") else None


def _ask_words(name: str, words: Sequence[str]) -> _Asked | None:
    return _Asked(name, (" ".join(words),), is_whole=False, is_fuzzy=True) if words else None


def _sure_words(text: str) -> list[str]:
    """Return the words that words of a name must begin with, whatever a server takes for one: letters and digits only.

    A wild card, or another sign within a word, ends what is sure.
    """
    tokens = parse_pattern(text, Form.FOLDED)
    literal = "".join(str(token) for token in itertools.takewhile(lambda token: not isinstance(token, Any), tokens))
    found: list[str] = []
    for word in person_name_words(literal).split():
        sure = "".join(itertools.takewhile(str.isalnum, word))
        if sure:
            found.append(sure)
        if sure != word:
            break
    return found
