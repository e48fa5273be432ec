"""Search and delete by the catalogue of Azure's DICOM service, and the calls of its Postman collection.

dicom-service 15.4, 15.5 (DeleteTests), appendix A.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.catalogue import Instance, instance, new_uid, store, store_single
from tests.support.dicom_files import ITEM, element, implicit_element
from tests.support.dicomweb import JSON, client, delete, get
from tests.support.processes import Node, serve
from tests.support.shared_data import manifest_rows, read_bytes

ANY_DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
HINT = (
    "If the parameter is an attribute keyword, check the casing as they are case-sensitive. The conformance statement "
    "has a list of supported query parameters, attributes and the levels."
)
V2_STUDY = {"0020000D", "00080020", "00081030", "00080050", "00080090", "00100010", "00100020", "00100030"}
V2_SERIES = {"0020000E", "00080060", "00400244", "00081090"}
V2_INSTANCE = {"00080018"}


@pytest.fixture(params=["v1", "v2"])
def root(node: Node, request: pytest.FixtureRequest) -> str:
    """Return the address of each version in turn."""
    return f"{node.base_url}/{request.param}"


@pytest.fixture
def v2(node: Node) -> str:
    """Return the address of version 2."""
    return f"{node.base_url}/v2"


def _stored(root: str, *instances: Instance) -> Instance:
    answer = store(root, *(one.content for one in instances))
    assert "00081198" not in answer.json(), answer.text
    return instances[0]


def _rows(url: str) -> list[dict[str, Any]]:
    answer = get(url, JSON)
    assert answer.status_code in (httpx.codes.OK, httpx.codes.NO_CONTENT), answer.text
    found: list[dict[str, Any]] = answer.json() if answer.status_code == httpx.codes.OK else []
    return found


def _values(rows: list[dict[str, Any]], tag: str) -> list[Any]:
    return [row[tag]["Value"][0] for row in rows]


def _refusal(root: str, query: str) -> str:
    answer = get(f"{root}/{query}", JSON)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


# 15.4


def test_a_study_is_not_found_by_modality(root: str) -> None:
    assert _refusal(root, "studies?Modality=CT") == f"Invalid query: AttributeId Modality is not queryable.  {HINT}"


def test_nothing_that_fits(root: str) -> None:
    answer = get(f"{root}/studies?StudyInstanceUID={new_uid()}", JSON)
    assert (answer.status_code, answer.content) == (httpx.codes.NO_CONTENT, b"")


def _mixed_study(root: str) -> Instance:
    study, ct = new_uid(), new_uid()
    return _stored(
        root,
        instance(study=study, series=ct),
        instance(study=study, series=ct),
        instance(study=study, Modality="MR"),
    )


def test_modalities_in_study(root: str) -> None:
    one = _mixed_study(root)
    query = f"studies?ModalitiesInStudy=CT&StudyInstanceUID={one.study}"
    [row] = _rows(f"{root}/{query}&includefield=NumberOfStudyRelatedInstances")
    assert row["00080061"] == {"vr": "CS", "Value": ["CT", "MR"]}
    assert row["00201208"] == {"vr": "IS", "Value": [3]}
    assert not _rows(f"{root}/studies?ModalitiesInStudy=PT&StudyInstanceUID={one.study}")
    [bare] = _rows(f"{root}/studies?StudyInstanceUID={one.study}")
    assert not {"00080061", "00201208"} & bare.keys()


def test_instances_of_a_series_are_counted(root: str) -> None:
    one = _mixed_study(root)
    query = f"series?Modality=CT&StudyInstanceUID={one.study}&includefield=NumberOfSeriesRelatedInstances"
    [row] = _rows(f"{root}/{query}")
    assert row["00201209"] == {"vr": "IS", "Value": [2]}


def test_a_name_without_its_accents(root: str) -> None:
    family = f"Tá{new_uid()[-12:]}"
    one = _stored(root, instance(PatientName=f"{family}^Zoë", SpecificCharacterSet="ISO_IR 192"))
    for name in (f"{family}^Zoë", f"{family.replace('á', 'a').upper()}^zoe"):
        [row] = _rows(f"{root}/studies?PatientName={name}")
        assert row["0020000D"]["Value"] == [one.study]
        assert row["00100010"]["Value"] == [{"Alphabetic": f"{family}^Zoë"}]


def test_series_of_a_study_name_the_study(root: str) -> None:
    one = _mixed_study(root)
    rows = _rows(f"{root}/{one.study_path}/series")
    assert len(rows) == 2
    assert set(_values(rows, "0020000D")) == {one.study}


def test_instances_by_every_route(root: str) -> None:
    one = _mixed_study(root)
    of_study = _rows(f"{root}/{one.study_path}/instances?Modality=MR")
    assert (len(of_study), _values(of_study, "0020000D")) == (1, [one.study])
    [of_series] = _rows(f"{root}/{one.series_path}/instances?SOPInstanceUID={one.sop}")
    assert (of_series["0020000D"]["Value"], of_series["0020000E"]["Value"]) == ([one.study], [one.series])
    assert len(_rows(f"{root}/instances?Modality=CT&StudyInstanceUID={one.study}")) == 2


def test_a_word_in_the_middle_of_a_name(root: str) -> None:
    mark = new_uid()[-12:]
    one = _stored(root, instance(PatientName=f"John^M{mark}^Doe", ReferringPhysicianName=f"Jane^N{mark}^Roe"))
    for query in (f"PatientName=m{mark}", f"ReferringPhysicianName=N{mark[:-2]}", f"PatientName=joh%20m{mark}%20do"):
        assert _values(_rows(f"{root}/studies?{query}&FuzzyMatching=true"), "0020000D") == [one.study]
    assert not _rows(f"{root}/studies?PatientName={mark}&fuzzymatching=true")
    assert not _rows(f"{root}/studies?PatientName=m{mark}&fuzzymatching=false")
    assert "fuzzily" in _refusal(root, "studies?PatientName=%22a&fuzzymatching=true")


def test_the_query_of_a_viewer(root: str) -> None:
    one = _stored(root, instance(StudyDate="19521130"))
    query = "studies?limit=25&offset=0&includefield=00081030%2C00080060&StudyDate=19521125-19521231"
    row = next(row for row in _rows(f"{root}/{query}") if row["0020000D"]["Value"] == [one.study])
    assert row["00080060"]["Value"] == ["CT"]


# Returned attributes (4.4)


def _full(*, character_set: str | None = None, timezone: str | None = None) -> Instance:
    return instance(
        StudyDescription="CHEST",
        AccessionNumber="A-1",
        ReferringPhysicianName="Who^Dr",
        PatientBirthDate="19700101",
        PatientSex="O",
        StudyTime="101112",
        StudyID="S1",
        ManufacturerModelName="Model",
        PerformedProcedureStepStartDate="20240131",
        SeriesDescription="axial",
        SeriesNumber="3",
        InstanceNumber="5",
        PatientAge="",
        SpecificCharacterSet=character_set,
        TimezoneOffsetFromUTC=timezone,
    )


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("studies", V2_STUDY),
        ("series", V2_STUDY | V2_SERIES),
        ("instances", V2_STUDY | V2_SERIES | V2_INSTANCE),
        ("{study_path}/series", V2_SERIES | {"0020000D"}),
        ("{study_path}/instances", V2_SERIES | V2_INSTANCE | {"0020000D"}),
        ("{series_path}/instances", V2_INSTANCE | {"0020000D", "0020000E"}),
    ],
)
def test_version_2_returns_the_short_list(v2: str, route: str, expected: set[str]) -> None:
    one = _stored(v2, _full())
    path = route.format(study_path=one.study_path, series_path=one.series_path)
    query = "" if "studies/" in path else f"?StudyInstanceUID={one.study}"
    [row] = _rows(f"{v2}/{path}{query}")
    assert set(row) == expected


def test_version_1_returns_the_long_list_with_what_is_empty(node: Node) -> None:
    v1 = f"{node.base_url}/v1"
    one = _stored(v1, _full(character_set="ISO_IR 192", timezone=""))
    [row] = _rows(f"{v1}/studies?StudyInstanceUID={one.study}")
    long_list = "00080005 00080020 00080030 00080050 00080090 00080201 00100010 00100020 00100030 00100040 0020000D"
    assert set(row) == {*long_list.split(), "00200010"}
    assert row["00080201"] == {"vr": "SH"}
    [series] = _rows(f"{v1}/{one.study_path}/series")
    assert {"0008103E", "00400244", "0020000D"} <= set(series)
    [of_series] = _rows(f"{v1}/{one.series_path}/instances")
    assert {"00080016", "00080018", "00200013", "00280010", "00280011", "00280100", "00280008"} <= set(of_series)


def test_everything_and_anything_on_request(root: str) -> None:
    item = implicit_element(ITEM, element(0x00080070, "LO", b"made"))
    private = element(0x00090010, "LO", b"TESTS ") + element(0x00091001, "LO", b"private ")
    one = instance(PatientAge="", more=private + element(0x00400275, "SQ", item))
    _stored(root, one)
    query = f"studies?StudyInstanceUID={one.study}&includefield"
    [with_all] = _rows(f"{root}/{query}=all")
    assert with_all["00101010"] == {"vr": "AS"}
    [with_more] = _rows(f"{root}/{query}=00091001,00400275&includefield=SOPInstanceUID")
    assert with_more["00091001"]["Value"] == ["private"]
    assert with_more["00400275"]["Value"] == [{"00080070": {"vr": "LO", "Value": ["made"]}}]
    assert with_more["00080018"]["Value"] == [one.sop]
    [both] = _rows(f"{root}/{query}=all,PatientAge")
    assert both.keys() >= with_all.keys()


def test_the_latest_value_that_is_none_empty_wins(v2: str) -> None:
    study, series = new_uid(), new_uid()
    for description in ("one", "two", ""):
        _stored(v2, instance(study=study, series=series, StudyDescription=description))
    [row] = _rows(f"{v2}/studies?StudyInstanceUID={study}")
    assert row["00081030"]["Value"] == ["two"]


# Parameters, matching and order


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("studies?patientname=x", f"Invalid query: unknown query parameter 'patientname'. {HINT}"),
        ("studies?PatientName.x=y", f"Invalid query: unknown query parameter 'PatientName.x'. {HINT}"),
        ("studies?PatientAge=1", f"Invalid query: AttributeId PatientAge is not queryable.  {HINT}"),
        ("series?SOPInstanceUID=1", f"Invalid query: AttributeId SOPInstanceUID is not queryable.  {HINT}"),
        (
            "studies?TimezoneOffsetFromUTC=1",
            f"Invalid query: AttributeId TimezoneOffsetFromUTC is not queryable.  {HINT}",
        ),
        (
            "studies?PatientID=1&PatientID=2",
            "Invalid QIDO-RS query. Duplicate AttributeId 'PatientID'. Each attribute is only allowed to be specified "
            "once.",
        ),
        (
            "studies?PatientID=1&00100020=2",
            "Invalid query: attribute '00100020' has been specified more than once using different ID formats. Each "
            "attribute is only allowed to be specified once.",
        ),
        ("studies?PatientID=", "Invalid query: AttributeId PatientID has empty string value that is not supported."),
        (
            "studies/1.2/series?StudyInstanceUID=1.2",
            "Invalid query: cannot specify attribute 'StudyInstanceUID' for the given resource. ",
        ),
        (
            "studies/1.2/series/1.3/instances?SeriesInstanceUID=1.3",
            "Invalid query: cannot specify attribute 'SeriesInstanceUID' for the given resource. ",
        ),
        ("studies?includefield=Nonsense", "Invalid query: IncludeField has unknown attribute 'Nonsense'."),
        ("studies?StudyDate=-", "Invalid query: specified range is invalid."),
        (
            "studies?StudyDate=2024-01-31",
            "Invalid query: specified Date value '2024-01-31' is invalid for attribute 'StudyDate'. Date should be "
            "valid and formatted as yyyyMMdd.",
        ),
        ("studies?PatientID=%3Cscript%3E", "The query string included invalid characters."),
    ],
)
def test_a_refusal_has_the_words_of_the_service(root: str, query: str, text: str) -> None:
    assert _refusal(root, query) == text


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1&limit=2",
        "offset=-1",
        "offset=x",
        "offset=1&Offset=2",
        "fuzzymatching=maybe",
        "StudyDate=20240201-20240131",
        "StudyDate=20241301",
    ],
)
def test_a_parameter_that_is_none(root: str, query: str) -> None:
    text = _refusal(root, f"studies?{query}")
    if query.count("=") > 1:
        assert text.endswith("Cannot specify parameter more than once.")


@pytest.mark.parametrize("accept", [None, "application/dicom", "application/data"])
@pytest.mark.parametrize("path", ["studies", "series", "instances", "studies/no-uid/series", "studies/1/instances"])
def test_an_answer_in_another_form(root: str, path: str, accept: str | None) -> None:
    answer = get(f"{root}/{path}", accept)
    assert (answer.status_code, answer.content) == (httpx.codes.NOT_ACCEPTABLE, b"")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*", f"{JSON}, multipart/related; type=a/b"])
def test_an_answer_in_json_by_any_of_its_names(root: str, accept: str) -> None:
    _stored(root, instance())
    assert get(f"{root}/studies?limit=1", accept).headers["content-type"] == JSON


def test_dates_in_ranges(v2: str) -> None:
    mark = new_uid()[-16:]
    days = ("20240101", "20240131", "20240229")
    uids = [_stored(v2, instance(StudyDate=day, AccessionNumber=mark)).study for day in days]
    for value, expected in (
        ("20240131", uids[1:2]),
        ("20240101-20240131", uids[:2]),
        ("20240131-", uids[1:]),
        ("-20240131", uids[:2]),
        ("20240102%20-%2020240228", uids[1:2]),
    ):
        found = _values(_rows(f"{v2}/studies?AccessionNumber={mark}&StudyDate={value}"), "0020000D")
        assert found == expected[::-1]


def test_text_is_matched_whole_without_case_and_without_wildcards(v2: str) -> None:
    mark = new_uid()[-10:]
    one = _stored(v2, instance(PatientID=f"aB{mark}"))
    for value, is_found in ((f"Ab{mark}", True), (f"aB{mark}%20%20", True), (f"aB{mark[:-1]}*", False), ("aB", False)):
        found = _rows(f"{v2}/studies?PatientID={value}")
        assert (one.study in [row["0020000D"]["Value"][0] for row in found]) is is_found


def test_pages_are_newest_first(v2: str) -> None:
    mark = new_uid()[-16:]
    uids = [_stored(v2, instance(AccessionNumber=mark)).study for _ in range(5)]
    pages = [_rows(f"{v2}/studies?AccessionNumber={mark}&limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
    assert [uid for page in pages for uid in _values(page, "0020000D")] == uids[::-1]
    assert [len(page) for page in pages] == [2, 2, 1, 0]


# Delete


@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
def test_what_is_deleted_is_gone_and_its_siblings_stay(root: str, level: str) -> None:
    study, series = new_uid(), new_uid()
    one = instance(study=study, series=series)
    siblings = {"study_path": instance(), "series_path": instance(study=study)}
    sibling = siblings.get(level) or instance(study=study, series=series)
    _stored(root, one, sibling)
    answer = client().request("DELETE", f"{root}/{getattr(one, level)}", headers={"Accept": "x/y"}, content=b"ignored")
    assert (answer.status_code, answer.content) == (httpx.codes.NO_CONTENT, b"")
    assert delete(f"{root}/{getattr(one, level)}").status_code == httpx.codes.NOT_FOUND
    assert get(f"{root}/{one.path}", ANY_DICOM).status_code == httpx.codes.NOT_FOUND
    assert get(f"{root}/{getattr(one, level)}/metadata", JSON).status_code == httpx.codes.NOT_FOUND
    assert get(f"{root}/{sibling.path}", ANY_DICOM).status_code == httpx.codes.OK
    assert store(root, one.content).status_code == httpx.codes.OK


def test_with_the_last_instance_its_series_and_study_go(root: str) -> None:
    one = _stored(root, instance())
    assert delete(f"{root}/{one.path}").status_code == httpx.codes.NO_CONTENT
    assert not _rows(f"{root}/studies?StudyInstanceUID={one.study}")
    assert not _rows(f"{root}/series?SeriesInstanceUID={one.series}")
    assert delete(f"{root}/{one.study_path}").status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("path", ["studies/x", "studies/1.2/series/x", "studies/1.2/series/1.3/instances/x"])
def test_what_is_no_uid_cannot_be_deleted(root: str, path: str) -> None:
    assert delete(f"{root}/{path}").status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize(
    ("path", "noun"),
    [("studies/1.2", "study"), ("studies/1.2/series/1.3", "series"), ("studies/1.2/series/1/instances/1", "instance")],
)
def test_what_is_not_there_cannot_be_deleted(root: str, path: str, noun: str) -> None:
    answer = delete(f"{root}/{path}")
    assert (answer.status_code, answer.text) == (httpx.codes.NOT_FOUND, f"The specified {noun} cannot be found.")


# Appendix A


@pytest.fixture(params=["v1", "v2", "v1.0-prerelease"])
def fresh(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a version on a node that has nothing."""
    with serve(tmp_path / "data") as started:
        yield f"{started.base_url}/{request.param}"


