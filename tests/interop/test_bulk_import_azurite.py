"""Bulk import from containers of a real object store, azurite (dicom-service 11.3)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from isocenter.domain.errors import InvalidRequest, NotFound, PeerUnreachable
from isocenter.ports.import_source import ImportFile
from isocenter.storage.azure_container import open_connection_string
from isocenter.storage.sources.azure_blob import AzureBlobSource
from tests.support.azurite import Azurite, azurite
from tests.support.instances import identify
from tests.support.processes import Node, serve
from tests.support.small_instances import SmallInstance, make_instance

pytestmark = pytest.mark.interop

TIMEOUT_S = 60
INSTANCES = [make_instance(identify(study, 1, number)) for study in (1, 2) for number in range(1, 8)]
LARGE = make_instance(identify(3), size_bytes=8_000_000)


@pytest.fixture(scope="module")
def store() -> Iterator[Azurite]:
    with azurite() as server:
        yield server


@pytest.fixture
def containers(store: Azurite, request: pytest.FixtureRequest) -> tuple[str, str]:
    stem = "c" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    names = (f"{stem}-import", f"{stem}-error")
    for name in names:
        store.create_container(name)
    return names


def _by_connection_string(store: Azurite, containers: tuple[str, str]) -> Mapping[str, str]:
    return {
        "ISOCENTER_BULK_IMPORT_CONNECTION_STRING": store.connection_string,
        "ISOCENTER_BULK_IMPORT_CONTAINER": containers[0],
        "ISOCENTER_BULK_IMPORT_ERROR_CONTAINER": containers[1],
        "ISOCENTER_BULK_IMPORT_POLL_INTERVAL_S": "100ms",
    }


def _by_signature(store: Azurite, containers: tuple[str, str]) -> Mapping[str, str]:
    signature = store.shared_access("rwdlc")
    return {
        "ISOCENTER_BULK_IMPORT_CONTAINER_URL": f"{store.endpoint}/{containers[0]}?{signature}",
        "ISOCENTER_BULK_IMPORT_ERROR_CONTAINER_URL": f"{store.endpoint}/{containers[1]}?{signature}",
        "ISOCENTER_BULK_IMPORT_POLL_INTERVAL_S": "100ms",
    }


@contextmanager
def _importing(folder: Path, environment: Mapping[str, str]) -> Iterator[Node]:
    with serve(folder / "data", environment=environment) as node:
        yield node


def _wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_done():
        assert time.monotonic() < deadline, "not imported in time"
        time.sleep(0.05)


def _retrieve(node: Node, instance: SmallInstance) -> bytes:
    one = instance.identifier
    path = f"studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"
    headers = {"Accept": "application/dicom; transfer-syntax=*"}
    answer = httpx.get(f"{node.base_url}/v2/{path}", headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize("settings", [_by_connection_string, _by_signature])
def test_blobs_are_stored_and_removed_and_others_go_to_the_error_container(
    tmp_path: Path, store: Azurite, containers: tuple[str, str], settings: Callable[..., Mapping[str, str]]
) -> None:
    waiting, refused = containers
    for number, instance in enumerate((*INSTANCES, LARGE)):
        store.put_blob(waiting, f"study/{number}.dcm", instance.content)
    store.put_blob(waiting, "study/broken.dcm", b"nothing")
    store.put_blob(waiting, "notes.txt", b"left alone")
    with _importing(tmp_path, settings(store, containers)) as node:
        _wait(lambda: store.names(waiting) == ["notes.txt"])
        assert all(_retrieve(node, one) == one.content for one in (*INSTANCES, LARGE))
        assert store.names(refused) == ["study/broken.dcm", "study/broken.dcm.error.json"]
        assert store.blob(refused, "study/broken.dcm") == b"nothing"
        message = orjson.loads(store.blob(refused, "study/broken.dcm.error.json"))
        assert (message["file"], message["status"]) == ("study/broken.dcm", 409)
        log = node.process.log()
    assert "sig=" not in log
    assert "AccountKey" not in log
    assert "broken" not in log


def test_a_kill_loses_no_blob(tmp_path: Path, store: Azurite, containers: tuple[str, str]) -> None:
    waiting, refused = containers
    environment = _by_connection_string(store, containers)
    killing = {**environment, "ISOCENTER_FAILPOINTS": "archive.after_acknowledge=kill@1"}
    with serve(tmp_path / "data", environment=killing, must_end_cleanly=False) as node:
        for number, instance in enumerate(INSTANCES):
            store.put_blob(waiting, f"{number}.dcm", instance.content)
        assert node.process.popen.wait(TIMEOUT_S) != 0
    assert store.names(waiting) != []
    with _importing(tmp_path, environment) as node:
        _wait(lambda: store.names(waiting) == [])
        assert all(_retrieve(node, one) == one.content for one in INSTANCES)
        assert store.names(refused) == []
        feed = httpx.get(f"{node.base_url}/v2/changefeed", trust_env=False).json()
        assert [row["action"] for row in feed] == ["Create"] * len(INSTANCES)


def test_a_store_that_comes_later_is_taken_up(tmp_path: Path, store: Azurite) -> None:
    environment = _by_connection_string(store, ("later-import", "later-error"))
    with _importing(tmp_path, environment) as node:
        node.process.wait_until(lambda: "bulk_import.waits" in node.process.log())
        store.create_container("later-import")
        store.create_container("later-error")
        store.put_blob("later-import", "a.dcm", INSTANCES[0].content)
        _wait(lambda: store.names("later-import") == [])
        assert _retrieve(node, INSTANCES[0]) == INSTANCES[0].content


def _source(store: Azurite, containers: tuple[str, str]) -> AzureBlobSource:
    waiting, refused = (open_connection_string(store.connection_string, name) for name in containers)
    return AzureBlobSource(waiting, refused)


def _only(source: AzureBlobSource) -> ImportFile:
    [file] = source.iter_waiting()
    return file


def test_a_blob_that_took_the_place_of_the_one_that_was_read_stays(store: Azurite, containers: tuple[str, str]) -> None:
    source = _source(store, containers)
    store.put_blob(containers[0], "a.dcm", b"first")
    file = _only(source)
    store.put_blob(containers[0], "a.dcm", b"second")
    source.remove(file)
    assert store.blob(containers[0], "a.dcm") == b"second"
    with pytest.raises(NotFound):
        list(source.iter_chunks(file))
    source.remove(_only(source))
    assert store.names(containers[0]) == []
    with pytest.raises(NotFound):
        list(source.iter_chunks(file))


def test_a_second_refused_blob_of_a_name_does_not_take_the_place_of_the_first(
    store: Azurite, containers: tuple[str, str]
) -> None:
    source = _source(store, containers)
    for content in (b"first", b"second"):
        store.put_blob(containers[0], "study/a.dcm", content)
        source.put_aside(_only(source), content)
    assert store.names(containers[0]) == []
    names = store.names(containers[1])
    assert sorted(store.blob(containers[1], name) for name in names) == [b"first"] * 2 + [b"second"] * 2
    assert len([name for name in names if name.endswith(".dcm")]) == 2


def test_what_is_not_there_or_does_not_answer_is_told(store: Azurite) -> None:
    with pytest.raises(InvalidRequest):
        _source(store, ("nowhere", "nowhere")).check()
    gone = AzureBlobSource(
        open_connection_string("BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;AccountKey=AAAA", "a"),
        open_connection_string("BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;AccountKey=AAAA", "b"),
    )
    with pytest.raises(PeerUnreachable):
        gone.check()
    with pytest.raises(PeerUnreachable):
        gone.remove(ImportFile("a.dcm", 1, '"1"'))
