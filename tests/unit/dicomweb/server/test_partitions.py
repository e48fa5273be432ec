from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import ALL_ROUTES, ROOTS, Route
from isocenter.dicomweb.server.service import Service
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, DataAction, PartitionGrant, Principal
from isocenter.storage.memory import MemoryPartitions
from tests.support.asgi_call import Answer, ask
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive
from tests.support.small_instances import make_instance

JSON = {"accept": "application/dicom+json"}
DICOM = {"content-type": "application/dicom", **JSON}
HERE = make_instance(identify(1))
AZURE_ROOTS = [root for root, dialect in ROOTS.items() if dialect.is_azure]
IS_OFF = b"Data partitions feature is disabled."
IS_MISSING = b"PartitionName value is missing in the route segment."
IS_UNKNOWN = b"Specified PartitionName does not exist."
IS_INVALID = b"The specified PartitionName is invalid. "


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge over an archive in memory, under every root."""

    archive: Archive
    service: Service

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        path, _, query = path.partition("?")
        options.setdefault("headers", JSON)
        application = DicomwebApplication(self.service, root_path="/" + path.split("/")[1])
        return ask(application, method, path, query=query, **options)

    def store(self, partition: str, *, root: str = "/v2", content: bytes = HERE.content) -> Answer:
        return self.ask("POST", f"{root}/partitions/{partition}/studies", headers=DICOM, body=[content])

    def by(self, principal: Principal) -> Edge:
        return replace(self, service=replace(self.service, authenticate=lambda headers: principal))

    def without_partitions(self) -> Edge:
        return replace(self, service=replace(self.service, has_partitions=False))

    @property
    def names(self) -> list[str]:
        return [one.partition_name for one in self.archive.partitions.all()]


@pytest.fixture
def edge() -> Iterator[Edge]:
    with memory_archive() as archive, ThreadPoolExecutor(2) as executor, capture_logs():
        yield Edge(archive, Service(archive, executor, lambda headers: LOCAL_OWNER, has_partitions=True))


def _instance_path(identifier: InstanceIdentifier = HERE.identifier) -> str:
    return (
        f"studies/{identifier.study_instance_uid}/series/{identifier.series_instance_uid}"
        f"/instances/{identifier.sop_instance_uid}"
    )


def _example(route: Route) -> str:
    return "/".join("1.2.3" if part.startswith("{") else part for part in route.segments)


# storing


@pytest.mark.parametrize("name", ["north", "1.2.840.10008", "A-b_c.d", "x" * 64, DEFAULT_PARTITION])
def test_a_store_begins_the_partition_and_its_links_lead_there(edge: Edge, name: str) -> None:
    answer = edge.store(name)
    assert answer.status == 200
    assert f'"http://127.0.0.1/v2/partitions/{name}/{_instance_path()}"'.encode() in answer.body
    assert edge.ask("GET", f"/v2/partitions/{name}/{_instance_path()}/metadata").status == 200
    assert name in edge.names


def test_the_segment_matches_in_any_case_and_the_name_as_it_is(edge: Edge) -> None:
    edge.store("north")
    assert edge.ask("GET", "/v2/PARTITIONS/north/STUDIES").status == 200
    assert edge.ask("GET", "/v2/partitions/North/studies").body == IS_UNKNOWN


def test_the_same_instance_lies_in_two_partitions(edge: Edge) -> None:
    other = make_instance(identify(1), seed=7)
    assert edge.store("north").status == 200
    assert edge.store("south", content=other.content).status == 200
    assert edge.store("north", content=other.content).status == 409
    for name, stored in (("north", HERE), ("south", other)):
        path = f"/v2/partitions/{name}/{_instance_path()}"
        accept = {"accept": "application/dicom; transfer-syntax=*"}
        assert edge.ask("GET", path, headers=accept).body == stored.content


def test_deleting_in_one_partition_leaves_the_others(edge: Edge) -> None:
    edge.store("north")
    edge.store("south")
    study = f"studies/{HERE.identifier.study_instance_uid}"
    assert edge.ask("DELETE", f"/v2/partitions/north/{study}").status == 204
    assert edge.ask("DELETE", f"/v2/partitions/north/{study}").status == 404
    assert edge.ask("GET", f"/v2/partitions/north/{study}/metadata").status == 404
    assert edge.ask("GET", f"/v2/partitions/south/{study}/metadata").status == 200


@pytest.mark.parametrize("resource", ["studies", "series", "instances"])
def test_a_search_stays_in_its_partition(edge: Edge, resource: str) -> None:
    edge.store("north", content=make_instance(identify(1)).content)
    edge.store("south", content=make_instance(identify(2)).content)
    for name, number in (("north", 1), ("south", 2)):
        [row] = json.loads(edge.ask("GET", f"/v2/partitions/{name}/{resource}?includefield=all").body)
        assert row["0020000D"]["Value"] == [identify(number).study_instance_uid]


def test_links_of_a_search_and_of_bulk_data_keep_the_partition(edge: Edge) -> None:
    edge.store("north")
    root = "http://127.0.0.1/dicom-web/partitions/north/studies/"
    assert root.encode() in edge.ask("GET", "/dicom-web/partitions/north/studies").body
    assert root.encode() in edge.ask("GET", f"/dicom-web/partitions/north/{_instance_path()}/metadata").body


def test_the_feed_tells_of_all_partitions_and_is_in_none(edge: Edge) -> None:
    edge.store("north")
    edge.store("south")
    rows = json.loads(edge.ask("GET", "/v2/changefeed").body)
    assert [row["partitionName"] for row in rows] == ["north", "south"]
    assert edge.ask("GET", "/v2/partitions/north/changefeed").status == 404


# the list


def test_partitions_are_listed_in_the_order_in_which_they_were_begun(edge: Edge) -> None:
    edge.store("b")
    edge.store("a")
    answer = edge.ask("GET", "/v2/partitions")
    assert answer.headers["content-type"].startswith("application/json")
    first, *others = json.loads(answer.body)
    assert (first["partitionKey"], first["partitionName"]) == (1, DEFAULT_PARTITION)
    assert [one["partitionName"] for one in others] == ["b", "a"]
    assert others[0] == {"partitionKey": 2, "partitionName": "b", "createdDate": "2026-11-21T00:00:00.0000000+00:00"}


# refusals


@pytest.mark.parametrize("name", ["a b", "a%b", "ä", "x" * 65, "a;b", "a'b"])
def test_what_is_no_name_is_refused(edge: Edge, name: str) -> None:
    for answer in (edge.store(name), edge.ask("GET", f"/v2/partitions/{name}/studies")):
        assert (answer.status, answer.body) == (400, IS_INVALID)
    assert edge.names == [DEFAULT_PARTITION]


PARTITIONED = [route for route in ALL_ROUTES if route.is_in_partition and route.action is not None]
GLOBAL = [route for route in ALL_ROUTES if not route.is_in_partition]


def _name_of(route: Route) -> str:
    return f"{route.method} {route.pattern[:60]}"


@pytest.mark.parametrize("route", PARTITIONED, ids=_name_of)
def test_every_route_of_a_resource_needs_the_segment_where_there_are_partitions(edge: Edge, route: Route) -> None:
    for root in sorted(route.roots.intersection(AZURE_ROOTS)):
        answer = edge.ask(route.method, f"{root}/{_example(route)}")
        assert (answer.status, answer.body) == (400, IS_MISSING)


@pytest.mark.parametrize("route", PARTITIONED, ids=_name_of)
def test_every_route_of_a_resource_refuses_the_segment_where_there_are_none(edge: Edge, route: Route) -> None:
    for root in sorted(route.roots):
        path = f"{root}/partitions/{DEFAULT_PARTITION}/{_example(route)}"
        answer = edge.without_partitions().ask(route.method, path)
        assert (answer.status, answer.body) == (400, IS_OFF)


@pytest.mark.parametrize(
    "route", [route for route in PARTITIONED if route.operation not in ("store", "add-workitem")], ids=_name_of
)
def test_every_other_route_leads_only_to_partitions_that_are_there(edge: Edge, route: Route) -> None:
    for root in sorted(route.roots):
        answer = edge.ask(route.method, f"{root}/partitions/nowhere/{_example(route)}")
        assert (answer.status, answer.body) == (400, IS_UNKNOWN)
    assert edge.names == [DEFAULT_PARTITION]


def _asked_of_the_instance(route: Route) -> str:
    one = HERE.identifier
    values = {
        "{study}": one.study_instance_uid,
        "{series}": one.series_instance_uid,
        "{instance}": one.sop_instance_uid,
        "{frames}": "1",
        "{path0}": "7FE00010",
        "{workitem}": "1.2.3",
    }
    query = ""
    if route.pattern == "wado":
        uids = f"studyUID={one.study_instance_uid}&seriesUID={one.series_instance_uid}&objectUID={one.sop_instance_uid}"
        query = f"?requestType=WADO&{uids}"
    return "/".join(values.get(part, part) for part in route.segments) + query


READ = [
    route
    for route in PARTITIONED
    if route.method == "GET" and "{path1}" not in route.pattern and "workitem" not in route.operation
]


@pytest.mark.parametrize("route", READ, ids=_name_of)
def test_no_route_reads_what_lies_in_another_partition(edge: Edge, route: Route) -> None:
    edge.store("north")
    edge.store("south", content=make_instance(identify(2)).content)
    accept = JSON if route.operation in ("query", "retrieve-metadata") else {"accept": "*/*"}
    if route.operation == "retrieve-rendered":
        accept = {"accept": "image/jpeg"}
    path = _asked_of_the_instance(route)
    for root in sorted(route.roots):
        there = edge.ask("GET", f"{root}/partitions/north/{path}", headers=accept)
        assert there.status == 200, there.body
        elsewhere = edge.ask("GET", f"{root}/partitions/south/{path}", headers=accept)
        if route.pattern in ("studies", "series", "instances"):  # there is another to be found
            uid = f'"{HERE.identifier.study_instance_uid}"'.encode()
            assert (elsewhere.status, uid in there.body, uid in elsewhere.body) == (200, True, False)
        else:
            assert elsewhere.status in (204, 404), elsewhere.body


@pytest.mark.parametrize("route", GLOBAL, ids=_name_of)
def test_what_is_about_all_partitions_is_in_none(edge: Edge, route: Route) -> None:
    root = min(route.roots)
    assert edge.ask(route.method, f"{root}/partitions/{DEFAULT_PARTITION}/{_example(route)}").status == 404


def test_without_partitions_there_is_no_list(edge: Edge) -> None:
    answer = edge.without_partitions().ask("GET", "/v2/partitions")
    assert (answer.status, answer.body) == (400, IS_OFF)


def test_under_the_root_of_the_standard_a_path_without_partition_means_the_default_one(edge: Edge) -> None:
    stored = edge.ask("POST", "/dicom-web/studies", headers=DICOM, body=[HERE.content])
    assert stored.status == 200
    assert b"/partitions/" not in stored.body
    assert edge.ask("GET", f"/v2/partitions/{DEFAULT_PARTITION}/{_instance_path()}/metadata").status == 200


def test_a_store_without_leave_to_write_begins_nothing(edge: Edge) -> None:
    reader = edge.by(Principal("reader", READER_ACTIONS))
    assert reader.store("north").status == 403
    assert reader.ask("GET", "/v2/partitions/north/studies").body == IS_UNKNOWN
    assert edge.names == [DEFAULT_PARTITION]


def test_who_may_do_something_in_one_partition_may_not_in_another(edge: Edge) -> None:
    grant = PartitionGrant("north", frozenset({DataAction.READ, DataAction.WRITE}))
    here = edge.by(Principal("north's", frozenset(), partition_grants=(grant,)))
    assert here.store("north").status == 200
    assert here.store("south").status == 403
    assert here.ask("GET", "/v2/partitions").status == 403


def test_a_partition_that_was_entered_is_not_asked_for_again(edge: Edge) -> None:
    class _Counting(MemoryPartitions):
        found = 0

        def find(self, partition_name: str) -> Any:
            self.found += 1
            return super().find(partition_name)

    counting = _Counting()
    counting.create("north", now=0.0)
    service = replace(edge.service, archive=replace(edge.archive, partitions=counting))
    application = DicomwebApplication(service, root_path="/v2")
    for _ in range(3):
        assert ask(application, "GET", "/v2/partitions/north/studies", headers=JSON).status == 204
    assert counting.found == 1
