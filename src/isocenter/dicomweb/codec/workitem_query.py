"""The query string of a search for workitems (PS3.18 11.9, dicom-service 9.4): Azure's rules, and the standard's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isocenter.dicomweb.codec import qido_azure
from isocenter.dicomweb.codec.attribute_name import parse_attribute_path
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import IncludeFields, parse_parameters
from isocenter.dicomweb.codec.qido_standard import LIST_SEPARATORS, NAME_SHOWN_MAX
from isocenter.domain.attributes import IndexedAttribute
from isocenter.domain.date_time import first_instant, has_offset, last_instant
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.key import Key, KeyRules, parse_value_match
from isocenter.domain.query import Between, OneOf, ValueMatch
from isocenter.domain.workitem_search import (
    AZURE_SEARCHABLE,
    SEARCHABLE,
    Path,
    SearchableAttribute,
    WorkitemMatch,
    WorkitemQuery,
)

WORKITEMS_MAX = 200
"""Workitems of one answer, also where the caller names no limit: each may have a megabyte."""
AZURE_PATH_MAX = 2
"""dicom-service 9.4."""

_AZURE = {one.path: one for one in AZURE_SEARCHABLE}
_STANDARD = {one.path: one for one in SEARCHABLE}
_REPEATABLE_VRS = frozenset({"UI", "CS"})
_ONCE = "Each attribute is only allowed to be specified once."


@dataclass(frozen=True, slots=True)
class WorkitemSearch:
    """A search for workitems as the caller put it."""

    query: WorkitemQuery
    include: IncludeFields
    matched_tags: tuple[int, ...]
    """Outermost tags of the attributes that were named."""
    warnings: tuple[str, ...] = ()


def parse_workitem_search(query_string: str, dialect: Dialect, *, partition_name: str) -> WorkitemSearch:
    """Return the search that a query string asks for.

    Raises InvalidRequest with the sentence for the caller.
    """
    parameters, attributes = parse_parameters(query_string, dialect)
    read = _read_azure if dialect.is_azure else _read_standard
    matches, paths, warnings = read(attributes, is_fuzzy=parameters.is_fuzzy)
    query = WorkitemQuery(matches, min(parameters.limit, WORKITEMS_MAX), parameters.offset, partition_name)
    tags = tuple(dict.fromkeys(path[0] for path in paths))
    return WorkitemSearch(query, parameters.include, tags, (*warnings, *parameters.warnings))


_Read = tuple[tuple[WorkitemMatch, ...], Sequence[Path], list[str]]


def _read_azure(attributes: list[tuple[str, str]], *, is_fuzzy: bool) -> _Read:
    keys: dict[Path, str] = {}
    matches: list[WorkitemMatch] = []
    for key, value in attributes:
        attribute = _azure_attribute(key)
        _refuse_repeated(key, keys.get(attribute.path))
        keys[attribute.path] = key
        text = value.rstrip(" \0")
        if not text.strip():
            raise InvalidRequest(f"Invalid query: AttributeId '{key}' has empty string value that is not supported.")
        match = _azure_date_time(attribute, text) if attribute.vr == "DT" else None
        matches.append(
            WorkitemMatch(attribute, match or qido_azure.parse_match(_plain(attribute), text, is_fuzzy=is_fuzzy))
        )
    return tuple(matches), tuple(keys), []


def _azure_attribute(key: str) -> SearchableAttribute:
    path = parse_attribute_path(key)
    if path is None:
        raise InvalidRequest(f"Invalid query: unknown query parameter '{key}'. {qido_azure.HINT}")
    if len(path) > AZURE_PATH_MAX:
        raise InvalidRequest("Nested Dicom sequence tags are currently not supported.")
    attribute = _AZURE.get(path)
    if attribute is None:
        raise InvalidRequest(f"Invalid query: AttributeId {key} is not queryable.  {qido_azure.HINT}")
    return attribute


def _refuse_repeated(key: str, earlier: str | None) -> None:
    if earlier is None:
        return
    if earlier.lower() == key.lower():
        raise InvalidRequest(f"Invalid QIDO-RS query. Duplicate AttributeId '{key}'. {_ONCE}")
    raise InvalidRequest(
        f"Invalid query: attribute '{key}' has been specified more than once using different ID formats. {_ONCE}"
    )


def _azure_date_time(attribute: SearchableAttribute, text: str) -> ValueMatch:
    """Return a match by time; a coarse time means its first instant, be it at the end of a range."""
    ends = [end.strip() for end in text.split("-")]
    if ends == ["", ""]:
        raise InvalidRequest("Invalid query: specified range is invalid.")
    if len(ends) != 2:
        return OneOf(attribute.tag, (_azure_instant(attribute, text) or "",))
    lowest, highest = (_azure_instant(attribute, end) for end in ends)
    if lowest and highest and lowest > highest:
        raise InvalidRequest(
            f"Invalid query: specified range '{text}' is invalid. "
            f"The first part {ends[0]} should be lesser than or equal to the second part {ends[1]}."
        )
    return Between(attribute.tag, lowest, highest)


def _azure_instant(attribute: SearchableAttribute, text: str) -> str | None:
    if not text:
        return None
    instant = first_instant(text)
    if instant is None or has_offset(text):
        raise InvalidRequest(
            f"Invalid query: specified DateTime value '{text}' is invalid for attribute '{attribute.keyword}'. "
            "DateTime should be valid and formatted as yyyyMMddHHmmss.FFFFFF."
        )
    return instant


def _read_standard(attributes: list[tuple[str, str]], *, is_fuzzy: bool) -> _Read:
    asked: dict[SearchableAttribute, str] = {}
    paths: list[Path] = []
    warnings: list[str] = []
    for name, value in attributes:
        path = parse_attribute_path(name)
        if path is None:
            raise InvalidRequest(
                f"Invalid query: the parameter '{name[:NAME_SHOWN_MAX]}' is neither known nor the keyword or tag of an "
                "attribute."
            )
        attribute = _STANDARD.get(path)
        if attribute is None:
            warnings.append(
                f"The attribute {name[:NAME_SHOWN_MAX]} is not supported for matching here and was ignored."
            )
            continue
        paths.append(path)
        asked[attribute] = _joined(attribute, asked, value)
    return _standard_matches(asked, is_fuzzy=is_fuzzy), paths, warnings


def _joined(attribute: SearchableAttribute, asked: Mapping[SearchableAttribute, str], value: str) -> str:
    if attribute not in asked:
        return value
    if attribute.vr not in _REPEATABLE_VRS:
        raise InvalidRequest(f"Invalid query: the attribute {attribute.keyword} is specified more than once.")
    return f"{asked[attribute]}\\{value}"


def _standard_matches(asked: Mapping[SearchableAttribute, str], *, is_fuzzy: bool) -> tuple[WorkitemMatch, ...]:
    rules = KeyRules(list_separators=LIST_SEPARATORS, is_fuzzy=is_fuzzy)
    matches: list[WorkitemMatch] = []
    for attribute, text in asked.items():
        match = (
            _standard_date_time(attribute, text)
            if attribute.vr == "DT"
            else parse_value_match(Key(attribute.tag, attribute.vr, text, attribute.keyword), rules)
        )
        if match is not None:
            matches.append(WorkitemMatch(attribute, match))
    return tuple(matches)


def _standard_date_time(attribute: SearchableAttribute, text: str) -> ValueMatch | None:
    """Return a match by time; a coarse time means all of it (PS3.4 C.2.2.2.5). A dash may also begin an offset."""
    bare = text.strip(" \0")
    if not bare.strip("*"):
        return None
    if first_instant(bare) is not None:
        return Between(attribute.tag, first_instant(bare), last_instant(bare))
    for at, letter in enumerate(bare):
        ends = bare[:at].strip(), bare[at + 1 :].strip()
        if letter == "-" and any(ends) and all(first_instant(end) is not None for end in ends if end):
            lowest, highest = first_instant(ends[0]), last_instant(ends[1])
            if lowest is None or highest is None or lowest <= highest:
                return Between(attribute.tag, lowest, highest)
    raise InvalidRequest(f"Invalid query: the value for {attribute.keyword} is not valid for VR DT.")


def _plain(attribute: SearchableAttribute) -> IndexedAttribute:
    """Return the attribute as the rules of matching know one; its level says nothing about a workitem."""
    return IndexedAttribute(attribute.keyword, attribute.tag, attribute.vr, Level.STUDY)
