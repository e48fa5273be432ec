"""A started node answers as its OpenAPI document says, whatever it is asked within and beyond that document.

Each route of each root gets requests made of its description, right ones and wrong ones. No answer may be a fault of
the node; status, media type, headers and content must be among those described.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from isocenter.dicomweb.server.routes import described_under
from tests.support.described_api import (
    DICOM,
    IN_PARTITION,
    PARTITION,
    TAG,
    Operation,
    Request,
    Stored,
    instance_of,
    is_of_type,
    new_stored,
    plain_request,
    promised_types,
    register_media_types,
    requests_of,
)
from tests.support.processes import Node, serve
from tests.support.workitems import attribute, creation

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
REQUESTS, REQUESTS_LONG = 8, 300
"""Of each kind for each route: about a minute in all, and about half an hour."""
ROOTS = ("/v1", "/v2", "/dicom-web")
MODES = {"right": GenerationMode.POSITIVE, "wrong": GenerationMode.NEGATIVE}
ROUTES = [
    pytest.param(root, route.description.name, id=f"{root} {route.description.name}")
    for root in ROOTS
    for route in described_under(root)
]
IN_PARTITIONS = frozenset(route.description.name for route in described_under("/v2") if route.is_in_partition)
INVARIABLE = frozenset({"ListPartitions", "ReadOpenapiJson", "ReadOpenapiYaml"})
"""Routes without a parameter or a body: one request is like the other."""
NOTHING_TO_GET_WRONG = INVARIABLE | {"StoreInstances", "StoreOrReplaceInstances"}
"""What is wrong in a body of bytes the right ones have too."""
VARIABLE = [one for one in ROUTES if one.values[1] not in INVARIABLE]
FALLIBLE = [one for one in ROUTES if one.values[1] not in NOTHING_TO_GET_WRONG]
NEVER_WELL = {"ListPartitions": 400, "PauseOperation": 404}
"""Where this node has no partitions, and no operation that goes on."""
ONE_AT_A_TIME = frozenset({"AddExtendedQueryTags", "UpdateStudies"})
"""What is refused while an earlier one goes on."""
NONSENSE = "no such value"
LENIENT = {("/dicom-web", "includefield")}
"""What is passed over with a warning where it means nothing (PS3.18 8.3.4.3)."""


@dataclass
class Api:
    """A node and what it says of itself."""

    node: Node
    session: requests.Session
    prefix: str = ""
    """What stands between root and path of what is in a partition."""
    schemas: dict[str, OpenApiSchema] = field(default_factory=dict)

    def operation(self, root: str, name: str) -> Operation:
        if root not in self.schemas:
            register_media_types()
            self.schemas[root] = schemathesis.openapi.from_url(f"{self.node.base_url}{root}/api.json")
        is_in_partition = self.prefix and name in IN_PARTITIONS
        return self.schemas[root].find_operation_by_id(IN_PARTITION + name if is_in_partition else name)

    @cached_property
    def operation_id(self) -> str:
        """Return an operation that has ended."""
        body: Any = {"destination": {"type": "folder", "settings": {"path": "first"}}}
        started = self.session.post(f"{self.node.base_url}/v2{self.prefix}/export", json=body).json()
        address = f"{self.node.base_url}/v2/operations/{started['id']}"
        self.node.process.wait_until(lambda: self.session.get(address).status_code == httpx.codes.OK)
        return str(started["id"])

    def prepare(self, name: str) -> Stored:
        """Store an instance and create a workitem for the requests of one test."""
        stored = new_stored(seed=zlib.crc32(name.encode()))
        headers = {"Content-Type": DICOM}
        answer = self.session.post(
            f"{self.node.dicomweb_url}{self.prefix}/studies", instance_of(stored.number), headers=headers
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        document = [creation(t00080018=attribute("UI", f"{stored.parameters['instance']}.5"))]
        answer = self.session.post(f"{self.node.dicomweb_url}{self.prefix}/workitems", json=document)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        if "ExtendedQueryTag" in name and "ExtendedQueryTags" not in name:
            self._begin_tag()
        workitem = answer.headers["location"].rpartition("/")[2]
        return Stored({**stored.parameters, "workitem": workitem, "operation": self.operation_id})

    def _begin_tag(self) -> None:
        """Add the tag that requests ask for, unless it is there, and wait until searches can use it."""
        tags = f"{self.node.base_url}/v2/extendedquerytags"
        entry: Any = [{"path": TAG, "level": "Study"}]

        def is_ready() -> bool:
            found = self.session.get(f"{tags}/{TAG}")
            if found.status_code == httpx.codes.NOT_FOUND:
                self.session.post(tags, json=entry)
            return found.status_code == httpx.codes.OK and found.json()["status"] == "ready"

        self.node.process.wait_until(is_ready)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serve(tmp_path_factory.mktemp("described") / "data") as node, _session() as session:
        yield Api(node, session)


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return a node whose studies and workitems lie in partitions."""
    arguments = ("--auth", "off", "--set", "azure.partitions=on")
    with (
        serve(tmp_path_factory.mktemp("divided") / "data", arguments=arguments) as node,
        _session() as session,
    ):
        yield Api(node, session, f"/partitions/{PARTITION}")


