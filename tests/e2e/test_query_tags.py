"""Extended query tags of a started node: settings, roles at the edge, and what a rebuilt index still knows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.command_line import CommandLine
from tests.support.dicomweb import JSON, client, get, post_instance
from tests.support.instances import identify
from tests.support.processes import Node, serve
from tests.support.query_tags import NUMBER_OF_FILMS, PATIENT_AGE, file_with

TIMEOUT_S = 60.0
POLL_S = 0.02
AGE, FILMS = {"path": "PatientAge", "level": "Study"}, {"path": "NumberOfFilms", "level": "Instance"}


def _post(node: Node, *entries: dict[str, str]) -> httpx.Response:
    return client().post(f"{node.base_url}/v2/extendedquerytags", json=list(entries))


def _add(node: Node, *entries: dict[str, str]) -> None:
    answer = _post(node, *entries)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    deadline = time.monotonic() + TIMEOUT_S
    while (operation := client().get(answer.json()["href"])).status_code == httpx.codes.ACCEPTED:
        assert operation.headers["location"] == answer.json()["href"]
        assert time.monotonic() < deadline, operation.text
        time.sleep(POLL_S)
    assert operation.json()["status"] == "succeeded"


def _tags(node: Node) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client().get(f"{node.base_url}/v2/extendedquerytags").json()
    return found


def _count(node: Node, query: str) -> int:
    answer = get(f"{node.base_url}/v2/instances?{query}", JSON)
    assert answer.status_code in (httpx.codes.OK, httpx.codes.NO_CONTENT), answer.text
    return len(answer.json()) if answer.content else 0


def test_tags_outlive_a_restart_and_a_rebuild_of_the_index(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    values = {PATIENT_AGE: ("AS", b"042Y"), NUMBER_OF_FILMS: ("IS", b"03")}
    with serve(data_dir) as node:
        post_instance(f"{node.base_url}/dicom-web", file_with(identify(1), values))
        post_instance(f"{node.base_url}/dicom-web", file_with(identify(2), {PATIENT_AGE: ("AS", b"7Y")}))
        _add(node, AGE, FILMS)
        post_instance(f"{node.base_url}/v2", file_with(identify(3), values))
        before = _tags(node)
        assert [one["status"] for one in before] == ["ready", "ready"]
        assert before[0]["errors"]["count"] == 1
        assert _count(node, "NumberOfFilms=3") == 2
    command = CommandLine(tmp_path / "state").run("reindex", "--data-dir", data_dir)
    assert command.code == 0, command
    with serve(data_dir) as node:
        after = _tags(node)
        for one in (*before, *after):
            one.pop("errors", None)  # their address has the port of the node
        assert after == before
        assert _count(node, "NumberOfFilms=003") == 2
        client().patch(f"{node.base_url}/v2/extendedquerytags/PatientAge", json={"queryStatus": "enabled"})
        assert _count(node, "PatientAge=042Y") == 2


def test_the_number_of_tags_and_operations_have_settings(tmp_path: Path) -> None:
    with serve(tmp_path / "one", environment={"ISOCENTER_AZURE_EXTENDED_QUERY_TAGS_MAX": "1"}) as node:
        _add(node, AGE)
        answer = _post(node, FILMS)
        assert (answer.status_code, answer.text) == (400, "Extended query tags exceeds max allowed count '1'.")
    with serve(tmp_path / "two", environment={"ISOCENTER_AZURE_OPERATIONS": "off"}) as node:
        closed = "Asynchronous operations are temporarily disabled. Please try again later."
        answer = _post(node, AGE)
        assert (answer.status_code, answer.text) == (400, closed)
        destination = {"type": "folder", "settings": {"path": "x"}}
        export = client().post(f"{node.base_url}/v2/export", json={"destination": destination})
        assert (export.status_code, export.text) == (400, closed)
