from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Place
from isocenter.dicomweb.codec.openapi.search import describe_search, searchable_attributes
from isocenter.dicomweb.codec.qido import parse_search, scalar_names
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level

STUDY = "studies/{study}"
RESOURCES = [
    ("studies", Level.STUDY),
    ("series", Level.SERIES),
    ("instances", Level.INSTANCE),
    (f"{STUDY}/series", Level.SERIES),
    (f"{STUDY}/instances", Level.INSTANCE),
    (f"{STUDY}/series/{{series}}/instances", Level.INSTANCE),
]
VALUES = {"DA": "20260101", "TM": "1200", "UI": "1.2", "IS": "1", "US": "1"}
"""A value of each VR that does not take any text."""


def _names(dialect: Dialect, pattern: str, level: Level) -> list[str]:
    place = Place("GET", pattern, dialect)
    return [parameter.name for parameter in describe_search(place, level, name="Search").parameters]


@pytest.mark.parametrize("dialect", Dialect)
def test_every_parameter_of_the_parser_is_described_once(dialect: Dialect) -> None:
    names = _names(dialect, "studies", Level.STUDY)
    assert {*scalar_names(dialect), "includefield", "accept"} <= set(names)
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("pattern", "level"), RESOURCES)
def test_the_parser_takes_every_attribute_that_is_described(dialect: Dialect, pattern: str, level: Level) -> None:
    place = Place("GET", pattern, dialect)
    for attribute in searchable_attributes(place, level):
        found = parse_search(
            f"{attribute.keyword}={VALUES.get(attribute.vr, 'X')}",
            dialect,
            level=level,
            study_instance_uid="1" if "{study}" in pattern else None,
            series_instance_uid="2" if "{series}" in pattern else None,
        )
        assert (found.matched_tags, found.warnings) == ((attribute.tag,), ())


@pytest.mark.parametrize(
    ("pattern", "level", "keyword"),
    [("studies", Level.STUDY, "Modality"), (f"{STUDY}/series", Level.SERIES, "PatientID")],
)
def test_what_azure_refuses_is_not_described(pattern: str, level: Level, keyword: str) -> None:
    assert keyword not in _names(Dialect.AZURE_V2, pattern, level)
    with pytest.raises(InvalidRequest, match="not queryable"):
        parse_search(
            f"{keyword}=X",
            Dialect.AZURE_V2,
            level=level,
            study_instance_uid="1" if "{study}" in pattern else None,
        )
