"""What a search takes and gives (PS3.18 10.6, dicom-service 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isocenter.dicomweb.codec import qido, qido_azure
from isocenter.dicomweb.codec.accept import DICOM_JSON
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import ENCODING, VARY, WARNING, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Description, Header, Parameter, Place, Schema
from isocenter.dicomweb.codec.openapi.parameters import ACCEPT, EXTERNAL_METADATA
from isocenter.dicomweb.codec.openapi.schemas import DATASETS, FLAG, TEXT
from isocenter.dicomweb.codec.qido_attributes import MATCHABLE
from isocenter.domain.attributes import IndexedAttribute
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Query

_TEXTS: Mapping[str, str] = {
    "limit": "How many to return at most.",
    "offset": "How many to pass over.",
    "fuzzymatching": "Whether names match by the beginnings of their words.",
    "emptyvaluematching": 'Whether `""` matches attributes without a value (PS3.4 C.2.2.2.7).',
    "multiplevaluematching": "Whether several values all have to be there (PS3.4 C.2.2.2.8).",
    "includetotal": "Whether `X-Total-Count` says how many match, whatever the page.",
}
_INCLUDE_FIELD = Parameter(
    "includefield",
    "Attributes to return beside those that always come: keywords or tags, or `all`.",
    {"type": "array", "items": TEXT},
)
_TOTAL = Header("X-Total-Count", "How many match, where `includetotal` is true.")
_BY_RANGE = frozenset({"DA", "TM", "DT"})


def describe_search(place: Place, level: Level, *, name: str) -> Description:
    """Return what a search for studies, series or instances does."""
    is_azure = place.dialect.is_azure
    headers = (VARY, ENCODING, WARNING) if is_azure else (VARY, ENCODING, WARNING, _TOTAL)
    return Description(
        name=name,
        group="Search",
        summary=f"Search for {_plural(level)}{_within(place)}",
        source="PS3.18 10.6, QIDO-RS",
        text=_AZURE_TEXT if is_azure else _STANDARD_TEXT,
        parameters=(
            *scalar_parameters(place.dialect),
            *_attribute_parameters(place, level),
            *((EXTERNAL_METADATA,) if place.dialect is Dialect.AZURE_V2 else ()),
            ACCEPT,
        ),
        answers=(
            Answer(200, "What matches.", {DICOM_JSON: DATASETS}, headers),
            Answer(204, "Nothing matches.", headers=headers),
            *failures(406),
        ),
    )


_STANDARD_TEXT = (
    "Every attribute can be matched, by keyword, by tag or, in sequences, by a dotted path of either; those listed are "
    "in the index. `*` and `?` are wildcards, `-` makes ranges of dates and times, `\\` and `,` lists. What cannot be "
    "matched at this level is passed over and named in `Warning`."
)
_AZURE_TEXT = (
    "Attributes are named by keyword or tag, each once, and match exactly; dates and times match by range too. What is "
    "not listed is refused, but for extended query tags that are ready."
)


def scalar_parameters(dialect: Dialect) -> Sequence[Parameter]:
    """Return the parameters of a search that are no attributes."""
    return (
        *(Parameter(name, _TEXTS[name], _scalar(name, dialect)) for name in qido.scalar_names(dialect)),
        _INCLUDE_FIELD,
    )


def _scalar(name: str, dialect: Dialect) -> Schema:
    match name:
        case "limit":
            default, most = (
                (qido.AZURE_LIMIT_DEFAULT, qido.AZURE_LIMIT_MAX)
                if dialect.is_azure
                else (qido.STANDARD_LIMIT_MAX, qido.OFFSET_MAX)
            )
            return {"type": "integer", "minimum": 1, "maximum": most, "default": default}
        case "offset":
            return {"type": "integer", "minimum": 0, "maximum": qido.OFFSET_MAX, "default": 0}
        case _:
            return {**FLAG, "default": False}


def searchable_attributes(place: Place, level: Level) -> Sequence[IndexedAttribute]:
    """Return the attributes of the index that a search at a place matches."""
    if place.dialect.is_azure:
        return qido_azure.searchable_at(_scope(place, level))
    return [attribute for attribute in MATCHABLE.values() if attribute.level <= level]


def _attribute_parameters(place: Place, level: Level) -> list[Parameter]:
    return [
        Parameter(attribute.keyword, _attribute_text(attribute), TEXT)
        for attribute in searchable_attributes(place, level)
    ]


def _attribute_text(attribute: IndexedAttribute) -> str:
    example = ", by value or range" if attribute.vr in _BY_RANGE else ""
    return f"({attribute.tag >> 16:04X},{attribute.tag & 0xFFFF:04X}) {attribute.vr}{example}."


def _scope(place: Place, level: Level) -> Query:
    return Query(
        level,
        study_instance_uid="1" if "{study}" in place.pattern else None,
        series_instance_uid="1" if "{series}" in place.pattern else None,
    )


def _within(place: Place) -> str:
    if place.level is None:
        return ""
    return f" of a {place.level.name.lower()}"


def _plural(level: Level) -> str:
    return "series" if level is Level.SERIES else f"{level.name.lower()}s".replace("studys", "studies")
