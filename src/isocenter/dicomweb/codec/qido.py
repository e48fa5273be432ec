"""A search request: its query string as a query, the attributes to return, and what was passed over.

parse_search ── parameters ──> limit, offset, includefield, fuzzymatching, emptyvaluematching, multiplevaluematching
             └─ attributes ──> `qido_standard` or `qido_azure`, by dialect
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from isocenter.dicomweb.codec import qido_azure, qido_standard
from isocenter.dicomweb.codec.attribute_name import parse_attribute_path
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido_attributes import AttributeMatches
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION, Level
from isocenter.domain.key import KeyRules
from isocenter.domain.query import Query
from isocenter.domain.query_tag import QueryTag

PARAMETERS_MAX = 256
"""Pairs in one query string; a viewer sends a dozen."""
AZURE_LIMIT_DEFAULT, AZURE_LIMIT_MAX = 100, 200
"""dicom-service 4.1."""
STANDARD_LIMIT_MAX = 10_000
"""Rows of one answer, about 10 MB of JSON; also what is answered where the client names no limit."""
OFFSET_MAX = 2**31 - 1

_SCALARS = {"limit": "Limit", "offset": "Offset", "fuzzymatching": "FuzzyMatching"}
"""Parameters that may stand there once, with the name that a refusal calls them by (dicom-service 9.4)."""
_STANDARD_SCALARS = _SCALARS | {
    "emptyvaluematching": "EmptyValueMatching",
    "multiplevaluematching": "MultipleValueMatching",
    "includetotal": "IncludeTotal",
}
_IGNORED_BY_STANDARD = frozenset({"accept", "charset", "token"})
"""Parameters of PS3.18 8.3 that are no attributes and change nothing here."""
_BAD_CHARACTERS = "The query string included invalid characters."
_ALL_AND_OTHERS = "Invalid query: cannot specify included fields in addition to 'all'."
_REPEATED = "Cannot specify parameter more than once."


@dataclass(frozen=True, slots=True)
class IncludeFields:
    """The attributes that a client asks for beyond those that always come."""

    is_all: bool = False
    tags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """What a query string says beside attributes."""

    limit: int
    offset: int
    is_fuzzy: bool
    include: IncludeFields
    warnings: tuple[str, ...]
    wants_total: bool = False
    has_empty_values: bool = False
    has_multiple_values: bool = False


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as the client put it."""

    query: Query
    include: IncludeFields
    matched_tags: tuple[int, ...]
    """Tags of the attributes that were matched on, those that match everything included: they are returned too."""
    warnings: tuple[str, ...] = ()
    """What was passed over, for a Warning header (PS3.18 8.3.4.1)."""
    wants_total: bool = False
    """Whether to say how many there are, whatever the page."""
    erroneous_keys: tuple[str, ...] = ()
    """Keys of extended query tags that have errors, as the client wrote them (dicom-service 4.5)."""
    external_tags: frozenset[int] = frozenset()
    """Tags that mean external metadata, where that is asked for (dicom-service 2.7)."""


@dataclass(frozen=True, slots=True)
class AzureSearch:
    """What a search under Azure's roots depends on beside its query string."""

    refuses_all_with_others: bool = False
    """Whether `includefield=all` beside other fields is refused (dicom-service 0.2, D2)."""
    query_tags: tuple[QueryTag, ...] = ()
    """The extended query tags that there are."""
    external_vrs: Mapping[int, str] = field(default_factory=dict)
    """The tags of external metadata with their VRs, where that is asked for."""


PLAIN_AZURE_SEARCH = AzureSearch()


def parse_search(
    query_string: str,
    dialect: Dialect,
    *,
    level: Level,
    study_instance_uid: str | None = None,
    series_instance_uid: str | None = None,
    partition_name: str = DEFAULT_PARTITION,
    azure: AzureSearch = PLAIN_AZURE_SEARCH,
) -> SearchRequest:
    """Return the search that a query string asks for at a level, below the study and series of the route.

    Raises InvalidRequest with the sentence for the client.
    """
    parameters, attributes = parse_parameters(query_string, dialect)
    if azure.refuses_all_with_others and parameters.include.is_all and parameters.include.tags:
        raise InvalidRequest(_ALL_AND_OTHERS)
    scope = Query(
        level=level,
        study_instance_uid=study_instance_uid,
        series_instance_uid=series_instance_uid,
        limit=parameters.limit,
        offset=parameters.offset,
        partition_name=partition_name,
    )
    found = _parse_attributes(attributes, scope, parameters, dialect, azure)
    return SearchRequest(
        query=replace(scope, matches=found.matches),
        include=parameters.include,
        matched_tags=found.tags,
        warnings=(*found.warnings, *parameters.warnings),
        wants_total=parameters.wants_total,
        erroneous_keys=found.erroneous_keys,
        external_tags=frozenset(azure.external_vrs),
    )


def scalar_names(dialect: Dialect) -> Sequence[str]:
    """Return the parameters that are no attributes and have one value, as they are written by convention."""
    return tuple(_SCALARS if dialect.is_azure else _STANDARD_SCALARS)


