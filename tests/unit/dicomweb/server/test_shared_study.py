"""Whoever came by a link to one study reaches that study by every route that reads studies, nothing by any other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import ALL_ROUTES, ROOTS, Route
from isocenter.dicomweb.server.service import Service
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import Principal, SharedStudy
from tests.support.asgi_call import Answer, ask
from tests.support.console_studies import ROOT, make_instance
from tests.support.memory_archive import memory_archive, store

SHARED, OTHER = f"{ROOT}.1", f"{ROOT}.2"
BY_LINK = Principal("by link", frozenset(), shared_study=SharedStudy(SHARED, DEFAULT_PARTITION))
FEW_STEPS = [route for route in ALL_ROUTES if "{path4}" not in route.pattern]
REQUESTS = [(route, root) for route in FEW_STEPS for root in sorted(route.roots)]
IDS = [f"{route.method} {root}/{route.pattern}" for route, root in REQUESTS]
SEARCHES = frozenset({"studies", "series", "instances"})
STUDY_READS = frozenset({"query", "retrieve", "retrieve-metadata", "retrieve-rendered"})


@dataclass(slots=True)
class Edge:
    service: Service

    def ask(self, route: Route, root: str, study: str) -> Answer:
        parts = {"study": study, "series": f"{study}.1", "instance": f"{study}.1.1", "frames": "1", "path1": "7FE00010"}
        segments = (parts.get(part.strip("{}"), "1") if part[:1] == "{" else part for part in route.segments)
        return self.get("/".join(segments), root, method=route.method)

    def get(self, path: str, root: str = "/dicom-web", *, method: str = "GET") -> Answer:
        bare, _, query = path.partition("?")
        kind = "image/jpeg" if bare.endswith(("/rendered", "/thumbnail")) else "*/*"
        headers = {"accept": kind, "content-type": "application/dicom+json"}
        return ask(
            DicomwebApplication(self.service, root_path=root), method, f"{root}/{bare}", headers=headers, query=query
        )


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with memory_archive() as archive, ThreadPoolExecutor(2) as executor, capture_logs():
        for study, number in itertools.product((1, 2), (1, 2)):
            store(archive, make_instance(study, number=number, PatientID="SAME"))
        yield Edge(Service(archive, executor, lambda headers: BY_LINK))


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_no_route_leads_to_another_study(edge: Edge, route: Route, root: str) -> None:
    answer = edge.ask(route, root, OTHER)
    assert OTHER.encode() not in answer.body
    if route.action is not None and route.pattern not in SEARCHES:
        assert answer.status in (400, 403, 404)  # what names no study at all is malformed before it is refused


@pytest.mark.parametrize(("route", "root"), REQUESTS, ids=IDS)
def test_all_routes_that_read_studies_lead_to_the_shared_one_and_no_other_does(
    edge: Edge, route: Route, root: str
) -> None:
    answer = edge.ask(route, root, SHARED)
    if route.action is None:
        return
    if route.method != "GET" or route.operation not in STUDY_READS:
        assert answer.status == 403
    elif "{study}" in route.pattern and "bulkdata" not in route.pattern:
        assert answer.status == 200, answer.body


@pytest.mark.parametrize("root", sorted(ROOTS))
@pytest.mark.parametrize("level", sorted(SEARCHES))
@pytest.mark.parametrize(
    "query", ["", "PatientID=SAME", f"StudyInstanceUID={OTHER}", "PatientName=*", "limit=1&offset=1"]
)
def test_no_search_tells_of_another_study(edge: Edge, root: str, level: str, query: str) -> None:
    answer = edge.get(f"{level}?{query}&includefield=all", root)
    assert OTHER.encode() not in answer.body
    assert answer.status in (200, 204)


def test_a_search_tells_how_much_the_patient_has_in_no_other_study(edge: Edge) -> None:
    answer = edge.get("studies?includefield=00201200,00201202,00201204")
    assert b"00201200" not in answer.body
    assert SHARED.encode() in answer.body


@pytest.mark.parametrize("kind", ["application/dicom", "image/jpeg"])
def test_single_objects_by_query_are_of_the_shared_study_alone(edge: Edge, kind: str) -> None:
    def wado(study: str) -> Answer:
        names = f"studyUID={study}&seriesUID={study}.1&objectUID={study}.1.1"
        return edge.get(f"wado?requestType=WADO&{names}&contentType={kind}")

    assert wado(SHARED).status == 200
    assert wado(OTHER).status == 403
    mixed = edge.get(f"wado?requestType=WADO&studyUID={SHARED}&seriesUID={OTHER}.1&objectUID={OTHER}.1.1")
    assert mixed.status == 404


def test_series_of_another_study_are_not_found_below_the_shared_one(edge: Edge) -> None:
    for path in (
        f"studies/{SHARED}/series/{OTHER}.1",
        f"studies/{SHARED}/series/{OTHER}.1/instances/{OTHER}.1.1/frames/1",
    ):
        assert edge.get(path).status == 404
