"""External metadata through the routes of a node: handed in with a store, shown and matched where it is asked for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import Any

import httpx
import pytest

from tests.support.dicom_files import element, file_of
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.processes import Node, serve
from tests.support.small_instances import SmallInstance, make_instance

DICOM_JSON = "application/dicom+json"
META = {"msdicom-request-meta": "true"}
TIMEOUT_S = 60
Numbers = Iterator[int]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve(tmp_path_factory.mktemp("data") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def numbers() -> Numbers:
    """Numbers of studies that no other test of the module uses."""
    return iter(range(1, 1000))


def _store(
    node: Node,
    instance: SmallInstance | bytes,
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    root: str = "/v2",
) -> httpx.Response:
    content = instance if isinstance(instance, bytes) else instance.content
    return httpx.request(
        method,
        f"{node.base_url}{root}/studies",
        content=content,
        headers={"Content-Type": "application/dicom", "Accept": DICOM_JSON, **headers},
        trust_env=False,
    )


def _get(node: Node, path: str, headers: Mapping[str, str] = META, *, root: str = "/v2") -> httpx.Response:
    return httpx.get(f"{node.base_url}{root}/{path}", headers={"Accept": DICOM_JSON, **headers}, trust_env=False)


def _found(answer: httpx.Response) -> list[dict[str, Any]]:
    if answer.status_code == 204:
        return []
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def _uids(answer: httpx.Response) -> list[str]:
    return [row["0020000D"]["Value"][0] for row in _found(answer)]


def _one(number: int, instance: int = 1, *, seed: int = 0) -> SmallInstance:
    return make_instance(identify(number, 1, instance), seed=seed)


def _path(instance: SmallInstance, depth: int) -> str:
    one = instance.identifier
    parts = ("studies", one.study_instance_uid, "series", one.series_instance_uid, "instances", one.sop_instance_uid)
    return "/".join(parts[: 2 * depth])


def test_metadata_shows_it_where_it_is_asked_for(node: Node, numbers: Numbers) -> None:
    instance = _one(next(numbers))
    headers = {
        "msdicom-meta-CS-001912FF": "RESEARCH",
        "msdicom-meta-IS-00191201": "0042",
        "MSDICOM-META-PN-001B1001": "A^B",
    }
    assert _store(node, instance, headers).status_code == 200
    for depth in (1, 2, 3):
        plain = _found(_get(node, f"{_path(instance, depth)}/metadata", {}))
        [shown] = _found(_get(node, f"{_path(instance, depth)}/metadata"))
        assert shown["001912FF"] == {"vr": "CS", "Value": ["RESEARCH"]}
        assert shown["00191201"] == {"vr": "IS", "Value": [42]}
        assert shown["001B1001"] == {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}
        assert shown["00190012"] == shown["001B0010"] == {"vr": "LO", "Value": ["Microsoft"]}
        assert list(shown) == sorted(shown)
        own = {"001912FF", "00191201", "001B1001", "00190012", "001B0010"}
        assert {name: value for name, value in shown.items() if name not in own} == plain[0]


def test_every_instance_of_the_study_shows_it_and_no_file_has_it(node: Node, numbers: Numbers) -> None:
    number = next(numbers)
    first, second = _one(number), _one(number, 2)
    _store(node, first, {})
    _store(node, second, {"msdicom-meta-LO-00191001": "beside"})
    shown = _found(_get(node, f"{_path(first, 1)}/metadata"))
    assert [one["00191001"]["Value"] for one in shown] == [["beside"], ["beside"]]
    content = _get(node, _path(second, 3), {"Accept": "application/dicom; transfer-syntax=*"}).content
    assert content == second.content


def test_the_entity_tag_changes_with_it_and_is_known_again(node: Node, numbers: Numbers) -> None:
    instance = _one(next(numbers))
    _store(node, instance, {"msdicom-meta-LO-00191002": "one"})
    path = f"{_path(instance, 1)}/metadata"
    tag = _get(node, path).headers["ETag"]
    assert _get(node, path, {}).headers["ETag"] != tag
    assert _get(node, path, {**META, "If-None-Match": tag}).status_code == 304
    assert _store(node, instance, {"msdicom-meta-LO-00191002": "two"}, method="PUT").status_code == 200
    changed = _get(node, path, {**META, "If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.json()[0]["00191002"]["Value"] == ["two"]
    assert changed.headers["ETag"] != tag


def test_a_later_store_overwrites_what_it_names(node: Node, numbers: Numbers) -> None:
    number = next(numbers)
    _store(node, _one(number), {"msdicom-meta-LO-00191003": "old", "msdicom-meta-LO-00191004": "stays"})
    _store(node, _one(number, 2), {"msdicom-meta-LO-00191003": "new", "msdicom-meta-LO-00191004": ""})
    [shown, _] = _found(_get(node, f"{_path(_one(number), 1)}/metadata"))
    assert shown["00191003"]["Value"] == ["new"]
    assert shown["00191004"]["Value"] == ["stays"]
    assert _uids(_get(node, "studies?00191003=old")) == []


def test_a_search_matches_and_returns_it_where_it_is_asked_for(node: Node, numbers: Numbers) -> None:
    first, second = _one(next(numbers)), _one(next(numbers))
    _store(node, first, {"msdicom-meta-SH-00191005": "Trial-A", "msdicom-meta-DA-00191006": "20260110"})
    _store(node, second, {"msdicom-meta-SH-00191005": "Trial-B", "msdicom-meta-DA-00191006": "20260120"})
    for resource in ("studies", "series", "instances"):
        [row] = _found(_get(node, f"{resource}?00191005=trial-a&includefield=00191006"))
        assert row["0020000D"]["Value"] == [first.identifier.study_instance_uid]
        assert row["00191005"] == {"vr": "SH", "Value": ["Trial-A"]}
        assert row["00191006"] == {"vr": "DA", "Value": ["20260110"]}
        assert row["00100020"]["Value"]
    assert _uids(_get(node, "studies?00191006=20260115-")) == [second.identifier.study_instance_uid]
    assert _uids(_get(node, "studies?00191005=Trial")) == []


def test_without_the_header_a_search_knows_nothing_of_it(node: Node, numbers: Numbers) -> None:
    instance = _one(next(numbers))
    _store(node, instance, {"msdicom-meta-SH-00191007": "hidden"})
    for headers in ({}, {"msdicom-request-meta": "false"}, {"msdicom-request-meta": "yes"}):
        answer = _get(node, "studies?00191007=hidden", headers)
        assert answer.status_code == 400
        assert "is not queryable" in answer.text
        uid = instance.identifier.study_instance_uid
        [row] = _found(_get(node, f"studies?StudyInstanceUID={uid}&includefield=00191007", headers))
        assert "00191007" not in row
        assert "00191007" not in _found(_get(node, f"{_path(instance, 1)}/metadata", headers))[0]


def test_it_is_of_the_study_level_alone(node: Node, numbers: Numbers) -> None:
    instance = _one(next(numbers))
    _store(node, instance, {"msdicom-meta-SH-00191008": "x"})
    answer = _get(node, f"{_path(instance, 1)}/series?00191008=x")
    assert answer.status_code == 400
    assert _get(node, "studies?00191009=never-used").status_code == 400
    bad = _get(node, "studies?00191008=")
    assert bad.status_code == 400


def test_one_bad_tag_fails_the_whole_store(node: Node, numbers: Numbers) -> None:
    instance = _one(next(numbers))
    for name in ("msdicom-meta-SQ-00191001", "msdicom-meta-DA-00191011", "msdicom-meta-LO-00100010"):
        answer = _store(node, instance, {"msdicom-meta-LO-00191010": "good", name: "bad value"})
        assert answer.status_code == 400
        assert "bad value" not in answer.text
    assert _get(node, f"{_path(instance, 1)}/metadata").status_code == 404
    assert _get(node, "studies?00191010=good").status_code == 400


def test_another_vr_for_a_tag_fails_the_whole_store(node: Node, numbers: Numbers) -> None:
    first, second = _one(next(numbers)), _one(next(numbers))
    _store(node, first, {"msdicom-meta-LO-00191012": "a"})
    answer = _store(node, second, {"msdicom-meta-SH-00191012": "a"})
    assert (answer.status_code, answer.text) == (400, "The external metadata tag 00191012 is of VR LO, not SH.")
    assert _get(node, f"{_path(second, 1)}/metadata").status_code == 404


def test_a_store_that_is_refused_leaves_nothing(node: Node, numbers: Numbers) -> None:
    number = next(numbers)
    _store(node, _one(number), {"msdicom-meta-LO-00191013": "first"})
    assert _store(node, _one(number, seed=9), {"msdicom-meta-LO-00191013": "second"}).status_code == 409
    assert _store(node, _one(number), {"msdicom-meta-LO-00191013": "third"}).status_code == 409
    [shown] = _found(_get(node, f"{_path(_one(number), 1)}/metadata"))
    assert shown["00191013"]["Value"] == ["first"]


def test_earlier_versions_of_the_service_and_the_standard_know_nothing_of_it(node: Node, numbers: Numbers) -> None:
    for root in ("/v1", "/dicom-web"):
        instance = _one(next(numbers))
        assert _store(node, instance, {"msdicom-meta-SQ-1": "passed over"}, root=root).status_code == 200
        _store(node, _one(next(numbers)), {"msdicom-meta-LO-00191014": "x"})
        [shown] = _found(_get(node, f"{_path(instance, 1)}/metadata", root=root))
        assert "00191014" not in shown
    assert _get(node, "studies?00191014=x", root="/v1").status_code == 400


def test_it_goes_before_what_the_file_has_and_before_an_extended_query_tag(node: Node, numbers: Numbers) -> None:
    identifier = identify(next(numbers))
    dataset = b"".join(
        [
            element(0x00080016, "UI", CT_IMAGE_STORAGE.encode().ljust(26, b"\0")),
            element(0x00080018, "UI", _padded(identifier.sop_instance_uid)),
            element(0x00100020, "LO", b"P1"),
            element(0x00190010, "LO", b"ACME"),
            element(0x00191015, "LO", b"in the file "),
            element(0x0020000D, "UI", _padded(identifier.study_instance_uid)),
            element(0x0020000E, "UI", _padded(identifier.series_instance_uid)),
            element(0x00280010, "US", pack("<H", 1)),
        ]
    )
    assert _store(node, file_of(dataset), {"msdicom-meta-LO-00191015": "beside"}).status_code == 200
    _add_query_tag(node, {"path": "00191015", "vr": "LO", "level": "Study", "privateCreator": "ACME"})
    uid = identifier.study_instance_uid
    assert _uids(_get(node, "studies?00191015=in the file", {})) == [uid]
    assert _uids(_get(node, "studies?00191015=in the file")) == []
    [row] = _found(_get(node, "studies?00191015=beside"))
    assert row["00191015"]["Value"] == ["beside"]
    assert _uids(_get(node, "studies?00191015=beside", {})) == []
    [shown] = _found(_get(node, f"studies/{uid}/metadata"))
    assert shown["00191015"]["Value"] == ["beside"]
    assert shown["00190010"]["Value"] == ["ACME"]


def _padded(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def _add_query_tag(node: Node, entry: Mapping[str, str]) -> None:
    answer = httpx.post(f"{node.base_url}/v2/extendedquerytags", json=[entry], trust_env=False)
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + TIMEOUT_S
    while httpx.get(answer.json()["href"], trust_env=False).status_code == 202:
        assert time.monotonic() < deadline, "the reindex did not end in time"
        time.sleep(0.05)


@pytest.mark.parametrize("failpoint", ["archive.before_acknowledge", "archive.after_acknowledge", "index.after_commit"])
def test_a_kill_leaves_instance_and_metadata_both_or_neither(tmp_path: Path, failpoint: str) -> None:
    instance = _one(1)
    # The first commit of a node is that of the tag; the second that of the instance.
    count = 2 if failpoint == "index.after_commit" else 1
    environment = {"ISOCENTER_FAILPOINTS": f"{failpoint}=kill@{count}"}
    with serve(tmp_path / "data", environment=environment, must_end_cleanly=False) as node:
        with suppress(httpx.TransportError):
            _store(node, instance, {"msdicom-meta-LO-00191001": "beside"})
        assert node.process.popen.wait(TIMEOUT_S) != 0
    with serve(tmp_path / "data") as node:
        answer = _get(node, f"{_path(instance, 1)}/metadata")
        assert answer.status_code == 200
        assert answer.json()[0]["00191001"]["Value"] == ["beside"]


def test_a_rebuild_of_the_index_keeps_it_and_a_delete_forgets_it(tmp_path: Path) -> None:
    instance, other = _one(1), _one(2)
    with serve(tmp_path / "data") as node:
        for one, text in ((instance, "a"), (other, "b")):
            _store(node, one, {"msdicom-meta-LO-00191001": text})
    program = str(Path(sys.executable).with_name("isocenter"))
    subprocess.run([program, "reindex", "--data-dir", str(tmp_path / "data")], check=True, capture_output=True)
    with serve(tmp_path / "data") as node:
        assert _uids(_get(node, "studies?00191001=a")) == [instance.identifier.study_instance_uid]
        assert httpx.delete(f"{node.base_url}/v2/{_path(instance, 1)}", trust_env=False).status_code == 204
        _store(node, instance, {})
        assert _uids(_get(node, "studies?00191001=a")) == []
        assert "00191001" not in _found(_get(node, f"{_path(instance, 1)}/metadata"))[0]
        assert _uids(_get(node, "studies?00191001=b")) == [other.identifier.study_instance_uid]
