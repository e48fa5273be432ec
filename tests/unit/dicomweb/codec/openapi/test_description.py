from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Answer, Body, Description, Place
from isocenter.dicomweb.codec.openapi.schemas import TEXT
from isocenter.domain.identifiers import Level


@pytest.mark.parametrize(
    ("pattern", "level"),
    [
        ("studies", None),
        ("studies/{study}", Level.STUDY),
        ("studies/{study}/series", Level.STUDY),
        ("studies/{study}/series/{series}/metadata", Level.SERIES),
        ("studies/{study}/series/{series}/instances/{instance}/frames/{frames}", Level.INSTANCE),
        ("workitems/{workitem}", None),
    ],
)
def test_a_place_is_at_the_lowest_level_that_its_pattern_names(pattern: str, level: Level | None) -> None:
    assert Place("GET", pattern, Dialect.STANDARD).level is level


def test_what_is_given_is_given_where_all_is_well_and_named_once() -> None:
    answers = (
        Answer(200, "Whole.", {"a/b": TEXT}),
        Answer(206, "In part.", {"a/b": TEXT, "c/d": TEXT}),
        Answer(404, "Not.", {"text/plain": TEXT}),
    )
    described = Description("N", "G", "S", "PS3.18", answers, body=Body({"e/f": TEXT}))
    assert (described.gives, described.takes) == (("a/b", "c/d"), ("e/f",))