def _session() -> requests.Session:
    session = requests.Session()
    session.headers.clear()  # what a session always sends would win over what a request says it accepts
    return session


def _ask(api: Api, root: str, name: str, *, count: int, kind: str) -> dict[int, int]:
    """Send requests and check each answer; return how often each status came."""
    operation = api.operation(root, name)
    stored = api.prepare(f"{root} {name} {kind} {count}")
    statuses: dict[int, int] = {}

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case: Request = data.draw(requests_of(operation, MODES[kind], stored))
        answer = case.call(session=api.session)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    return statuses


@pytest.mark.parametrize(("root", "name"), VARIABLE)
def test_right_requests_are_answered_as_described(api: Api, root: str, name: str) -> None:
    _ask(api, root, name, count=REQUESTS, kind="right")


@pytest.mark.parametrize(("root", "name"), FALLIBLE)
def test_wrong_requests_are_answered_as_described(api: Api, root: str, name: str) -> None:
    _ask(api, root, name, count=REQUESTS, kind="wrong")


def _call(api: Api, name: str, case: Request) -> Response:
    """Return the answer to a request, once what it competes with has ended."""
    answers = [case.call(session=api.session)]

    def is_its_turn() -> bool:
        if name in ONE_AT_A_TIME and answers[-1].status_code == httpx.codes.CONFLICT:
            answers.append(case.call(session=api.session))
        return answers[-1].status_code != httpx.codes.CONFLICT

    if name in ONE_AT_A_TIME:
        api.node.process.wait_until(is_its_turn)
    return answers[-1]


@pytest.mark.parametrize(("root", "name"), ROUTES)
def test_every_media_type_that_is_promised_is_given(api: Api, root: str, name: str) -> None:
    _ask_for_what_is_promised(api, root, name)


@pytest.mark.parametrize("name", sorted({*IN_PARTITIONS, "ListPartitions"}))
def test_every_media_type_that_is_promised_is_given_in_a_partition(divided: Api, name: str) -> None:
    _ask_for_what_is_promised(divided, "/v2", name)


def _ask_for_what_is_promised(api: Api, root: str, name: str) -> None:
    operation = api.operation(root, name)
    for media_type in promised_types(operation):
        stored = api.prepare(f"{root} {name} {media_type}")
        case = plain_request(operation, stored, media_type)
        answer = _call(api, name, case)
        case.validate_response(answer, checks=CHECKS)
        if name in NEVER_WELL and not (api.prefix and name == "ListPartitions"):
            assert answer.status_code == NEVER_WELL[name]
        else:
            assert answer.status_code < 300, f"{media_type}: {answer.status_code} {answer.text[:200]}"
            assert is_of_type(answer.headers.get("content-type", [""])[0], media_type), answer.headers


@pytest.mark.parametrize(("root", "name"), ROUTES)
def test_every_parameter_of_the_query_is_read(api: Api, root: str, name: str) -> None:
    """A value that means nothing is refused or finds nothing."""
    operation = api.operation(root, name)
    stored = api.prepare(f"{root} {name} parameters")
    unread = []
    for parameter in operation.query:
        if (root, parameter.name) in LENIENT or name in NEVER_WELL:
            continue
        case = plain_request(operation, stored, promised_types(operation)[0])
        case.query[parameter.name] = NONSENSE
        answer = case.call(session=api.session)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code not in (204, 400, 404, 406):
            unread.append((parameter.name, answer.status_code))
    assert unread == []


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("root", "name"), VARIABLE)
def test_many_right_requests_are_answered_as_described(api: Api, root: str, name: str) -> None:
    _ask(api, root, name, count=REQUESTS_LONG, kind="right")


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("root", "name"), FALLIBLE)
def test_many_wrong_requests_are_answered_as_described(api: Api, root: str, name: str) -> None:
    _ask(api, root, name, count=REQUESTS_LONG, kind="wrong")
