"""Workitems of a started node: the flow that a client of the service follows, kept over restarts and kills."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.dicomweb import client
from tests.support.processes import Node, serve
from tests.support.workitems import attribute, code, creation, performed, uid_of

JSON = {"Accept": "application/dicom+json", "Content-Type": "application/dicom+json"}
LOCK = "2.25.7771"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("node") / "data") as running:
        yield running


def _send(node: Node, method: str, path: str, document: object = None, root: str = "/v2") -> httpx.Response:
    content = None if document is None else json.dumps([document]).encode()
    return client().request(method, f"{node.base_url}{root}/{path}", headers=JSON, content=content)


def _document(number: int, **attributes: dict[str, Any]) -> dict[str, Any]:
    return creation(t00080018=attribute("UI", uid_of(number)), **attributes)


def _claim(node: Node, number: int, uid: str = LOCK, state: str = "IN PROGRESS") -> httpx.Response:
    wanted = {"00081195": attribute("UI", uid), "00741000": attribute("CS", state)}
    return _send(node, "PUT", f"workitems/{uid_of(number)}/state", wanted)


def test_a_workitem_goes_from_creation_to_completion(node: Node) -> None:
    created = _send(node, "POST", f"workitems?{uid_of(1)}", _document(1))
    assert created.status_code == httpx.codes.CREATED
    assert created.headers["location"] == f"{node.base_url}/v2/workitems/{uid_of(1)}"
    assert client().get(created.headers["location"], headers=JSON).json()["00741000"]["Value"] == ["SCHEDULED"]
    assert _claim(node, 1).status_code == httpx.codes.OK
    updated = _send(node, "POST", f"workitems/{uid_of(1)}?{LOCK}", performed())
    assert updated.status_code == httpx.codes.OK
    assert _claim(node, 1, state="COMPLETED").status_code == httpx.codes.OK
    again = _claim(node, 1, state="COMPLETED")
    assert again.headers["warning"].startswith("299 127.0.0.1: ")
    [found] = _send(node, "GET", f"workitems/{uid_of(1)}", root="/dicom-web").json()
    assert found["00741000"]["Value"] == ["COMPLETED"]
    assert "00081195" not in found


def test_a_workitem_is_found_by_name_code_and_time(node: Node) -> None:
    document = _document(
        2,
        t00100010=attribute("PN", {"Alphabetic": "Last^First"}),
        t00404026=attribute("SQ", code("CLASS-2")),
        t00404005=attribute("DT", "20270102103000"),
    )
    _send(node, "POST", "workitems", document)
    for query in (
        "PatientName=last^first",
        "PatientName=fir&fuzzymatching=true",
        "ScheduledStationClassCodeSequence.CodeValue=CLASS-2",
        "ScheduledProcedureStepStartDateTime=20270101-20270103",
    ):
        [found] = _send(node, "GET", f"workitems?{query}").json()
        assert found["00080018"]["Value"] == [uid_of(2)]


def test_of_many_who_claim_at_once_one_holds_the_workitem(node: Node) -> None:
    _send(node, "POST", "workitems", _document(3))
    statuses: dict[int, int] = {}
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        barrier.wait()
        statuses[number] = _claim(node, 3, f"{LOCK}.{number}").status_code

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [number for number, status in statuses.items() if status == httpx.codes.OK]
    assert set(statuses.values()) <= {httpx.codes.OK, httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT}
    label = {"00741202": attribute("LO", "Night")}
    for number in statuses:
        answer = _send(node, "POST", f"workitems/{uid_of(3)}?{LOCK}.{number}", label)
        assert answer.is_success is (number == winner)


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serve(data_dir, must_end_cleanly=False) as first:
        assert _send(first, "POST", "workitems", _document(1)).is_success
        assert _claim(first, 1).is_success
        first.process.kill()
    with serve(data_dir) as second:
        assert _send(second, "GET", f"workitems/{uid_of(1)}").json()["00741000"]["Value"] == ["IN PROGRESS"]
        assert _claim(second, 1, f"{LOCK}.1").status_code == httpx.codes.BAD_REQUEST
        assert _send(second, "POST", f"workitems/{uid_of(1)}?{LOCK}", performed()).is_success


def test_a_workitem_comes_in_an_array_where_that_is_chosen(tmp_path: Path) -> None:
    with serve(tmp_path / "data", environment={"ISOCENTER_AZURE_WORKITEM_BODY": "array"}) as node:
        _send(node, "POST", "workitems", _document(1))
        assert isinstance(_send(node, "GET", f"workitems/{uid_of(1)}").json(), list)
