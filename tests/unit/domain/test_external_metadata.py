"""Which tags external metadata may have, and that each keeps its VR."""

from __future__ import annotations

import pytest

from isocenter.domain import external_metadata
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.external_metadata import (
    VRS,
    ExternalValue,
    comparable,
    comparing_vr,
    creator_tag,
    is_external_tag,
    new_tags,
)
from isocenter.domain.query_tag import KINDS_BY_VR


@pytest.mark.parametrize("tag", [0x00191000, 0x001912FF, 0x7FE1FFFF, 0x00091001])
def test_private_data_elements_may_be_external(tag: int) -> None:
    assert is_external_tag(tag)


@pytest.mark.parametrize("tag", [0x00100010, 0x00080018, 0x00190010, 0x001900FF, 0x00190FFF, 0x00011000, 0xFFFF1000])
def test_standard_elements_and_those_that_reserve_blocks_may_not(tag: int) -> None:
    assert not is_external_tag(tag)


def test_a_block_is_reserved_by_the_element_of_its_number() -> None:
    assert creator_tag(0x001910AB) == 0x00190010
    assert creator_tag(0x7FE1FFFF) == 0x7FE100FF


def test_every_vr_can_be_compared() -> None:
    assert all(comparing_vr(vr) in KINDS_BY_VR for vr in VRS)
    assert comparable(ExternalValue(0x00191000, "DS", "1.50")) == comparable(ExternalValue(0x00191000, "DS", "1.5"))
    assert comparable(ExternalValue(0x00191000, "IS", "x")) is None


def test_a_tag_keeps_its_vr() -> None:
    one, other = ExternalValue(0x00191000, "CS", "A"), ExternalValue(0x00191000, "LO", "A")
    assert new_tags({}, [one]) == {0x00191000: "CS"}
    assert new_tags({0x00191000: "CS"}, [one]) == {}
    for known, values in (({0x00191000: "CS"}, [other]), ({}, [one, other])):
        with pytest.raises(InvalidRequest, match="00191000 is of VR CS, not LO"):
            new_tags(known, values)


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_metadata, "TAGS_MAX", 2)
    values = [ExternalValue(0x00191000 + number, "CS", "A") for number in range(2)]
    assert len(new_tags({}, values)) == 2
    with pytest.raises(InvalidRequest, match="at most 2"):
        new_tags({0x00111000: "CS"}, values)
