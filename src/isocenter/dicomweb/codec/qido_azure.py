"""Attributes of a query string by Azure's DICOM service: few attributes, exact matching, its own sentences.

Texts in this module are compared by clients' tests; dicom-service 4.1 to 4.3 has them. Some repeat the client's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from isocenter.dicom.dictionary import keyword_of
from isocenter.dicomweb.codec.attribute_name import parse_attribute_name
from isocenter.dicomweb.codec.qido_attributes import MATCHABLE, AttributeMatches
from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY, IndexedAttribute
from isocenter.domain.date_time import first_instant, has_offset
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.external_metadata import comparing_vr
from isocenter.domain.identifiers import Level
from isocenter.domain.moments import earliest_time, is_date
from isocenter.domain.query import (
    Between,
    ByExternalMetadata,
    ByQueryTag,
    Comparison,
    Match,
    OneOf,
    Query,
    ValueMatch,
    WordPrefixes,
    person_name_words,
)
from isocenter.domain.query_tag import KINDS_BY_VR, QueryStatus, QueryTag, ValueKind
from isocenter.domain.query_tag_value import comparable_of

_SEARCHABLE_KEYWORDS = (
    "StudyInstanceUID",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyDescription",
    "SeriesInstanceUID",
    "Modality",
    "PerformedProcedureStepStartDate",
    "ManufacturerModelName",
    "SOPInstanceUID",
)
SEARCHABLE = {
    tag: MATCHABLE[tag] for tag in (*(BY_KEYWORD[keyword].tag for keyword in _SEARCHABLE_KEYWORDS), MODALITIES_IN_STUDY)
}
"""The attributes of dicom-service 4.2, by tag."""

HINT = (
    "If the parameter is an attribute keyword, check the casing as they are case-sensitive. "
    "The conformance statement has a list of supported query parameters, attributes and the levels."
)
_NO_VRS: Mapping[int, str] = MappingProxyType({})
_BAD_RANGE = "Invalid query: specified range is invalid."


def parse_attributes(
    attributes: list[tuple[str, str]],
    scope: Query,
    *,
    is_fuzzy: bool,
    query_tags: Sequence[QueryTag] = (),
    external_vrs: Mapping[int, str] = _NO_VRS,
) -> AttributeMatches:
    """Return what the attributes ask for at the resource of a scope; raise InvalidRequest with the service's text.

    Tags of `external_vrs` mean external metadata, whatever extended query tag there is too (dicom-service 2.7).
    """
    by_tag = {one.entry.tag: one for one in query_tags if one.is_queryable and one.entry.tag not in external_vrs}
    keys: dict[int, str] = {}
    matches: list[Match] = []
    for key, value in attributes:
        tag = _parse_key(key)
        query_tag, external_vr = by_tag.get(tag), external_vrs.get(tag)
        attribute = _attribute(key, tag, scope, query_tag=query_tag, external_vr=external_vr)
        _refuse_repeated(key, keys.get(tag))
        keys[tag] = key
        text = value.rstrip(" \0")
        if not text.strip():
            raise InvalidRequest(f"Invalid query: AttributeId {key} has empty string value that is not supported.")
        if external_vr is not None:
            matches.append(ByExternalMetadata(external_vr, parse_value(attribute, text, is_fuzzy=is_fuzzy)))
        elif query_tag is None:
            matches.append(parse_match(attribute, text, is_fuzzy=is_fuzzy))
        else:
            match = parse_value(attribute, text, is_fuzzy=is_fuzzy)
            matches.append(ByQueryTag(query_tag.query_tag_key, attribute.vr, attribute.level, match))
    erroneous = tuple(key for tag, key in keys.items() if tag in by_tag and by_tag[tag].error_count)
    return AttributeMatches(tuple(matches), tuple(keys), erroneous_keys=erroneous)


def _attribute(
    key: str, tag: int, scope: Query, *, query_tag: QueryTag | None, external_vr: str | None
) -> IndexedAttribute:
    if external_vr is not None:
        return _external(key, tag, external_vr, scope)
    return _searchable(key, tag, scope) if query_tag is None else _extended(key, query_tag, scope)


def _external(key: str, tag: int, vr: str, scope: Query) -> IndexedAttribute:
    """Return the attribute of external metadata, which is a study's."""
    attribute = IndexedAttribute(f"{tag:08X}", tag, comparing_vr(vr), Level.STUDY)
    if not _is_within(attribute, scope):
        raise _not_queryable(key)
    return attribute


