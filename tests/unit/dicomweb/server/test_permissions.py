"""Every route for every kind of caller: the table of routes is compared with a second one, written by hand.

A route without a row here fails, and so does a row without its route.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest
from structlog.testing import capture_logs

from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import ALL_ROUTES, BULK_PATH_DEPTH_MAX, ROOTS, Route
from isocenter.dicomweb.server.service import Service
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import OWNER_ACTIONS, READER_ACTIONS, PartitionGrant, Principal
from tests.support.asgi_call import Answer, ask
from tests.support.memory_archive import memory_archive

STUDY = "studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"
WORKITEM = "workitems/{workitem}"
FRAMES = f"{INSTANCE}/frames/{{frames}}"
TAG = "extendedquerytags/{tag}"


@dataclass(frozen=True, slots=True)
class Row:
    """What a route promises."""

    operation: str
    """Its sub-type in the audit log."""
    reader_may: bool = True
    is_for_anybody: bool = False
    is_in_partition: bool = True


QUERY, STORE, DELETE = Row("query"), Row("store", reader_may=False), Row("delete", reader_may=False)
DESCRIPTION = Row("", is_for_anybody=True, is_in_partition=False)
RETRIEVE, METADATA, RENDERED = Row("retrieve"), Row("retrieve-metadata"), Row("retrieve-rendered")


def _change(operation: str, *, is_in_partition: bool = True) -> Row:
    return Row(operation, reader_may=False, is_in_partition=is_in_partition)


ROWS: dict[tuple[str, str], Row] = {
    ("OPTIONS", ""): DESCRIPTION,
    ("GET", "api.json"): DESCRIPTION,
    ("GET", "api.yaml"): DESCRIPTION,
    ("POST", "studies"): STORE,
    ("POST", STUDY): STORE,
    ("PUT", "studies"): STORE,
    ("PUT", STUDY): STORE,
    ("GET", "studies"): QUERY,
    ("GET", "series"): QUERY,
    ("GET", "instances"): QUERY,
    ("GET", f"{STUDY}/series"): QUERY,
    ("GET", f"{STUDY}/instances"): QUERY,
    ("GET", f"{SERIES}/instances"): QUERY,
    ("GET", "changefeed"): Row("change-feed", is_in_partition=False),
    ("GET", "changefeed/latest"): Row("change-feed", is_in_partition=False),
    ("GET", "partitions"): Row("partition", is_in_partition=False),
    ("GET", "operations/{operation}"): Row("operation", is_in_partition=False),
    ("PATCH", "operations/{operation}"): _change("operation", is_in_partition=False),
    ("POST", "export"): _change("export"),
    ("POST", "extendedquerytags"): _change("add-extended-query-tag", is_in_partition=False),
    ("GET", "extendedquerytags"): Row("get-all-extended-query-tag", is_in_partition=False),
    ("GET", TAG): Row("get-extended-query-tag", is_in_partition=False),
    ("DELETE", TAG): _change("remove-extended-query-tag", is_in_partition=False),
    ("PATCH", TAG): _change("update-extended-query-tag", is_in_partition=False),
    ("GET", f"{TAG}/errors"): Row("get-extended-query-tag-errors", is_in_partition=False),
    ("POST", "studies/$bulkUpdate"): _change("update-study"),
    ("GET", "wado"): RETRIEVE,
    ("GET", FRAMES): RETRIEVE,
    ("GET", f"{FRAMES}/rendered"): RENDERED,
    ("GET", f"{FRAMES}/thumbnail"): RENDERED,
    ("POST", "workitems"): _change("add-workitem"),
    ("GET", "workitems"): Row("query-workitem"),
    ("GET", WORKITEM): Row("retrieve-workitem"),
    ("POST", WORKITEM): _change("update-workitem"),
    ("PUT", f"{WORKITEM}/state"): _change("change-state-workitem"),
    ("POST", f"{WORKITEM}/cancelrequest"): _change("cancel-workitem"),
}
for _resource in (STUDY, SERIES, INSTANCE):
    ROWS |= {
        ("GET", _resource): RETRIEVE,
        ("GET", f"{_resource}/metadata"): METADATA,
        ("GET", f"{_resource}/rendered"): RENDERED,
        ("GET", f"{_resource}/thumbnail"): RENDERED,
        ("DELETE", _resource): DELETE,
    }
for _depth in range(1, BULK_PATH_DEPTH_MAX + 1):
    _tail = "/".join(f"{{path{step}}}" for step in range(_depth))
    ROWS["GET", f"{INSTANCE}/bulkdata/{_tail}"] = RETRIEVE

REQUESTS = [(route, root) for route in ALL_ROUTES if "{path1}" not in route.pattern for root in sorted(route.roots)]
IDS = [f"{route.method} {root}/{route.pattern}" for route, root in REQUESTS]

NORTH_OWNER = Principal("north owner", frozenset(), partition_grants=(PartitionGrant("north", OWNER_ACTIONS),))
NORTH_READER = Principal("north reader", frozenset(), partition_grants=(PartitionGrant("north", READER_ACTIONS),))
CALLERS = {
    one.name: one
    for one in (
        Principal("nobody", frozenset()),
        Principal("reader", READER_ACTIONS),
        Principal("owner", OWNER_ACTIONS),
        NORTH_OWNER,
        NORTH_READER,
    )
}


def _authenticate(headers: object) -> Principal:
    caller = CALLERS.get(headers.get("x-caller", ""))  # type: ignore[attr-defined]
    if caller is None:
        raise Unauthenticated()
    return caller


@dataclass(slots=True)
class Edge:
    """The edge over an archive in memory, which believes what a test says of the caller."""

    service: Service
    records: list[AuditRecord]

    def ask(self, route: Route, root: str, *, caller: str = "", partition: str = "") -> Answer:
        pattern = "/".join("1.2" if part.startswith("{") else part for part in route.segments)
        path = f"{root}/partitions/{partition}/{pattern}" if partition else f"{root}/{pattern}"
        headers = {"accept": "application/dicom+json", "content-type": "application/dicom+json"}
        if caller:
            headers["x-caller"] = caller
        return ask(DicomwebApplication(self.service, root_path=root), route.method, path, headers=headers)


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    records: list[AuditRecord] = []
    with memory_archive() as archive, ThreadPoolExecutor(2) as executor, capture_logs():
        service = Service(
            archive,
            executor,
            _authenticate,
            has_partitions=False,
            challenge=lambda base: f"Bearer at {base}",
            audit=records.append,
        )
        yield Edge(service, records)


@pytest.fixture(scope="module")
def divided(edge: Edge) -> Iterator[Edge]:
    with memory_archive() as archive:
        yield Edge(
            Service(archive, edge.service.executor, _authenticate, has_partitions=True, audit=edge.records.append),
            edge.records,
        )


def _row(route: Route) -> Row:
    return ROWS[route.method, route.pattern]


def _is_let_in(answer: Answer) -> bool:
    return answer.status not in (401, 403)


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    routes = {(route.method, route.pattern) for route in ALL_ROUTES}
    assert sorted(routes - ROWS.keys()) == [], "say in ROWS who may ask for these"
    assert sorted(ROWS.keys() - routes) == []


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: f"{route.method} {route.pattern[:60]}")
def test_a_route_is_recorded_under_its_sub_type_and_is_of_a_partition_or_not(route: Route) -> None:
    row = _row(route)
    assert (route.operation, route.action is None) == (row.operation, row.is_for_anybody)
    assert route.is_in_partition is row.is_in_partition


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_without_evidence_a_route_is_closed_and_says_what_to_do(edge: Edge, route: Route, root: str) -> None:
    answer = edge.ask(route, root)
    assert (answer.status == 401) is not _row(route).is_for_anybody
    assert (answer.headers.get("www-authenticate") == "Bearer at http://127.0.0.1") is not _row(route).is_for_anybody


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_without_a_role_a_route_is_closed(edge: Edge, route: Route, root: str) -> None:
    answer = edge.ask(route, root, caller="nobody")
    assert _is_let_in(answer) is _row(route).is_for_anybody
    if not _row(route).is_for_anybody:
        assert (answer.status, answer.body) == (403, b"Authorization failed.")


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_a_reader_may_read(edge: Edge, route: Route, root: str) -> None:
    row = _row(route)
    assert _is_let_in(edge.ask(route, root, caller="reader")) is (row.reader_may or row.is_for_anybody)


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_an_owner_may_do_everything(edge: Edge, route: Route, root: str) -> None:
    assert _is_let_in(edge.ask(route, root, caller="owner"))


@pytest.mark.parametrize("caller", ["north owner", "north reader"])
@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_a_role_in_a_partition_opens_that_partition_alone(
    edge: Edge, divided: Edge, route: Route, root: str, caller: str
) -> None:
    row = _row(route)
    may = row.is_for_anybody or (row.is_in_partition and (row.reader_may or caller == "north owner"))
    ask_divided = partial(divided.ask, route, root, caller=caller)
    if row.is_in_partition:
        assert _is_let_in(ask_divided(partition="north")) is may
        assert not _is_let_in(ask_divided(partition="south"))
        assert not _is_let_in(edge.ask(route, root, caller=caller)), "the default partition is not theirs"
    else:
        assert _is_let_in(ask_divided()) is may, "what is about all partitions needs a role in all of them"


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
@pytest.mark.parametrize("caller", ["", "reader"])
def test_every_request_leaves_a_record_before_and_one_after(edge: Edge, route: Route, root: str, caller: str) -> None:
    edge.records.clear()
    answer = edge.ask(route, root, caller=caller)
    before, after = edge.records
    assert (before.action, after.action) == (AuditAction.EXECUTING, AuditAction.EXECUTED)
    assert before.operation == after.operation == _row(route).operation
    assert (before.status, after.status) == (None, answer.status)
    assert before.correlation_id == after.correlation_id == answer.headers["x-ms-request-id"]
    assert (before.caller is None) == (not caller and not _row(route).is_for_anybody)
    assert before.method == route.method
    assert before.uri.startswith(f"http://127.0.0.1{root}")


def test_every_root_is_covered() -> None:
    assert {root for _, root in REQUESTS} == set(ROOTS)