def parse_parameters(query_string: str, dialect: Dialect) -> tuple[SearchParameters, list[tuple[str, str]]]:
    """Return what a query string says beside attributes, and the attributes with their values.

    Raises InvalidRequest with the sentence for the client.
    """
    parameters, attributes = _split_parameters(query_string, dialect)
    include, unknown = _include_fields(parameters.get("includefield"), dialect)
    found = SearchParameters(
        limit=_limit(parameters.get("limit"), dialect),
        offset=_number("Offset", parameters.get("offset"), default=0, lowest=0, highest=OFFSET_MAX),
        is_fuzzy=_is_true("FuzzyMatching", parameters.get("fuzzymatching")),
        include=include,
        warnings=tuple(unknown),
        wants_total=_is_true("IncludeTotal", parameters.get("includetotal")),
        has_empty_values=_is_true("EmptyValueMatching", parameters.get("emptyvaluematching")),
        has_multiple_values=_is_true("MultipleValueMatching", parameters.get("multiplevaluematching")),
    )
    return found, attributes


def _parse_attributes(
    attributes: list[tuple[str, str]],
    scope: Query,
    parameters: SearchParameters,
    dialect: Dialect,
    azure: AzureSearch,
) -> AttributeMatches:
    if dialect.is_azure:
        return qido_azure.parse_attributes(
            attributes,
            scope,
            is_fuzzy=parameters.is_fuzzy,
            query_tags=azure.query_tags,
            external_vrs=azure.external_vrs,
        )
    rules = KeyRules(
        list_separators=qido_standard.LIST_SEPARATORS,
        is_fuzzy=parameters.is_fuzzy,
        has_empty_values=parameters.has_empty_values,
        has_multiple_values=parameters.has_multiple_values,
    )
    return qido_standard.parse_attributes(attributes, scope, rules=rules)


def _split_parameters(query_string: str, dialect: Dialect) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Return the parameters that are no attributes by lower-case name, and the attributes in their order."""
    if dialect.is_azure and ("<" in query_string or "%3c" in query_string.lower()):
        raise InvalidRequest(_BAD_CHARACTERS)
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        raise InvalidRequest(_BAD_CHARACTERS) from error
    scalars = _SCALARS if dialect.is_azure else _STANDARD_SCALARS
    parameters: dict[str, list[str]] = {}
    attributes: list[tuple[str, str]] = []
    for key, value in pairs:
        name = key.lower()
        if name in scalars or name == "includefield":
            parameters.setdefault(name, []).append(value)
        elif dialect.is_azure or name not in _IGNORED_BY_STANDARD:
            attributes.append((key, value))
    for name in scalars.keys() & parameters:
        if len(parameters[name]) > 1:
            raise _invalid(scalars[name], _REPEATED)
    return parameters, attributes


def _invalid(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"The query parameter '{name}' is invalid. {reason}")


def _limit(values: list[str] | None, dialect: Dialect) -> int:
    if dialect.is_azure:
        return _number("Limit", values, default=AZURE_LIMIT_DEFAULT, lowest=1, highest=AZURE_LIMIT_MAX)
    # A larger limit is not an error: the client is told that there is more (PS3.18 8.3.4.4).
    asked = _number("Limit", values, default=STANDARD_LIMIT_MAX, lowest=1, highest=OFFSET_MAX)
    return min(asked, STANDARD_LIMIT_MAX)


def _number(name: str, values: list[str] | None, *, default: int, lowest: int, highest: int) -> int:
    if values is None:
        return default
    text = values[0].strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        if text.removeprefix("-").isdigit():
            raise _out_of_range(name, lowest, highest)
        raise _invalid(name, f"The value is not valid for {name}.")
    if not lowest <= int(text) <= highest:
        raise _out_of_range(name, lowest, highest)
    return int(text)


def _out_of_range(name: str, lowest: int, highest: int) -> InvalidRequest:
    return _invalid(name, f"The field {name} must be between {lowest} and {highest}.")


def _is_true(name: str, values: list[str] | None) -> bool:
    text = values[0].strip().lower() if values else "false"
    if text not in {"true", "false"}:
        raise _invalid(name, "The value must be 'true' or 'false'.")
    return text == "true"


def _include_fields(values: list[str] | None, dialect: Dialect) -> tuple[IncludeFields, list[str]]:
    """Return what to include, and in the standard's dialect a warning for each name that means nothing."""
    tags: dict[int, None] = {}
    unknown: list[str] = []
    is_all = False
    for name in (name.strip() for value in values or () for name in value.split(",")):
        if name.lower() == "all":
            is_all = True
            continue
        path = parse_attribute_path(name)
        if path is not None and (len(path) == 1 or not dialect.is_azure):
            tags[path[0]] = None
        elif dialect.is_azure:
            raise InvalidRequest(f"Invalid query: IncludeField has unknown attribute '{name}'.")
        elif name:
            unknown.append("An includefield that is no attribute was ignored.")
    return IncludeFields(is_all, tuple(tags)), unknown
