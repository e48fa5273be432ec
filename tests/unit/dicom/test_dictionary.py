"""The dictionary says what pydicom's says."""

from __future__ import annotations

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from isocenter.dicom.dictionary import dictionary_vr, keyword_of, resolve_vr, sequence_tags, tag_of, uid_name


def test_every_tag_of_the_standard_has_the_vr_and_keyword_of_pydicom() -> None:
    for tag in DicomDictionary:
        vr = dictionary_VR(tag)
        assert dictionary_vr(tag) == ("UN" if vr == "NONE" else "UL" if not tag & 0xFFFF else vr)
        assert (keyword_of(tag) or "") == keyword_for_tag(tag)
        assert (tag in sequence_tags()) == (vr == "SQ")


def test_every_keyword_of_the_standard_has_the_tag_of_pydicom() -> None:
    keywords = {entry[4] for entry in DicomDictionary.values() if entry[4]}
    assert {keyword: tag_of(keyword) for keyword in keywords} == {
        keyword: tag_for_keyword(keyword) for keyword in keywords
    }
    assert tag_of("NoSuchKeyword") is None


@pytest.mark.parametrize(
    "pattern", [pattern for pattern in RepeatersDictionary if pattern[:4] in {"50xx", "60xx", "0020"}]
)
@pytest.mark.parametrize("number", ["00", "02", "1E"])
def test_repeating_groups_are_known(pattern: str, number: str) -> None:
    tag = int(pattern.replace("xx", number), 16)
    assert dictionary_vr(tag) == RepeatersDictionary[pattern][0]
    assert keyword_of(tag) == RepeatersDictionary[pattern][4]


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00090010, "LO"),
        (0x000900FF, "LO"),
        (0x00091001, "UN"),
        (0x00090000, "UL"),
        (0x00100000, "UL"),
        (0x00100001, "UN"),
    ],
)
def test_vr_of_tags_that_the_standard_does_not_list(tag: int, vr: str) -> None:
    assert dictionary_vr(tag) == vr


@pytest.mark.parametrize(
    ("tag", "vr", "representation", "entries", "expected"),
    [
        (0x00280106, "US or SS", 0, 0, "US"),
        (0x00280106, "US or SS", 1, 0, "SS"),
        (0x00283006, "US or OW", 0, 1, "US"),
        (0x00283006, "US or OW", 0, 256, "OW"),
        (0x7FE00010, "OB or OW", 0, 0, "OW"),
        (0x00281200, "US or SS or OW", 0, 0, "OW"),
        (0x00100010, "PN", 1, 1, "PN"),
    ],
)
def test_ambiguous_vr_is_resolved(tag: int, vr: str, representation: int, entries: int, expected: str) -> None:
    assert resolve_vr(tag, vr, pixel_representation=representation, lut_entries=entries) == expected


def test_uids_of_the_standard_have_names_and_others_none() -> None:
    assert uid_name("1.2.840.10008.5.1.4.1.1.2") == "CT Image Storage"
    assert uid_name("1.2.3.4") is None
