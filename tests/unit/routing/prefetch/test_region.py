from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.prefetch.region import Region, are_neighbours, regions_of


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("PORT CHEST", {Region.CHEST}),
        ("CT THORAX/ABDOMEN", {Region.CHEST, Region.ABDOMEN}),
        ("Schädel nativ", {Region.HEAD}),
        ("MR C-SPINE", {Region.SPINE}),
        ("cervical spine", {Region.SPINE}),
        ("UPPER_EXTREMITY", {Region.ARM}),
        ("whole body", {Region.WHOLE_BODY}),
        ("chestnut", set()),
        ("", set()),
    ],
)
def test_words_speak_of_regions(text: str, regions: set[Region]) -> None:
    assert regions_of(text) == regions


def test_words_of_the_house_go_before_the_table() -> None:
    assert regions_of("RAD 0815 chest", synonyms=[("RAD 0815", "leg")]) == {Region.LEG, Region.CHEST}
    assert regions_of("neck of femur", synonyms=[("neck of femur", "leg")]) == {Region.LEG}


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        (Region.CHEST, Region.ABDOMEN, True),
        (Region.ABDOMEN, Region.CHEST, True),
        (Region.HEAD, Region.LEG, False),
        (Region.CHEST, Region.CHEST, False),
    ],
)
def test_some_regions_are_neighbours(one: Region, other: Region, are: bool) -> None:
    assert are_neighbours([one], [other]) is are


@given(st.text(max_size=80))
def test_any_text_speaks_of_regions_or_of_none(text: str) -> None:
    assert regions_of(text) <= frozenset(Region)
