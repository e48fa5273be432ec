"""dicom-service 4.4 and PS3.18 10.6.3.3."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import parse_search
from isocenter.dicomweb.codec.return_tags import return_tags, tags_beyond_index
from isocenter.domain.identifiers import Level

STUDY = "00080020 00080050 00080090 00081030 00100010 00100020 00100030 0020000D"
SERIES = "00080060 00081090 0020000E 00400244"
INSTANCE = "00080018"


def tags(
    dialect: Dialect, level: Level, query_string: str = "", *, study: str | None = None, series: str | None = None
) -> list[str]:
    request = parse_search(query_string, dialect, level=level, study_instance_uid=study, series_instance_uid=series)
    return [f"{tag:08X}" for tag in return_tags(request, dialect)]


@pytest.mark.parametrize(
    ("level", "study", "series", "expected"),
    [
        (Level.STUDY, None, None, STUDY),
        (Level.SERIES, None, None, f"{STUDY} {SERIES}"),
        (Level.INSTANCE, None, None, f"{STUDY} {SERIES} {INSTANCE}"),
        (Level.SERIES, "1", None, f"{SERIES} 0020000D"),
        (Level.INSTANCE, "1", None, f"{SERIES} {INSTANCE} 0020000D"),
        (Level.INSTANCE, "1", "2", f"{INSTANCE} 0020000D 0020000E"),
    ],
)
def test_azure_v2_returns_the_short_list_of_the_levels_that_the_route_leaves_open(
    level: Level, study: str | None, series: str | None, expected: str
) -> None:
    assert tags(Dialect.AZURE_V2, level, study=study, series=series) == sorted(expected.split())


def test_azure_v1_returns_the_long_list() -> None:
    expected = (
        "00080005 00080020 00080030 00080050 00080056 00080090 00080201 00100010 00100020 00100030 00100040 "
        "0020000D 00200010"
    )
    assert tags(Dialect.AZURE_V1, Level.STUDY) == expected.split()


def test_azure_all_adds_to_the_long_list_in_both_versions() -> None:
    found = tags(Dialect.AZURE_V2, Level.STUDY, "includefield=all")
    assert found == tags(Dialect.AZURE_V1, Level.STUDY, "includefield=all")
    added = "00080063 00081030 00081032 00081060 00081080 00081110 00101010 00101020 00101030 00102180 001021B0"
    assert " ".join(sorted(set(found) - set(tags(Dialect.AZURE_V1, Level.STUDY)))) == added


def test_what_is_matched_and_what_is_included_comes_back() -> None:
    found = tags(Dialect.AZURE_V2, Level.STUDY, "ModalitiesInStudy=CT&includefield=00091001,PatientAge")
    assert sorted({*STUDY.split(), "00080061", "00091001", "00101010"}) == found


@pytest.mark.parametrize(
    ("level", "keyword", "is_answered"),
    [
        (Level.STUDY, "NumberOfStudyRelatedInstances", True),
        (Level.SERIES, "NumberOfStudyRelatedInstances", False),
        (Level.SERIES, "NumberOfSeriesRelatedInstances", True),
        (Level.STUDY, "NumberOfSeriesRelatedInstances", False),
        (Level.INSTANCE, "ModalitiesInStudy", False),
    ],
)
def test_azure_computes_an_attribute_only_at_its_own_level(level: Level, keyword: str, is_answered: bool) -> None:
    with_it = tags(Dialect.AZURE_V2, level, f"includefield={keyword}")
    assert (with_it != tags(Dialect.AZURE_V2, level)) is is_answered


@pytest.mark.parametrize(
    ("level", "required"),
    [
        (
            Level.STUDY,
            "00080020 00080030 00080050 00080056 00080061 00080090 00080201 00081190 00100010 00100020 00100030 "
            "00100040 0020000D 00200010 00201206 00201208",
        ),
        (Level.SERIES, "00080060 0008103E 00081190 0020000E 00200011 00201209 00400244 00400245"),
        (Level.INSTANCE, "00080016 00080018 00080056 00081190 00200013 00280008 00280010 00280011 00280100"),
    ],
)
def test_the_standard_returns_what_it_requires_from_the_index_alone(level: Level, required: str) -> None:
    request = parse_search("", Dialect.STANDARD, level=level)
    found = return_tags(request, Dialect.STANDARD)
    assert {int(tag, 16) for tag in required.split()} <= set(found)
    assert tags_beyond_index(found, Dialect.STANDARD, level) == ()


def test_the_standard_tells_of_the_levels_above_and_not_of_those_below() -> None:
    assert set(tags(Dialect.STANDARD, Level.STUDY)) <= set(tags(Dialect.STANDARD, Level.SERIES))
    assert "00080060" not in tags(Dialect.STANDARD, Level.STUDY, "includefield=Modality")


def test_the_header_is_asked_only_for_what_the_index_does_not_keep() -> None:
    request = parse_search("includefield=PatientAge,StudyDate,00080005", Dialect.STANDARD, level=Level.STUDY)
    assert tags_beyond_index(return_tags(request, Dialect.STANDARD), Dialect.STANDARD, Level.STUDY) == (0x00101010,)


def _beyond(dialect: Dialect, level: Level, query_string: str = "") -> list[str]:
    request = parse_search(query_string, dialect, level=level)
    return [f"{tag:08X}" for tag in tags_beyond_index(return_tags(request, dialect), dialect, level)]


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_azure_answers_from_its_index_where_that_has_everything(level: Level) -> None:
    assert _beyond(Dialect.AZURE_V2, level) == []
    assert _beyond(Dialect.AZURE_V2, level, "ModalitiesInStudy=CT&includefield=NumberOfStudyRelatedInstances") == []


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_azure_answers_from_the_newest_instance_where_its_index_lacks_one(level: Level) -> None:
    assert _beyond(Dialect.AZURE_V1, level) == tags(Dialect.AZURE_V1, level)
    with_age = _beyond(Dialect.AZURE_V2, level, "ModalitiesInStudy=CT&includefield=PatientAge")
    assert with_age == sorted([*tags(Dialect.AZURE_V2, level), "00101010"])


def test_azure_has_attributes_of_lower_levels_on_request() -> None:
    assert "00080060" in _beyond(Dialect.AZURE_V2, Level.STUDY, "includefield=Modality")
    assert _beyond(Dialect.AZURE_V2, Level.SERIES, "includefield=Modality") == []
