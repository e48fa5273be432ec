"""The project's Postman collection: it has a request for every route, and newman runs it against a node over https."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route as WebRoute

from isocenter.dicomweb.server.routes import ALL_ROUTES, routes_under
from isocenter.web.provider_routes import provider_routes
from scripts.make_samples import make_samples
from tests.support.newman import COLLECTION, run_collection
from tests.support.secure_node import SecureNode, serve_securely
from tests.support.shared_data import find_shared_data

pytestmark = pytest.mark.interop

PARTITIONS_ON = {"ISOCENTER_AZURE_PARTITIONS": "on"}
VARIABLE = re.compile(r"\{\{\w+\}\}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the collection."""

    name: str
    method: str
    url: str
    script: str
    """What checks its answer."""


@cache
def _requests() -> tuple[Asked, ...]:
    document = json.loads(COLLECTION.read_text(encoding="utf-8"))
    return tuple(_asked(item) for item in _items(document["item"]))


def _items(members: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for member in members:
        if "request" in member:
            yield member
        else:
            yield from _items(member["item"])


def _asked(item: dict[str, Any]) -> Asked:
    scripts = [event["script"]["exec"] for event in item["event"] if event["listen"] == "test"]
    script = "\n".join(line for lines in scripts for line in lines)
    return Asked(item["name"], item["request"]["method"], item["request"]["url"]["raw"], script)


def _route_of(asked: Asked) -> tuple[str, str] | None:
    """Return method and pattern of the route that answers a request, as the edge finds it."""
    root, _, path = asked.url.partition("?")[0].replace("{{partitionPath}}", "").partition("{{version}}/")
    if root != "{{service}}/":
        return None
    segments = VARIABLE.sub("1", path).split("/")
    for route in routes_under("/v2").get(len(segments), ()):
        if route.method == asked.method and route.match(segments) is not None:
            return route.method, route.pattern
    return None


def test_every_route_of_the_service_has_a_request() -> None:
    asked = {_route_of(one) for one in _requests()}
    offered = {(route.method, route.pattern) for route in ALL_ROUTES if "{path1}" not in route.pattern}
    assert offered - asked == set(), "add a request to the collection"


def test_every_route_of_the_identity_provider_has_a_request() -> None:
    asked = {
        (one.method, VARIABLE.sub("tenant", one.url.partition("?")[0].removeprefix("{{authority}}")))
        for one in _requests()
        if one.url.startswith("{{authority}}")
    }
    routes = provider_routes(None, None)  # type: ignore[arg-type]  # nothing is asked of them here
    offered = {
        (method, route.path.replace("{tenant}", "tenant"))
        for route in routes
        if isinstance(route, WebRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert offered - asked == set(), "add a request to the collection"


def test_no_request_is_for_a_route_that_is_not_there() -> None:
    lost = [one.name for one in _requests() if "{{version}}" in one.url and _route_of(one) is None]
    assert lost == []


def test_names_are_used_once() -> None:
    names = [one.name for one in _requests()]
    assert [name for name in names if names.count(name) > 1] == []


@pytest.fixture(params=["published", "drawn"])
def samples(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with the three files: those that Azure's tutorials use where they are there, and our own."""
    found = find_shared_data()
    if request.param == "published" and found is not None:
        return found / "azure-tutorial"
    make_samples(tmp_path / "samples")
    return tmp_path / "samples"


def _variables(node: SecureNode, **more: str) -> Mapping[str, str]:
    one = node.register("postman", "--role", "owner")
    return {
        "service": node.base_url,
        "authority": node.base_url,
        "tenant": one.tenant_id,
        "clientId": one.client_id,
        "clientSecret": one.secret,
        **more,
    }


def test_newman_runs_it_against_a_node(tmp_path: Path, samples: Path) -> None:
    with serve_securely(tmp_path / "node") as node:
        checks = run_collection(tmp_path, working_dir=samples, variables=_variables(node), authority=node.authority)
    assert [check for check in checks if check.failure] == []
    assert {check.request for check in checks} == {one.name for one in _requests()}


@pytest.mark.parametrize(
    ("version", "partition_path"), [("v1", ""), ("v1.0-prerelease", ""), ("v2", "/partitions/north")]
)
def test_newman_runs_it_against_other_versions_and_in_a_partition(
    tmp_path: Path, version: str, partition_path: str
) -> None:
    make_samples(tmp_path / "samples")
    with serve_securely(tmp_path / "node", environment=PARTITIONS_ON if partition_path else None) as node:
        variables = _variables(node, version=version, partitionPath=partition_path)
        checks = run_collection(
            tmp_path, working_dir=tmp_path / "samples", variables=variables, authority=node.authority
        )
    assert [check for check in checks if check.failure] == []
    left_out = {one.name for one in _requests()} - {check.request for check in checks}
    assert bool(left_out) is (version != "v2")


class _Nonsense(BaseHTTPRequestHandler):
    """Answers everything with what no request expects."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(418)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - names of http.server

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def _nonsense() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nonsense) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_every_request_has_a_check_that_fails_where_the_answer_is_wrong(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples")
    with _nonsense() as url:
        variables = {"service": url, "authority": url, "study": "1", "series": "2", "instance": "3", "otherSeries": "4"}
        checks = run_collection(tmp_path, working_dir=tmp_path / "samples", variables=variables)
    failed = {check.request for check in checks if check.failure}
    assert {one.name for one in _requests()} - failed == set()
