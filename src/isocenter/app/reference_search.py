"""Sections of the DICOMweb conformance statement about searches: what is matched, and what is returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from isocenter.dicom.dictionary import dictionary_vr, keyword_of
from isocenter.dicomweb.codec import qido
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi import search, workitems
from isocenter.dicomweb.codec.openapi.description import Place
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.codec.return_tags import default_tags, tags_in_all
from isocenter.dicomweb.codec.workitem_json import RETURNED
from isocenter.dicomweb.server.routes import described_under
from isocenter.domain.identifiers import Level

_LEVELS = (Level.STUDY, Level.SERIES, Level.INSTANCE)
_DIALECTS: Mapping[Dialect, str] = {Dialect.AZURE_V1: "v1", Dialect.AZURE_V2: "v2", Dialect.STANDARD: "standard"}


def search_sections() -> list[str]:
    """Return the sections."""
    return [_limits(), _matched(), _returned(), _workitems()]


def _limits() -> str:
    return f"""
## Search

| | Azure's rules | the standard's |
|---|---|---|
| rows by default | {qido.AZURE_LIMIT_DEFAULT} | {qido.STANDARD_LIMIT_MAX:,} |
| rows at most | {qido.AZURE_LIMIT_MAX} | {qido.STANDARD_LIMIT_MAX:,}, with a `Warning` where there are more |
| parameters beside attributes | {_scalars(Dialect.AZURE_V2)} | {_scalars(Dialect.STANDARD)} |
| matching | exact, ranges, words of names where `fuzzymatching` says so | every kind of PS3.4 C.2.2.2 |
| attribute that cannot be matched | refused | passed over, with a `Warning` |
| repeated attribute | refused | UID, code and integer lists are joined, others refused |
| order | newest first | newest first |
"""


def _scalars(dialect: Dialect) -> str:
    return ", ".join(f"`{parameter.name}`" for parameter in search.scalar_parameters(dialect))


def _matched() -> str:
    return f"""
### Attributes that are matched, by Azure's rules

Beside them, extended query tags of a resource's levels that are ready and enabled.

{_matched_table("/v2")}

### Attributes that are matched from the index, by the standard's rules

Every other attribute of a level can be matched too, in sequences by dotted paths; it is read from the headers of the
instances, which takes longer.

{_matched_table("/dicom-web")}
"""


def _matched_table(root: str) -> str:
    routes = [route for route in described_under(root) if route.description.group == "Search"]
    matched = {route.place.pattern: _tags_matched(route) for route in routes}
    tags = dict.fromkeys(tag for tags in matched.values() for tag in tags)
    rows = [
        [_named(tag), *("x" if tag in matched[route.place.pattern] else "" for route in routes)] for tag in sorted(tags)
    ]
    return _table(["attribute", *(f"`{route.place.pattern}`" for route in routes)], rows)


def _tags_matched(route: DescribedRoute) -> frozenset[int]:
    level = next(level for level in _LEVELS if route.place.pattern.endswith(_collection(level)))
    return frozenset(attribute.tag for attribute in search.searchable_attributes(route.place, level))


def _collection(level: Level) -> str:
    return {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}[level]


def _returned() -> str:
    tables = [
        f"### Attributes of a {level.name.lower()} that are returned\n\n{_returned_table(level)}" for level in _LEVELS
    ]
    return f"""
`x` comes by default, `all` where `includefield=all` asks for it. A row also has the UIDs of the path, the attributes
that were matched, and those that `includefield` names; series have the attributes of their study where the path names
none, instances those of study and series.

{chr(10).join(f"{table}{chr(10)}" for table in tables)}
"""


def _returned_table(level: Level) -> str:
    tags: set[int] = set()
    for dialect in _DIALECTS:
        tags |= tags_in_all(dialect)[level] | default_tags(dialect)[level]
    rows = [[_named(tag), *(_when(tag, dialect, level) for dialect in _DIALECTS)] for tag in sorted(tags)]
    return _table(["attribute", *_DIALECTS.values()], rows)


def _when(tag: int, dialect: Dialect, level: Level) -> str:
    if tag in default_tags(dialect)[level]:
        return "x"
    return "all" if tag in tags_in_all(dialect)[level] else ""


def _workitems() -> str:
    offered = {dialect: workitems.searchable_attributes(dialect) for dialect in (Dialect.AZURE_V2, Dialect.STANDARD)}
    paths = dict.fromkeys(attribute for attributes in offered.values() for attribute in attributes)
    rows = [
        [f"`{one.keyword}`", one.vr, *("x" if one in offered[dialect] else "" for dialect in offered)]
        for one in sorted(paths, key=lambda one: one.keyword)
    ]
    place = Place("GET", "workitems", Dialect.STANDARD)
    returned = ", ".join(_named(tag) for tag in sorted(RETURNED))
    return f"""
## Workitems

{workitems.describe_search(place).text}

{_table(["attribute that is matched", "VR", "Azure's rules", "the standard's"], rows)}

A search returns what was matched, what `includefield` names, and these: {returned}.
"""


def _named(tag: int) -> str:
    """Return an attribute by keyword, tag and VR."""
    keyword = keyword_of(tag)
    return f"{keyword or 'private'} ({tag >> 16:04X},{tag & 0xFFFF:04X}) {dictionary_vr(tag)}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
