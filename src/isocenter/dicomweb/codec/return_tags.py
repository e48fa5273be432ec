"""Which attributes come back from a search (PS3.18 10.6.3.3, dicom-service 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import SearchRequest
from isocenter.dicomweb.codec.qido_azure import SEARCHABLE
from isocenter.domain.attributes import BY_TAG, COMPUTED_TAGS, INDEXED_ATTRIBUTES
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Query

SPECIFIC_CHARACTER_SET = 0x00080005
INSTANCE_AVAILABILITY = 0x00080056
RETRIEVE_URL = 0x00081190
SYNTHETIC_TAGS = frozenset({SPECIFIC_CHARACTER_SET, INSTANCE_AVAILABILITY, RETRIEVE_URL})
"""Attributes that describe the answer, not the instance: the service makes their values."""

_STUDY_INSTANCE_UID = 0x0020000D
_SERIES_INSTANCE_UID = 0x0020000E


def _tags(text: str) -> frozenset[int]:
    return frozenset(int(tag, 16) for tag in text.split())


_STANDARD = {
    Level.STUDY: _tags(
        "00080020 00080030 00080050 00080056 00080061 00080090 00080201 00081030 00081190 00100010 00100020 00100030 "
        "00100040 0020000D 00200010 00201206 00201208"
    ),
    Level.SERIES: _tags(
        "00080021 00080031 00080060 0008103E 00081090 00081190 00180015 0020000E 00200011 00201209 00400244 00400245"
    ),
    Level.INSTANCE: _tags("00080016 00080018 00080056 00081190 00200013 00280008 00280010 00280011 00280100"),
}
"""PS3.18 tables 10.6.3-3 to 10.6.3-5, with the descriptions that study lists show; all of it is in the index."""

_AZURE_V2 = {
    Level.STUDY: _tags("0020000D 00080020 00081030 00080050 00080090 00100010 00100020 00100030"),
    Level.SERIES: _tags("0020000E 00080060 00400244 00081090"),
    Level.INSTANCE: _tags("00080018"),
}
_AZURE_V1 = {
    Level.STUDY: _tags(
        "00080005 00080020 00080030 00080050 00080056 00080090 00080201 00100010 00100020 00100030 00100040 0020000D "
        "00200010"
    ),
    Level.SERIES: _tags("00080005 00080060 00080201 0008103E 0020000E 00400244 00400245 00400275"),
    Level.INSTANCE: _tags("00080005 00080016 00080018 00080056 00080201 00200013 00280010 00280011 00280100 00280008"),
}
_AZURE_ALL = {
    Level.STUDY: _AZURE_V1[Level.STUDY]
    | _tags("00081030 00080063 00081032 00081060 00081080 00081110 00101010 00101020 00101030 00102180 001021B0"),
    Level.SERIES: _AZURE_V1[Level.SERIES] | _tags("00081090 00200011 00200060 00080021 00080031"),
    Level.INSTANCE: _AZURE_V1[Level.INSTANCE],
}
_STANDARD_ALL = {
    level: _STANDARD[level]
    | _AZURE_ALL[level]
    | {attribute.tag for attribute in INDEXED_ATTRIBUTES if attribute.level is level}
    | {tag for tag, (_, _, computed_level) in COMPUTED_TAGS.items() if computed_level is level}
    for level in (Level.STUDY, Level.SERIES, Level.INSTANCE)
}
_DEFAULTS = {Dialect.STANDARD: _STANDARD, Dialect.AZURE_V1: _AZURE_V1, Dialect.AZURE_V2: _AZURE_V2}


def default_tags(dialect: Dialect) -> Mapping[Level, frozenset[int]]:
    """Return the tags that come by default, by level."""
    return _DEFAULTS[dialect]


def tags_in_all(dialect: Dialect) -> Mapping[Level, frozenset[int]]:
    """Return the tags that `includefield=all` stands for, by level."""
    return _AZURE_ALL if dialect.is_azure else _STANDARD_ALL


def return_tags(request: SearchRequest, dialect: Dialect) -> tuple[int, ...]:
    """Return the tags of the attributes that answer a search, ascending."""
    query = request.query
    table = tags_in_all(dialect) if request.include.is_all else default_tags(dialect)
    tags: set[int] = set(request.matched_tags).union(request.include.tags, _route_tags(query))
    for level in _levels(query):
        tags |= table[level]
    return tuple(sorted(tag for tag in tags if _is_answered(tag, query, dialect)))


def tags_beyond_index(tags: Iterable[int], dialect: Dialect, level: Level) -> tuple[int, ...]:
    """Return those of the tags whose values are taken from the header of the newest instance of a row of a level.

    By the standard these are the ones that the index does not keep. Azure's service takes every value from there as
    soon as one of them is not among the few that it keeps itself (dicom-service 4.4): attributes that are empty show
    then, and those of lower levels are to be had.
    """
    if not dialect.is_azure:
        return tuple(tag for tag in tags if not (tag in BY_TAG or tag in COMPUTED_TAGS or tag in SYNTHETIC_TAGS))
    kept = tuple(tag for tag in tags if tag not in COMPUTED_TAGS)
    is_in_index = all(tag in SEARCHABLE and SEARCHABLE[tag].level <= level for tag in kept)
    return () if is_in_index else kept


def _levels(query: Query) -> list[Level]:
    """Return the levels of which a resource tells: its own and those above that the route leaves open."""
    highest = Level.STUDY
    if query.study_instance_uid is not None:
        highest = Level.SERIES if query.series_instance_uid is None else Level.INSTANCE
    return [level for level in (Level.STUDY, Level.SERIES, Level.INSTANCE) if highest <= level <= query.level]


def _route_tags(query: Query) -> set[int]:
    tags = set()
    if query.study_instance_uid is not None:
        tags.add(_STUDY_INSTANCE_UID)
    if query.series_instance_uid is not None:
        tags.add(_SERIES_INSTANCE_UID)
    return tags


def _is_answered(tag: int, query: Query, dialect: Dialect) -> bool:
    """Tell whether a computed attribute has a value at this level.

    Azure computes it only where the rows are of the attribute's own level; the standard's dialect wherever it is asked.
    """
    if tag not in COMPUTED_TAGS:
        return dialect.is_azure or tag not in BY_TAG or BY_TAG[tag].level <= query.level
    level = COMPUTED_TAGS[tag][2]
    return level is query.level if dialect.is_azure else level <= query.level
