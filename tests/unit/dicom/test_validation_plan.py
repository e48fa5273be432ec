"""A plan says where the values of each VR lie, and which item they are in."""

from __future__ import annotations

from struct import pack

import pytest

from isocenter.dicom import validation_plan
from isocenter.dicom.part10 import open_file
from isocenter.dicom.validation_plan import iter_plans, plan_of
from isocenter.dicom.walk import Element, walk_dataset
from isocenter.domain.errors import LimitExceeded
from tests.support.dicom_files import ITEM, element, file_of, header, implicit_element

NESTED = element(0x00400007, "LO", b"step")
ITEMS = implicit_element(ITEM, b"") + implicit_element(ITEM, NESTED)
DATASET = b"".join(
    [
        element(0x00080060, "CS", b"CT"),
        element(0x00100010, "PN", b""),
        element(0x00280010, "US", pack("<H", 5)),
        header(0x00400275, "SQ", len(ITEMS)) + ITEMS,
        element(0x00420011, "OB", b"\1\2"),
    ]
)


def _elements(dataset: bytes) -> tuple[bytes, list[Element]]:
    content = file_of(dataset)
    opened = open_file(content)
    walked = walk_dataset(content, opened.dataset_offset, len(content), encoding=opened.encoding)
    return content, walked.elements


def test_values_are_found_by_vr_with_the_item_that_they_are_in() -> None:
    content, elements = _elements(DATASET)
    found = {
        (group.vr, tag, place.path if place else "", content[one])
        for group in plan_of(elements).groups
        for one, tag, place in zip(group.slices, group.tags, group.places, strict=True)
    }
    assert found == {
        ("CS", 0x00080060, "", b"CT"),
        ("LO", 0x00400007, "00400275/1/", b"step"),
    }


@pytest.mark.parametrize(("vr", "value"), [("US", b"\0"), ("FD", bytes(12)), ("UL", bytes(6))])
def test_a_number_whose_length_fits_none_is_a_flaw_of_the_structure(vr: str, value: bytes) -> None:
    _, elements = _elements(element(0x00280010, vr, value))
    [flaw] = plan_of(elements).flaws
    assert (flaw.path, flaw.is_nested) == ("00280010", False)


def test_text_longer_than_anything_is_a_flaw_where_its_vr_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_plan, "VALUE_LENGTH_MAX", 10)
    _, elements = _elements(element(0x00081030, "LO", bytes(11)) + element(0x0040A160, "UT", bytes(11)))
    plan = plan_of(elements)
    assert [flaw.tag for flaw in plan.flaws] == [0x00081030]
    assert not plan.groups


def test_parts_of_a_plan_are_together_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_plan, "PART_BYTES", 1000)
    many = b"".join(element(0x00090010 + number, "LO", b"some text") for number in range(100))
    _, elements = _elements(many)
    parts = list(iter_plans(elements))
    assert len(parts) > 10
    assert [tag for part in parts for group in part.groups for tag in group.tags] == [
        tag for group in plan_of(elements).groups for tag in group.tags
    ]


def test_more_flaws_than_can_be_named_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_plan, "FLAWS_MAX", 3)
    _, elements = _elements(b"".join(element(0x00280010 + number, "US", b"x") for number in range(4)))
    with pytest.raises(LimitExceeded):
        plan_of(elements)