def test_the_calls_of_the_postman_collection(fresh: str) -> None:
    samples = manifest_rows(lambda row: row.path.startswith("azure-tutorial/"))
    assert len(samples) == 3
    for row in samples:
        answer = store_single(fresh, read_bytes(row))
        assert answer.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED), answer.text
        assert "00081198" not in answer.json()
    one = samples[0]
    study = f"{fresh}/studies/{one.study_instance_uid}"
    series = f"{study}/series/{one.series_instance_uid}"
    sample = f"{series}/instances/{one.sop_instance_uid}"
    for url in (study, series):
        assert get(url, ANY_DICOM).status_code == httpx.codes.OK
    assert get(sample, "application/dicom; transfer-syntax=*").content == read_bytes(one)
    for url in (study, series, sample):
        assert get(f"{url}/metadata", JSON).status_code == httpx.codes.OK
    frames = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'
    assert get(f"{sample}/frames/1", frames).status_code == httpx.codes.OK
    for url in (f"{sample}/rendered?quality=100", f"{sample}/frames/1/rendered?quality=100"):
        assert get(url, "image/jpeg").status_code == httpx.codes.OK
        assert get(url, "application/jpeg").status_code == httpx.codes.NOT_ACCEPTABLE
    for query in (
        f"{fresh}/studies?StudyInstanceUID={one.study_instance_uid}",
        f"{fresh}/series?SeriesInstanceUID={one.series_instance_uid}",
        f"{study}/series?SeriesInstanceUID={one.series_instance_uid}",
        f"{fresh}/instances?SOPInstanceUID={one.sop_instance_uid}",
        f"{study}/instances?SOPInstanceUID={one.sop_instance_uid}",
        f"{series}/instances?SOPInstanceUID={one.sop_instance_uid}",
    ):
        assert len(_rows(query)) == 1
    assert delete(sample).status_code == httpx.codes.NO_CONTENT
    left = [row for row in samples if row.sop_instance_uid != one.sop_instance_uid]
    a_series = f"{fresh}/studies/{left[0].study_instance_uid}/series/{left[0].series_instance_uid}"
    assert delete(a_series).status_code == httpx.codes.NO_CONTENT
    answer = store_single(fresh, read_bytes(one))
    assert "00081198" not in answer.json()
    assert delete(study).status_code == httpx.codes.NO_CONTENT
    assert get(f"{study}/metadata", JSON).status_code == httpx.codes.NOT_FOUND
