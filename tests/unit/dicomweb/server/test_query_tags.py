"""Extended query tags over HTTP, on both indexes: payloads, sentences, life cycle, search (dicom-service 7, 15.5)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from struct import pack
from typing import Any
from urllib.parse import quote

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.query_tag import QueryTagDesk
from isocenter.dicomweb.codec.attribute_name import parse_attribute_name
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.asgi_call import Answer, ask
from tests.support.instances import identify
from tests.support.memory_archive import START, memory_archive
from tests.support.query_tags import Values, file_with, padded, query_tag_desk

TIMEOUT_S = 30
ROOT = "http://127.0.0.1"
HINT = (
    "If the parameter is an attribute keyword, check the casing as they are case-sensitive. The conformance statement "
    "has a list of supported query parameters, attributes and the levels."
)
AGE, FILMS, PHYSICIAN, MAKER = 0x00101010, 0x21000170, 0x00321032, 0x00080070
Fields = dict[str, Any]


@dataclass(slots=True)
class Edge:
    """The edge over an archive whose tags are managed."""

    service: Service
    root: str = "/v2"

    def ask(self, method: str, path: str, *, query: str = "", body: object = None, root: str = "") -> Answer:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        application = DicomwebApplication(self.service, root_path=root or self.root)
        headers = {"accept": "application/dicom+json", "content-type": "application/json"}
        return ask(application, method, f"{root or self.root}/{path}", query=query, headers=headers, body=[content])

    def store(self, identifier: InstanceIdentifier, values: Values, *, root: str = "") -> Answer:
        application = DicomwebApplication(self.service, root_path=root or self.root)
        headers = {"accept": "application/dicom+json", "content-type": "application/dicom"}
        body = [file_with(identifier, values)]
        return ask(application, "POST", f"{root or self.root}/studies", headers=headers, body=body)

    def add(self, *entries: Fields) -> Fields:
        """Add tags and return their reindex when it has ended."""
        answer = self.ask("POST", "extendedquerytags", body=list(entries))
        assert answer.status == 202, answer.body
        return self.ended(json.loads(answer.body)["id"])

    def ended(self, operation_id: str) -> Fields:
        pause = threading.Event()
        for _ in range(TIMEOUT_S * 100):
            answer = self.ask("GET", f"operations/{operation_id}")
            if answer.status == 200:
                operation: Fields = json.loads(answer.body)
                return operation
            pause.wait(0.01)
        raise AssertionError(operation_id)

    def tag(self, path: str) -> Fields:
        answer = self.ask("GET", f"extendedquerytags/{path}")
        assert answer.status == 200, answer.body
        fields: Fields = json.loads(answer.body)
        return fields

    def search(self, path: str, query: str = "") -> list[Fields]:
        answer = self.ask("GET", path, query=query)
        assert answer.status in (200, 204), answer.body
        rows: list[Fields] = json.loads(answer.body) if answer.status == 200 else []
        return rows

    def refusal(self, method: str, path: str, *, query: str = "", body: object = None, status: int = 400) -> str:
        answer = self.ask(method, path, query=query, body=body)
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        return answer.body.decode()


@pytest.fixture(params=["memory", "sqlite"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    if request.param == "memory":
        with memory_archive() as archive:
            yield archive
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index, memory_archive(index=index) as archive:
            yield archive


def _edge(archive: Archive, desk: QueryTagDesk, executor: ThreadPoolExecutor) -> Edge:
    return Edge(Service(archive, executor, lambda headers: LOCAL_OWNER, operations=desk.desk, query_tags=desk))


@pytest.fixture
def edge(archive: Archive) -> Iterator[Edge]:
    with query_tag_desk(archive) as desk, ThreadPoolExecutor(2) as executor:
        yield _edge(archive, desk, executor)


@pytest.fixture
def still(archive: Archive) -> Iterator[Edge]:
    """Return an edge whose reindexes never begin."""
    with query_tag_desk(archive, reindexes=False) as desk, ThreadPoolExecutor(2) as executor:
        yield _edge(archive, desk, executor)


def entry(path: str = "00101010", level: str = "Instance", **others: str) -> Fields:
    return {"path": path, "level": level, **others}


# 7.1: payloads


def test_a_new_tag_is_told_with_its_reindex_and_then_without(still: Edge) -> None:
    answer = still.ask("POST", "extendedquerytags", body=[entry(level="Study")])
    reference = json.loads(answer.body)
    operation = {"id": reference["id"], "href": f"{ROOT}/v2/operations/{reference['id']}"}
    assert (answer.status, reference, answer.headers["location"]) == (202, operation, operation["href"])
    assert still.tag("00101010") == {
        "path": "00101010",
        "vr": "AS",
        "level": "study",
        "status": "adding",
        "queryStatus": "enabled",
        "operation": operation,
    }


def test_a_ready_tag_has_neither_operation_nor_errors(edge: Edge) -> None:
    operation = edge.add(entry("PatientAge"), entry("00191012", "Series", vr="SS", privateCreator="ACME CT"))
    assert (operation["status"], operation["percentComplete"], operation["type"]) == ("succeeded", 100, "reindex")
    assert operation["resources"] == [f"{ROOT}/v2/extendedquerytags/{path}" for path in ("00101010", "00191012")]
    listed = json.loads(edge.ask("GET", "extendedquerytags").body)
    assert listed == [
        {"path": "00101010", "vr": "AS", "level": "instance", "status": "ready", "queryStatus": "enabled"},
        {
            "path": "00191012",
            "vr": "SS",
            "privateCreator": "ACME CT",
            "level": "series",
            "status": "ready",
            "queryStatus": "enabled",
        },
    ]
    assert edge.tag("PatientAge") == edge.tag("00101010") == listed[0]


def test_version_1_says_completed(edge: Edge) -> None:
    operation = edge.add(entry())
    told = json.loads(edge.ask("GET", f"operations/{operation['operationId']}", root="/v1").body)
    assert told["status"] == "completed"
    assert told["resources"] == [f"{ROOT}/v1/extendedquerytags/00101010"]


def test_tags_come_in_pages(edge: Edge) -> None:
    paths = ["00080070", "00101010", "00180015"]
    edge.add(*(entry(path) for path in paths))

    def page(query: str) -> list[str]:
        return [one["path"] for one in json.loads(edge.ask("GET", "extendedquerytags", query=query).body)]

    assert (page(""), page("limit=1"), page("limit=2&offset=1"), page("offset=3")) == (paths, paths[:1], paths[1:], [])


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "offset=-1", "limit=1&limit=2", "limit="])
def test_a_page_that_makes_no_sense_is_refused(edge: Edge, query: str) -> None:
    edge.add(entry())
    for path in ("extendedquerytags", "extendedquerytags/00101010/errors"):
        assert edge.refusal("GET", path, query=query).startswith("The query parameter '")


def test_names_and_values_are_read_in_any_case(edge: Edge) -> None:
    edge.add({"Path": "PatientAge", "LEVEL": "sTUDY", "VR": "as"})
    assert edge.tag("00101010")["level"] == "study"
    answer = edge.ask("PATCH", "extendedQueryTags/00101010", body={"QUERYSTATUS": "disabled"})
    assert json.loads(answer.body)["queryStatus"] == "disabled"


# 7.2: what is refused


def _required(number: int, name: str) -> str:
    return (
        f"The field '[{number}].{name}' in request body is invalid: The Dicom Tag Property {name} must be specified "
        "and must not be null, empty or whitespace"
    )


WRONG_VR = (
    "The VR code 'LO' is incorrectly specified for '00101010'. The expected VR code for it is 'AS'. Retry this request "
    "either with the correct VR code or without specifying it."
)
WRONG_LEVEL = (
    "The field '$[0].Level' in request body is invalid: Expected value 'Studys' to be one of the following values: "
    "['Instance', 'Series', 'Study']"
)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The request body is missing."),
        (b"[{", "The syntax of the request body is invalid."),
        ({}, "The syntax of the request body is invalid."),
        ([], "The extended query tag(s) is missing."),
        ([entry(), {"level": "Study"}], _required(1, "Path")),
        ([entry(" ")], _required(0, "Path")),
        ([{"path": "00101010"}], _required(0, "Level")),
        ([entry(level="Studys")], WRONG_LEVEL),
        (
            [entry("nonsense")],
            "The extended query tag 'nonsense' is invalid as it cannot be parsed into a valid Dicom Tag.",
        ),
        ([entry("00400275.00400009")], "Sequential dicom tags are currently not supported."),
        ([entry(), entry("PatientAge")], "The extended query tag 'PatientAge' has been specified before."),
        ([entry("00100010")], "The query tag '00100010' is already supported."),
        ([entry("ModalitiesInStudy")], "The query tag 'ModalitiesInStudy' is already supported."),
        ([entry(vr="XX")], "The VR code 'XX' for tag '00101010' is invalid."),
        ([entry(vr="DS")], "The VR code 'DS' specified for tag '00101010' is not supported."),
        ([entry("PatientWeight")], "The VR code 'DS' specified for tag 'PatientWeight' is not supported."),
        ([entry("00400275")], "The VR code 'SQ' specified for tag '00400275' is not supported."),
        ([entry("PatientComments")], "The VR code 'LT' specified for tag 'PatientComments' is not supported."),
        ([entry(vr="LO")], WRONG_VR),
        ([entry("00191012", privateCreator="ACME")], "The vr for tag '00191012' is missing."),
        ([entry("00120001")], "The vr for tag '00120001' is missing."),
        ([entry("00191012", vr="SS")], "The private creator for private tag '00191012' is missing."),
        (
            [entry("00191012", vr="SS", privateCreator="A\\B")],
            "The private creator for tag '00191012' is not a valid LO attribute.",
        ),
        ([entry(privateCreator="ACME")], "The private creator is not empty for standard tag '00101010'."),
        (
            [entry("00190010", privateCreator="ACME")],
            "The private creator is not empty for private identification code '00190010'.",
        ),
    ],
)
def test_an_entry_that_cannot_be_indexed_is_refused_with_its_sentence(edge: Edge, body: object, text: str) -> None:
    assert edge.refusal("POST", "extendedquerytags", body=body) == text
    assert json.loads(edge.ask("GET", "extendedquerytags").body) == []


def test_what_the_dictionary_leaves_open_may_be_chosen(edge: Edge) -> None:
    edge.add(entry("00280106", vr="SS"), entry("00280107"))
    assert (edge.tag("00280106")["vr"], edge.tag("00280107")["vr"]) == ("SS", "US")


def test_a_tag_that_is_there_is_a_conflict(edge: Edge) -> None:
    edge.add(entry())
    text = edge.refusal("POST", "extendedquerytags", body=[entry("00080070"), entry()], status=409)
    assert text == "One or more extended query tags already exist."


def test_another_reindex_under_way_is_a_conflict_that_says_where(still: Edge) -> None:
    first = json.loads(still.ask("POST", "extendedquerytags", body=[entry()]).body)
    answer = still.ask("POST", "extendedquerytags", body=[entry("00080070")])
    assert (answer.status, answer.headers["location"]) == (409, first["href"])
    assert answer.body.decode() == f"There is already an active re-index operation with ID '{first['id']}'."


def test_more_tags_than_are_allowed_are_refused(archive: Archive) -> None:
    with query_tag_desk(archive, count_max=2) as desk, ThreadPoolExecutor(1) as executor:
        edge = _edge(archive, desk, executor)
        edge.add(entry())
        text = edge.refusal("POST", "extendedquerytags", body=[entry("00080070"), entry("00180015")])
        assert text == "Extended query tags exceeds max allowed count '2'."
        edge.add(entry("00080070"))


def test_128_tags_are_allowed_and_no_more(edge: Edge) -> None:
    private = [entry(f"001910{number:02X}", vr="LO", privateCreator="ACME") for number in range(128)]
    edge.add(*private)
    assert edge.refusal("POST", "extendedquerytags", body=[entry()]) == (
        "Extended query tags exceeds max allowed count '128'."
    )


def test_without_operations_no_tag_is_added(archive: Archive) -> None:
    with query_tag_desk(archive, is_open=False) as desk, ThreadPoolExecutor(1) as executor:
        edge = _edge(archive, desk, executor)
        assert edge.refusal("POST", "extendedquerytags", body=[entry()]) == (
            "Asynchronous operations are temporarily disabled. Please try again later."
        )
        assert edge.ask("GET", "extendedquerytags").body == b"[]"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_a_tag_that_is_not_there_is_not_found(edge: Edge, method: str) -> None:
    body = {"queryStatus": "Enabled"} if method == "PATCH" else None
    text = edge.refusal(method, "extendedquerytags/PatientAge", body=body, status=404)
    assert text == "The specified extended query tag with tag path 00101010 cannot be found."
    assert edge.refusal(method, "extendedquerytags/nonsense", body=body).startswith("The extended query tag 'nonsense'")


def test_the_errors_of_a_tag_that_is_not_there_are_not_found(edge: Edge) -> None:
    edge.refusal("GET", "extendedquerytags/00101010/errors", status=404)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"level": "Study"}, 'The field is not supported: "level".'),
        ({"queryStatus": "Enabled", "vr": "LO"}, 'The field is not supported: "vr".'),
        (
            {"queryStatus": "On"},
            "The field '$.QueryStatus' in request body is invalid: Expected value 'On' to be one of the following "
            "values: ['Disabled', 'Enabled']",
        ),
        ({}, "The field 'QueryStatus' in request body is invalid: It must be specified."),
        ([], "The syntax of the request body is invalid."),
        (b"", "The request body is missing."),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(edge: Edge, body: object, text: str) -> None:
    edge.add(entry())
    assert edge.refusal("PATCH", "extendedquerytags/00101010", body=body) == text


# 7.3: life cycle


def test_a_tag_that_is_being_added_cannot_be_removed_nor_asked_for(still: Edge) -> None:
    still.store(identify(1), {AGE: ("AS", b"042Y")})
    still.ask("POST", "extendedquerytags", body=[entry()])
    assert still.refusal("DELETE", "extendedquerytags/00101010") == (
        "The extended query tag '00101010' is being processed."
    )
    assert still.refusal("GET", "instances", query="PatientAge=042Y") == (
        f"Invalid query: AttributeId PatientAge is not queryable.  {HINT}"
    )


def test_a_removed_tag_is_gone_and_can_be_added_again(edge: Edge) -> None:
    edge.store(identify(1), {AGE: ("AS", b"042Y")})
    edge.add(entry())
    answer = edge.ask("DELETE", "extendedquerytags/PatientAge")
    assert (answer.status, answer.body) == (204, b"")
    edge.refusal("GET", "extendedquerytags/00101010", status=404)
    assert "is not queryable" in edge.refusal("GET", "instances", query="PatientAge=042Y")
    edge.add(entry(level="Study"))
    assert edge.refusal("GET", "studies/1.2/series", query="PatientAge=042Y").startswith("Invalid query: AttributeId")
    assert len(edge.search("studies", "PatientAge=042Y")) == 1


def test_one_tag_is_removed_while_another_is_added(archive: Archive) -> None:
    with query_tag_desk(archive) as desk, ThreadPoolExecutor(2) as executor:
        _edge(archive, desk, executor).add(entry("00080070"))
    with query_tag_desk(archive, reindexes=False) as desk, ThreadPoolExecutor(2) as executor:
        edge = _edge(archive, desk, executor)
        edge.store(identify(1), {AGE: ("AS", b"042Y"), MAKER: ("LO", b"ACME")})
        reference = json.loads(edge.ask("POST", "extendedquerytags", body=[entry()]).body)
        assert edge.ask("DELETE", "extendedquerytags/00080070").status == 204
        edge.store(identify(2), {AGE: ("AS", b"042Y")})
    with query_tag_desk(archive) as desk, ThreadPoolExecutor(2) as executor:
        edge = _edge(archive, desk, executor)
        assert edge.ended(reference["id"])["status"] == "succeeded"
        assert len(edge.search("instances", "PatientAge=042Y")) == 2
        assert [one["path"] for one in json.loads(edge.ask("GET", "extendedquerytags").body)] == ["00101010"]


def test_values_that_cannot_be_taken_are_told_page_by_page_and_disable_the_tag(edge: Edge) -> None:
    for number, value in enumerate((b"042Y", b"42Y ", b"7Y  "), 1):
        edge.store(identify(number), {AGE: ("AS", value)}, root="/dicom-web")
    assert edge.add(entry())["status"] == "succeeded"
    tag = edge.tag("00101010")
    href = f"{ROOT}/v2/extendedquerytags/00101010/errors"
    assert (tag["queryStatus"], tag["errors"]) == ("disabled", {"count": 2, "href": href})
    pages = [
        json.loads(edge.ask("GET", "extendedquerytags/00101010/errors", query=f"limit=1&offset={offset}").body)
        for offset in range(3)
    ]
    assert [len(page) for page in pages] == [1, 1, 0]
    error = pages[0][0]
    assert datetime.fromisoformat(error.pop("createdTime")) == START
    assert error == {
        "partitionName": "Microsoft.Default",
        "studyInstanceUid": identify(3).study_instance_uid,
        "seriesInstanceUid": identify(3).series_instance_uid,
        "sopInstanceUid": identify(3).sop_instance_uid,
        "errorMessage": "Value length is not expected.",
    }


def test_a_disabled_tag_is_refused_until_it_is_enabled_and_then_says_that_it_has_errors(edge: Edge) -> None:
    edge.store(identify(1), {AGE: ("AS", b"042Y")}, root="/dicom-web")
    edge.store(identify(2), {AGE: ("AS", b"42Y ")}, root="/dicom-web")
    edge.add(entry())
    assert edge.refusal("GET", "instances", query="PatientAge=042Y") == (
        "Query is disabled on specified attribute 'PatientAge'."
    )
    edge.ask("PATCH", "extendedquerytags/00101010", body={"queryStatus": "Enabled"})
    for query, status in (("00101010=042Y", 200), ("00101010=043Y", 204)):
        answer = edge.ask("GET", "instances", query=query)
        assert (answer.status, answer.headers["erroneous-dicom-attributes"]) == (status, "00101010")
    assert "erroneous-dicom-attributes" not in edge.ask("GET", "instances").headers


def test_a_delete_of_the_instance_takes_its_errors_along(edge: Edge) -> None:
    edge.store(identify(1), {AGE: ("AS", b"42Y ")}, root="/dicom-web")
    edge.add(entry())
    assert edge.ask("DELETE", f"studies/{identify(1).study_instance_uid}").status == 204
    assert "errors" not in edge.tag("00101010")
    assert edge.ask("GET", "extendedquerytags/00101010/errors").body == b"[]"


def test_a_ready_tag_is_validated_by_version_1_and_warned_of_by_version_2(edge: Edge) -> None:
    edge.add(entry("NumberOfFilms", "Study"))
    values: Values = {FILMS: ("IS", b"x ")}
    refused = edge.store(identify(1), values, root="/v1")
    assert refused.status == 409
    assert json.loads(refused.body)["00081198"]["Value"][0]["00081197"]["Value"] == [43264]
    kept = edge.store(identify(2), values)
    assert kept.status == 202
    assert "NumberOfFilms" in kept.body.decode() or "(2100,0170)" in kept.body.decode()


def test_several_values_are_indexed_by_the_first_with_a_warning(edge: Edge) -> None:
    edge.add(entry("NumberOfFilms", "Study"))
    answer = edge.store(identify(1), {FILMS: ("IS", b"7\\8 ")})
    assert answer.status == 200
    assert "only first value is indexed" in answer.headers["warning"]
    assert len(edge.search("studies", "NumberOfFilms=7")) == 1
    assert edge.search("studies", "NumberOfFilms=8") == []


# 4: search


def test_a_search_finds_what_was_stored_before_and_after_and_returns_the_attribute(edge: Edge) -> None:
    edge.store(identify(1), {FILMS: ("IS", b"03")})
    edge.add(entry("NumberOfFilms", "Study"))
    edge.store(identify(2), {FILMS: ("IS", b"3 ")})
    edge.store(identify(3), {FILMS: ("IS", b"4 ")})
    rows = edge.search("studies", "NumberOfFilms=0003")
    assert [row["0020000D"]["Value"][0] for row in rows] == [
        identify(2).study_instance_uid,
        identify(1).study_instance_uid,
    ]
    assert [row["21000170"] for row in rows] == [{"vr": "IS", "Value": [3]}] * 2
    assert all("21000170" not in row for row in edge.search("studies"))
    assert edge.search("studies", "includefield=NumberOfFilms&NumberOfFilms=4")[0]["21000170"]["Value"] == [4]


def test_a_tag_is_asked_for_at_its_level_and_below_but_not_above(edge: Edge) -> None:
    edge.store(identify(1), {MAKER: ("LO", b"ACME")})
    edge.add(entry("Manufacturer", "Series"))
    study, series = identify(1).study_instance_uid, identify(1).series_instance_uid
    for path in ("series", "instances", f"studies/{study}/series", f"studies/{study}/instances"):
        assert len(edge.search(path, "Manufacturer=acme")) == 1
    for path in ("studies", f"studies/{study}/series/{series}/instances"):
        assert edge.refusal("GET", path, query="Manufacturer=ACME") == (
            f"Invalid query: AttributeId Manufacturer is not queryable.  {HINT}"
        )


@pytest.mark.parametrize(
    ("path", "vr", "stored", "queries", "others"),
    [
        (
            "AcquisitionDate",
            "DA",
            b"20260131",
            ["20260131", "20260101-20260201", "-20260131"],
            ["20260130", "20260201-"],
        ),
        ("AcquisitionTime", "TM", b"1030", ["103000", "10-11", "1030-", "-103000.000"], ["1031", "11-"]),
        (
            "AcquisitionDateTime",
            "DT",
            b"20260131103000.5",
            ["20260131103000.5", "20260131-20260201", "-2027"],
            ["2026", "20260131", "2027-"],
        ),
        ("00280107", "US", pack("<H", 700), ["700", "0700"], ["701"]),
        ("00280107", "SS", pack("<h", -7), ["-7", "-007"], ["7"]),
        ("00189073", "FD", pack("<d", 1.25), ["1.25", "1.250", "125e-2"], ["1.3"]),
        ("RequestingPhysician", "PN", "Tá^Lá".encode("latin-1"), ["Ta^La", quote("tá^lá")], ["Ta"]),
        ("Manufacturer", "LO", b"ACME* ", ["acme*", "ACME*%00"], ["ACME", "AC*"]),
    ],
)
def test_values_match_by_the_rules_of_their_vr(
    edge: Edge, path: str, vr: str, stored: bytes, queries: list[str], others: list[str]
) -> None:
    tag = parse_attribute_name(path)
    assert tag is not None
    edge.add(entry(path, vr=vr))
    values: Values = {0x00080005: ("CS", padded("ISO_IR 100")), tag: (vr, stored + b" " * (len(stored) % 2))}
    assert edge.store(identify(1), values).status == 200
    for query in queries:
        assert len(edge.search("instances", f"{path}={query}")) == 1, query
    for query in others:
        assert edge.search("instances", f"{path}={query}") == [], query


def test_names_match_by_the_beginnings_of_words_where_that_is_asked(edge: Edge) -> None:
    edge.add(entry("RequestingPhysician", "Study"))
    edge.store(identify(1), {PHYSICIAN: ("PN", b"John^Doe")})
    for text, count in (("joh", 1), ("do", 1), ("jo do", 1), ("Doe", 1), ("ohn", 0), ("do jo", 0)):
        query = f"RequestingPhysician={quote(text)}&fuzzymatching=true"
        assert len(edge.search("studies", query)) == count, text
    assert edge.search("studies", "RequestingPhysician=joh") == []
    assert edge.ask("GET", "studies", query="RequestingPhysician=%22a&fuzzymatching=true").status == 400


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("AcquisitionDate", "2026", "specified Date value '2026' is invalid for attribute 'AcquisitionDate'."),
        ("AcquisitionTime", "25", "specified Time value '25' is invalid for attribute 'AcquisitionTime'."),
        ("AcquisitionDateTime", "2026%2B0100", "specified DateTime value '2026+0100' is invalid"),
        ("AcquisitionDateTime", "x", "specified DateTime value 'x' is invalid"),
        ("AcquisitionDate", "-", "specified range is invalid."),
        ("AcquisitionDateTime", "2027-2026", "specified range '2027-2026' is invalid."),
        ("NumberOfFilms", "three", "specified Long value 'three' is invalid for attribute 'NumberOfFilms'."),
        ("00189073", "wide", "specified Double value 'wide' is invalid for attribute 'AcquisitionDuration'."),
        ("NumberOfFilms", "", "AttributeId NumberOfFilms has empty string value that is not supported."),
    ],
)
def test_a_value_that_is_none_of_its_vr_is_refused(edge: Edge, path: str, value: str, text: str) -> None:
    edge.add(entry(path))
    assert text in edge.refusal("GET", "instances", query=f"{path}={value}")


def test_a_tag_is_asked_for_once_in_whatever_spelling(edge: Edge) -> None:
    edge.add(entry("NumberOfFilms"))
    assert "Duplicate AttributeId 'NumberOfFilms'" in edge.refusal(
        "GET", "instances", query="NumberOfFilms=1&NumberOfFilms=2"
    )
    assert "different ID formats" in edge.refusal("GET", "instances", query="NumberOfFilms=1&21000170=1")


def test_a_private_attribute_is_found_and_returned(edge: Edge) -> None:
    edge.add(entry("00191012", "Instance", vr="SS", privateCreator="ACME CT"))
    edge.store(identify(1), {0x00190010: ("LO", b"ACME CT "), 0x00191012: ("SS", pack("<h", -3))})
    edge.store(identify(2), {0x00190010: ("LO", b"OTHER "), 0x00191012: ("SS", pack("<h", -3))})
    [row] = edge.search("instances", "00191012=-3")
    assert row["00080018"]["Value"] == [identify(1).sop_instance_uid]
    assert row["00191012"] == {"vr": "SS", "Value": [-3]}


def test_tags_are_of_all_partitions_and_values_of_their_own(archive: Archive) -> None:
    with query_tag_desk(archive) as desk, ThreadPoolExecutor(2) as executor:
        service = Service(
            archive,
            executor,
            lambda headers: LOCAL_OWNER,
            operations=desk.desk,
            query_tags=desk,
            has_partitions=True,
        )
        edge = Edge(service)
        edge.add(entry())
        assert edge.ask("GET", "partitions/north/extendedquerytags").status == 404
        headers = {"accept": "application/dicom+json", "content-type": "application/dicom"}
        for name in ("north", "south"):
            application = DicomwebApplication(service, root_path="/v2")
            body = [file_with(identify(1), {AGE: ("AS", b"042Y")})]
            ask(application, "POST", f"/v2/partitions/{name}/studies", headers=headers, body=body)
        assert len(edge.search("partitions/north/instances", "PatientAge=042Y")) == 1