def _extended(key: str, query_tag: QueryTag, scope: Query) -> IndexedAttribute:
    """Return the attribute of an extended query tag (dicom-service 7.3)."""
    entry = query_tag.entry
    attribute = IndexedAttribute(keyword_of(entry.tag) or entry.path, entry.tag, entry.vr, entry.level)
    if not _is_within(attribute, scope):
        raise _not_queryable(key)
    if query_tag.query_status is QueryStatus.DISABLED:
        raise InvalidRequest(f"Query is disabled on specified attribute '{key}'.")
    return attribute


def searchable_at(scope: Query) -> list[IndexedAttribute]:
    """Return the attributes that can be matched at the resource of a scope, extended query tags aside."""
    return [
        attribute
        for attribute in SEARCHABLE.values()
        if _is_within(attribute, scope) and not _is_named_by_route(attribute, scope)
    ]


def _is_within(attribute: IndexedAttribute, scope: Query) -> bool:
    return _highest_level(scope) <= attribute.level <= scope.level


def _parse_key(key: str) -> int:
    tag = parse_attribute_name(key)
    if tag is None:
        raise InvalidRequest(f"Invalid query: unknown query parameter '{key}'. {HINT}")
    return tag


def _not_queryable(key: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid query: AttributeId {key} is not queryable.  {HINT}")


def _searchable(key: str, tag: int, scope: Query) -> IndexedAttribute:
    attribute = SEARCHABLE.get(tag)
    if attribute is not None and _is_named_by_route(attribute, scope):
        raise InvalidRequest(
            f"Invalid query: cannot specify attribute '{attribute.keyword}' for the given resource. "  # blank included
        )
    if attribute is None or not _is_within(attribute, scope):
        raise _not_queryable(key)
    return attribute


def _is_named_by_route(attribute: IndexedAttribute, scope: Query) -> bool:
    if attribute.keyword == "StudyInstanceUID":
        return scope.study_instance_uid is not None
    return attribute.keyword == "SeriesInstanceUID" and scope.series_instance_uid is not None


def _highest_level(scope: Query) -> Level:
    """Return the level above which the route has settled everything."""
    if scope.series_instance_uid is not None:
        return Level.INSTANCE
    return Level.STUDY if scope.study_instance_uid is None else Level.SERIES


def _refuse_repeated(key: str, earlier: str | None) -> None:
    if earlier is None:
        return
    if earlier.lower() == key.lower():
        raise InvalidRequest(
            f"Invalid QIDO-RS query. Duplicate AttributeId '{key}'. "
            "Each attribute is only allowed to be specified once."
        )
    raise InvalidRequest(
        f"Invalid query: attribute '{key}' has been specified more than once using different ID formats. "
        "Each attribute is only allowed to be specified once."
    )


def parse_match(attribute: IndexedAttribute, text: str, *, is_fuzzy: bool) -> ValueMatch:
    """Return what the text of an attribute asks for (dicom-service 4.3); raise InvalidRequest where it is no value."""
    if attribute.vr == "DA":
        return _parse_dates(attribute, text)
    if attribute.vr == "TM":
        return _parse_times(attribute, text)
    if attribute.vr == "PN":
        return _parse_name(attribute, text, is_fuzzy=is_fuzzy)
    if attribute.vr == "UI":
        return OneOf(attribute.tag, (text,))
    return OneOf(attribute.tag, (text,), Comparison.CASELESS)


def parse_value(attribute: IndexedAttribute, text: str, *, is_fuzzy: bool) -> ValueMatch:
    """Return the same for an extended query tag, whose VR may be of dates with times or of numbers too."""
    match KINDS_BY_VR[attribute.vr]:
        case ValueKind.DATE_TIME if attribute.vr == "DT":
            return _parse_date_times(attribute, text)
        case ValueKind.INTEGER if attribute.vr != "TM":
            return _parse_number(attribute, text, "Long")
        case ValueKind.DOUBLE:
            return _parse_number(attribute, text, "Double")
        case _:
            return parse_match(attribute, text, is_fuzzy=is_fuzzy)


def _parse_number(attribute: IndexedAttribute, text: str, kind: str) -> ValueMatch:
    bare = text.strip()
    if comparable_of(attribute.vr, bare) is None:
        raise InvalidRequest(
            f"Invalid query: specified {kind} value '{text}' is invalid for attribute '{attribute.keyword}'."
        )
    return OneOf(attribute.tag, (bare,))


def _parse_date_times(attribute: IndexedAttribute, text: str) -> ValueMatch:
    """Return a match by instants; a coarse value means its first one, and offsets from UTC are not taken."""
    ends = _range(text)
    instants: list[str] = []
    for moment in ends or (text.strip(),):
        instant = first_instant(moment)
        if (moment or ends is None) and (instant is None or has_offset(moment)):
            raise InvalidRequest(
                f"Invalid query: specified DateTime value '{moment}' is invalid for attribute '{attribute.keyword}'. "
                "DateTime should be valid and formatted as yyyyMMddHHmmss.FFFFFF."
            )
        instants.append(instant or "")
    if ends is None:
        return OneOf(attribute.tag, (instants[0],))
    return _between(attribute, text, ends, (instants[0], instants[1]))


def _parse_name(attribute: IndexedAttribute, text: str, *, is_fuzzy: bool) -> ValueMatch:
    if not is_fuzzy:
        return OneOf(attribute.tag, (text,), Comparison.FOLDED)
    words = tuple(person_name_words(text).split())
    if '"' in text or not words:
        raise InvalidRequest(f"Invalid query: the value of attribute '{attribute.keyword}' cannot be matched fuzzily.")
    return WordPrefixes(attribute.tag, words)


def _range(text: str) -> tuple[str, str] | None:
    """Return the ends of a range, or None where text is a single value: two dashes are no range."""
    lowest, *others = (part.strip() for part in text.split("-"))
    if len(others) != 1:
        return None
    if not lowest and not others[0]:
        raise InvalidRequest(_BAD_RANGE)
    return lowest, others[0]


def _parse_dates(attribute: IndexedAttribute, text: str) -> ValueMatch:
    ends = _range(text)
    for day in ends or (text,):
        if (day or ends is None) and not is_date(day):
            raise InvalidRequest(
                f"Invalid query: specified Date value '{day}' is invalid for attribute '{attribute.keyword}'. "
                "Date should be valid and formatted as yyyyMMdd."
            )
    if ends is None:
        return OneOf(attribute.tag, (text,))
    return _between(attribute, text, ends, ends)


def _parse_times(attribute: IndexedAttribute, text: str) -> ValueMatch:
    """Return a match by time of day; a coarse time means its first instant."""
    ends = _range(text) or (text, text)
    for time in ends:
        if time and earliest_time(time) is None:
            raise InvalidRequest(
                f"Invalid query: specified Time value '{time}' is invalid for attribute '{attribute.keyword}'. "
                "Time should be valid and formatted as HHmmss.FFFFFF."
            )
    lowest, highest = ends
    return _between(attribute, text, ends, (earliest_time(lowest) or "", _first_instant(highest)))


def _first_instant(time: str) -> str:
    """Return the first instant of a time to the microsecond, which sorts behind every other way to write it."""
    whole, _, fraction = time.partition(".")
    return f"{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}" if time else ""


def _between(attribute: IndexedAttribute, text: str, ends: tuple[str, str], bounds: tuple[str, str]) -> Between:
    lowest, highest = bounds
    if lowest and highest and lowest > highest:
        raise InvalidRequest(
            f"Invalid query: specified range '{text}' is invalid. "
            f"The first part {ends[0]} should be lesser than or equal to the second part {ends[1]}."
        )
    return Between(attribute.tag, lowest or None, highest or None)
