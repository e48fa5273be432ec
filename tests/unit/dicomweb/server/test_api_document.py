"""The OpenAPI document as the edge gives it (dicom-service 0.1)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator, validate

from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import ALL_ROUTES, ROOTS
from isocenter.dicomweb.server.service import Service
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import Principal
from tests.support.asgi_call import Answer, ask
from tests.support.memory_archive import memory_archive

AUTHORITY = "http://127.0.0.1/tenant"
METHODS = frozenset({"get", "put", "post", "delete", "options", "patch"})


def _nobody(_: object) -> Principal:
    raise Unauthenticated()


@dataclass(frozen=True, slots=True)
class Edge:
    service: Service

    def ask(self, root: str, name: str = "api.json", *, accept_encoding: str = "") -> Answer:
        headers = {"accept-encoding": accept_encoding} if accept_encoding else {}
        return ask(DicomwebApplication(self.service, root_path=root), "GET", f"{root}/{name}", headers=headers)

    def document(self, root: str) -> Any:
        return orjson.loads(self.ask(root).body)


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with memory_archive() as archive, ThreadPoolExecutor(1) as executor:
        challenge = f'Bearer authorization_uri="{AUTHORITY}", resource_id="https://audience"'
        yield Edge(Service(archive, executor, _nobody, challenge=lambda _: challenge))


def _operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


@pytest.mark.parametrize("root", ROOTS)
def test_the_document_is_valid_for_a_validator_of_others(edge: Edge, root: str) -> None:
    validate(edge.document(root), cls=OpenAPIV30SpecValidator)


@pytest.mark.parametrize("root", ROOTS)
def test_yaml_says_what_json_says(edge: Edge, root: str) -> None:
    answer = edge.ask(root, "api.yaml")
    assert answer.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(answer.body) == edge.document(root)


@pytest.mark.parametrize("root", ROOTS)
def test_the_document_has_every_route_of_its_root_and_no_other(edge: Edge, root: str) -> None:
    routes = {
        (route.method.lower(), "/" + route.pattern.replace("{path0}", "{path}"))
        for route in ALL_ROUTES
        if root in route.roots and "{path1}" not in route.pattern
    }
    assert {(method, path) for method, path, _ in _operations(edge.document(root))} == routes


def test_anybody_may_read_it_and_it_says_where_to_get_a_token(edge: Edge) -> None:
    document = edge.document("/v2")
    schemes = document["components"]["securitySchemes"]
    assert schemes["provider"]["openIdConnectUrl"] == f"{AUTHORITY}/.well-known/openid-configuration"
    assert document["paths"]["/api.json"]["get"]["security"] == []
    assert document["paths"]["/studies"]["get"]["security"] == [{"bearer": []}, {"provider": []}]
    assert document["paths"]["/studies"]["post"]["x-data-action"] == "write"


def test_where_nobody_is_asked_for_a_token_it_names_none(edge: Edge) -> None:
    document = Edge(replace(edge.service, challenge=None)).document("/v2")
    assert "securitySchemes" not in document["components"]
    assert all("security" not in operation for _, _, operation in _operations(document))


@pytest.mark.parametrize(
    ("root", "are_there"),
    [("/v2", (False, True)), ("/dicom-web", (True, True))],
    ids=["by Azure's rules a path needs its partition", "by the standard it may have one"],
)
def test_with_partitions_the_paths_lead_through_them(edge: Edge, root: str, are_there: tuple[bool, bool]) -> None:
    document = Edge(replace(edge.service, has_partitions=True)).document(root)
    validate(document, cls=OpenAPIV30SpecValidator)
    paths = document["paths"]
    assert ("/studies" in paths, "/partitions/{partition}/studies" in paths) == are_there
    assert "/changefeed" in paths
    assert "/partitions/{partition}/changefeed" not in paths


def test_it_names_the_address_that_was_asked(edge: Edge) -> None:
    assert edge.document("/v2")["servers"] == [{"url": "http://127.0.0.1/v2"}]


def test_a_later_version_has_what_an_earlier_one_lacks(edge: Edge) -> None:
    assert "put" in edge.document("/v2")["paths"]["/studies"]
    assert "put" not in edge.document("/v1")["paths"]["/studies"]
    assert "/export" not in edge.document("/v1.0-prerelease")["paths"]


def test_it_comes_compressed_where_that_is_taken(edge: Edge) -> None:
    answer = edge.ask("/v2", accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert orjson.loads(gzip.decompress(answer.body)) == edge.document("/v2")


@pytest.mark.parametrize("root", ROOTS)
def test_the_capabilities_are_those_of_the_document(edge: Edge, root: str) -> None:
    application = DicomwebApplication(edge.service, root_path=root)
    told = orjson.loads(ask(application, "OPTIONS", root, headers={"accept": "application/json"}).body)
    capabilities = {
        (f"/{resource['path']}", method["name"].lower()): (
            method["parameters"],
            method["request"],
            set(method["response"]),
        )
        for resource in told["resources"]
        for method in resource["methods"]
    }
    described = {
        (path, method): (
            [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"],
            list(operation.get("requestBody", {}).get("content", {})),
            {
                media_type
                for status, answer in operation["responses"].items()
                if status < "300"
                for media_type in answer.get("content", {})
            },
        )
        for method, path, operation in _operations(edge.document(root))
        if path != "/"
    }
    assert capabilities == described
