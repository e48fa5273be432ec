"""Exports into containers of a real object store, azurite, through the routes of a node (dicom-service 11.1, 15.5)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.support.azurite import Azurite, azurite
from tests.support.instances import identify
from tests.support.processes import Node, serve
from tests.support.small_instances import make_instance

pytestmark = pytest.mark.interop

TIMEOUT_S = 60
INSTANCES = [
    make_instance(identify(study, series, number)) for study in (1, 2) for series in (1, 2) for number in (1, 2)
]
LARGE = make_instance(identify(3), size_bytes=4_000_000)


@pytest.fixture(scope="module")
def store() -> Iterator[Azurite]:
    with azurite() as server:
        server.create_container("exports")
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("data")) as node:
        for instance in (*INSTANCES, LARGE):
            headers = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}
            answer = httpx.post(
                f"{node.base_url}/v2/studies", content=instance.content, headers=headers, trust_env=False
            )
            assert answer.status_code in (200, 202), answer.text
        yield node


def _start(node: Node, settings: dict[str, Any], *names: str) -> httpx.Response:
    body: dict[str, Any] = {"destination": {"type": "azureblob", "settings": settings}}
    if names:
        body["source"] = {"type": "identifiers", "settings": {"values": list(names)}}
    return httpx.post(f"{node.base_url}/v2/export", json=body, trust_env=False, timeout=TIMEOUT_S)


def _result(answer: httpx.Response) -> Any:
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["href"]
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        operation = httpx.get(answer.headers["Location"], trust_env=False)
        if operation.status_code == 200:
            return operation.json()
        assert operation.status_code == 202, operation.text
        time.sleep(0.05)
    raise AssertionError("the operation did not end in time")


def test_what_is_named_lands_in_the_container_and_what_is_missing_in_its_log(node: Node, store: Azurite) -> None:
    by_connection_string = {"connectionString": store.connection_string, "blobContainerName": "exports"}
    study, series, instance = identify(1), identify(2, 1), identify(3)
    names = (
        study.study_instance_uid,
        f"{series.study_instance_uid}/{series.series_instance_uid}",
        f"{instance.study_instance_uid}/{instance.series_instance_uid}/{instance.sop_instance_uid}",
        "1.2.3",
        "1.2.3/4",
        "1.2.3/4/5",
    )
    operation = _result(_start(node, by_connection_string, *names))
    assert (operation["type"], operation["status"]) == ("export", "succeeded")
    assert "percentComplete" not in operation
    results = operation["results"]
    assert (results["exported"], results["skipped"]) == (7, 3)
    expected = [*INSTANCES[:4], *INSTANCES[4:6], LARGE]
    for one in expected:
        uids = one.identifier
        path = f"{uids.study_instance_uid}/{uids.series_instance_uid}/{uids.sop_instance_uid}.dcm"
        assert store.blob("exports", f"{operation['operationId']}/results/{path}") == one.content
    log = store.blob("exports", f"{operation['operationId']}/errors.log")
    assert [orjson.loads(line)["identifier"] for line in log.splitlines()] == list(names[3:])
    assert results["errorHref"] == f"{store.endpoint}/exports/{operation['operationId']}/errors.log"


def test_a_container_with_a_shared_access_signature_takes_an_export(node: Node, store: Azurite) -> None:
    address = f"{store.endpoint}/exports?{store.shared_access('rwdlc')}"
    study = identify(3).study_instance_uid
    operation = _result(_start(node, {"blobContainerUri": address}, study))
    assert (operation["status"], operation["results"]["exported"]) == ("succeeded", 1)
    assert "sig=" not in operation["results"]["errorHref"]


def test_a_container_that_is_not_there_is_refused_at_once(node: Node, store: Azurite) -> None:
    answer = _start(node, {"connectionString": store.connection_string, "blobContainerName": "nowhere"}, "1.2.3")
    assert (answer.status_code, answer.text) == (
        400,
        "The container of the export is not there, or it denies access.",
    )


def test_a_container_without_access_is_refused_at_once(node: Node, store: Azurite) -> None:
    answer = _start(node, {"blobContainerUri": f"{store.endpoint}/exports?sv=2021-12-02&sig=wrong"}, "1.2.3")
    assert answer.status_code == 400


def test_the_first_version_has_another_word_for_the_end(node: Node, store: Azurite) -> None:
    body = {
        "source": {"type": "identifiers", "settings": {"values": ["1.2.3"]}},
        "destination": {
            "type": "azureblob",
            "settings": {"connectionString": store.connection_string, "blobContainerName": "exports"},
        },
    }
    answer = httpx.post(f"{node.base_url}/v1/export", json=body, trust_env=False, timeout=TIMEOUT_S)
    assert _result(answer)["status"] == "completed"
    prerelease = httpx.post(f"{node.base_url}/v1.0-prerelease/export", json=body, trust_env=False)
    assert prerelease.status_code == 404


def test_an_export_to_a_folder_stays_below_the_nodes_own(node: Node) -> None:
    body = {"destination": {"type": "folder", "settings": {"path": "trial"}}}
    operation = _result(httpx.post(f"{node.base_url}/v2/export", json=body, trust_env=False))
    assert operation["results"]["exported"] == len(INSTANCES) + 1
    written = Path(httpx.URL(operation["results"]["errorHref"]).path).parent
    assert len(list(written.rglob("*.dcm"))) == len(INSTANCES) + 1
    body["destination"]["settings"] = {"path": "../trial"}
    assert httpx.post(f"{node.base_url}/v2/export", json=body, trust_env=False).status_code == 400
