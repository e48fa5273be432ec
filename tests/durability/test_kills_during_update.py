"""A kill at every named place of a bulk update: a study is as it was or changed whole, and in the end changed once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from isocenter.app.wiring import INDEX_FILE, open_stores
from isocenter.domain.identifiers import Scope
from isocenter.ports.blobs import BlobRecord
from isocenter.ports.failpoints import FAILPOINT_NAMES
from tests.durability.checks import settings_of
from tests.durability.nursery import Archive, EndedEarly, Node, Nursery
from tests.support.dicomweb import ANY_DICOM, JSON, parts
from tests.support.instances import identify
from tests.support.small_instances import make_instance
from tests.support.stow import store

REACH_TIMEOUT_S = 40.0
RANDOM_KILLS = 25
POLL_S = 0.01
KILLED = -9
TAG = "00100010"
STUDY_UID = identify(1).study_instance_uid
STUDY = Scope(STUDY_UID)
INSTANCES = [
    *(make_instance(identify(1, 1, number), seed=number) for number in range(1, 5)),
    make_instance(identify(1, 2, 5), seed=5, size_bytes=1_200_000),
    make_instance(identify(1, 2, 6), seed=6, size_bytes=1_300_000),
]
"""Small ones go to the log, two through spools: a new version is written as its instance was."""
LATER = [
    "packs.after_sync=kill@2",
    "spool.after_rename=kill@2",
    "index.before_commit=kill@2",
    "index.after_commit=kill@3",
    "index.after_commit=kill@5",
    "archive.before_acknowledge=kill@2",
    "erase.after_punch=kill@3",
]
FAILPOINTS = [f"{name}=kill@1" for name in FAILPOINT_NAMES if name.startswith("update.")]
NOT_SURELY_REACHED = {"packs.mid_write"}
"""Where a batch has several versions, which depends on who is faster."""
FURTHER = [
    f"{name}=kill@1" for name in FAILPOINT_NAMES if not name.startswith("update.") and name not in NOT_SURELY_REACHED
]
SETTINGS = {
    "archive.spool_threshold_bytes": "2MiB",
    "archive.erase_after_s": "0s",
    "storage.reserve_bytes": "0",
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "data", SETTINGS)


def _update(node: Node, name: str) -> str:
    body = {
        "studyInstanceUids": [STUDY_UID],
        "changeDataset": {TAG: {"vr": "PN", "Value": [{"Alphabetic": name}]}},
    }
    answer = httpx.post(f"{node.base_url}/v2/studies/$bulkUpdate", json=body, trust_env=False)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return str(answer.json()["id"])


def _operation(node: Node, operation_id: str) -> dict[str, Any]:
    told: dict[str, Any] = _get(node, f"operations/{operation_id}").json()
    return told


def _get(node: Node, path: str, accept: str = JSON, **headers: str) -> httpx.Response:
    return httpx.get(
        f"{node.base_url}/v2/{path}", headers={"Accept": accept, **headers}, trust_env=False, timeout=REACH_TIMEOUT_S
    )


def _names(node: Node) -> set[str]:
    """Return the names of the patient in a study, in one look."""
    told = _get(node, f"studies/{STUDY_UID}/metadata").json()
    assert len(told) == len(INSTANCES)
    return {one[TAG]["Value"][0]["Alphabetic"] for one in told}


def _wait(node: Node, operation_id: str, allowed: set[str]) -> dict[str, Any]:
    """Wait for the end of an update; at no moment may a reader see some instances changed and others not."""
    deadline = time.monotonic() + REACH_TIMEOUT_S
    while time.monotonic() < deadline:
        names = _names(node)
        assert len(names) == 1, "a study is changed by halves"
        assert names <= allowed
        told = _operation(node, operation_id)
        if told["status"] not in ("notStarted", "running"):
            return told
        time.sleep(POLL_S)
    raise AssertionError("the update did not end in time")


def _prepare(nursery: Nursery, archive: Archive) -> None:
    """Store the study and update it once, so that the next update has a version to erase."""
    with nursery.serving(archive) as node:
        store(f"{node.base_url}/dicom-web", [one.content for one in INSTANCES])
        assert _wait(node, _update(node, "Second^Name"), {"Test^Durability", "Second^Name"})["status"] == "succeeded"
        node.stop()


def _update_until_killed(nursery: Nursery, archive: Archive, failpoints: str) -> str | None:
    """Run a node with an armed failpoint and update the study until it dies; return the operation, if it was told."""
    node = nursery.serve(archive, failpoints=failpoints)
    operation_id: str | None = None
    try:
        node.wait_ready()
        operation_id = _update(node, "Third^Name")
        deadline = time.monotonic() + REACH_TIMEOUT_S
        while time.monotonic() < deadline:
            assert len(_names(node)) == 1, "a study is changed by halves"
            time.sleep(POLL_S)
    except (httpx.TransportError, EndedEarly):
        assert node.child.wait(REACH_TIMEOUT_S) == KILLED, archive.log()
        return operation_id
    finally:
        node.child.kill()
    raise AssertionError(f"the update never reached {failpoints}")


def _finish(nursery: Nursery, archive: Archive, operation_id: str | None) -> list[tuple[str, str]]:
    """Start the node again and wait for the end of the update; return the feed."""
    with nursery.serving(archive) as node:
        operation_id = operation_id or _update(node, "Third^Name")
        told = _wait(node, operation_id, {"Second^Name", "Third^Name"})
        assert told["status"] == "succeeded", told
        assert told["results"]["instanceUpdated"] == len(INSTANCES)
        _check_versions(node)
        feed = [(row["action"], row["state"]) for row in _get(node, "changefeed?limit=200").json()]
        _wait_for_erasure(archive, node)
        node.stop()
    return feed


def _check_versions(node: Node) -> None:
    latest = dict(_contents(node))
    first = dict(_contents(node, **{"msdicom-request-original": "true"}))
    for one in INSTANCES:
        uid = one.identifier.sop_instance_uid
        assert first[uid] == one.content
        read = pydicom.dcmread(BytesIO(latest[uid]))
        assert (str(read.PatientName), read.PixelData) == ("Third^Name", one.frame)


def _contents(node: Node, **headers: str) -> Iterator[tuple[str, bytes]]:
    for part in parts(_get(node, f"studies/{STUDY_UID}", ANY_DICOM, **headers)):
        read = pydicom.dcmread(BytesIO(part.content), stop_before_pixels=True)
        yield str(read.SOPInstanceUID), part.content


def _wait_for_erasure(archive: Archive, node: Node) -> None:
    """Wait until the eraser, which runs once a second, has nothing left."""
    time.sleep(1.5)
    assert node.child.is_alive(), archive.log()


def _check_files(archive: Archive) -> None:
    """Hold the files against what must be there: two versions of each instance and no byte of another."""
    with open_stores(settings_of(archive)) as (index, blobs):
        indexed = {address for _, _, address in index.addresses()}
        assert len(indexed) == 2 * len(INSTANCES)
        waiting = {one.address for one in index.due_erasures(now=1e12, limit=1000)}
        walked = {one.address for one in blobs.iter_records() if isinstance(one, BlobRecord)}
        assert indexed <= walked
        assert walked - indexed <= waiting
        assert all(blobs.verify(address) for address in indexed)
        totals = index.totals()
        assert totals.instances == len(INSTANCES)
        assert totals.size_bytes == sum(address.length for address in indexed)
        assert index.revisions.settle_revisions(keep=None, now=1.0) == 0, "something is staged"


def _check_reindex(nursery: Nursery, archive: Archive) -> None:
    assert nursery.run(archive, "reindex") == 0, archive.log()
    _check_files(archive)
    with nursery.serving(archive) as node:
        _check_versions(node)
        node.stop()


@pytest.mark.parametrize(
    "failpoints", [*FAILPOINTS, *(pytest.param(one, marks=pytest.mark.long) for one in [*FURTHER, *LATER])]
)
def test_a_kill_leaves_a_study_whole_and_its_update_ends_as_if_nothing_had_been(
    nursery: Nursery, archive: Archive, failpoints: str
) -> None:
    _prepare(nursery, archive)
    operation_id = _update_until_killed(nursery, archive, failpoints)
    feed = _finish(nursery, archive, operation_id)
    count = len(INSTANCES)
    assert feed == [("Create", "Replaced")] * count + [("Update", "Replaced")] * count + [("Update", "Current")] * count
    _check_files(archive)
    _check_reindex(nursery, archive)


@pytest.mark.parametrize(
    ("failpoints", "expected"),
    [
        ("packs.after_sync=kill@1", "Second^Name"),
        ("update.after_stage=kill@1", "Second^Name"),
        ("update.after_mark=kill@1", "Third^Name"),
        ("update.after_conclude=kill@1", "Third^Name"),
    ],
)
def test_an_index_that_is_lost_with_the_kill_comes_back_with_whole_studies(
    nursery: Nursery, archive: Archive, failpoints: str, expected: str
) -> None:
    _prepare(nursery, archive)
    operation_id = _update_until_killed(nursery, archive, failpoints)
    for path in settings_of(archive).storage.index_dir.glob(f"{INDEX_FILE}*"):
        path.unlink()
    assert nursery.run(archive, "reindex") == 0, archive.log()
    with nursery.serving(archive) as node:
        assert _names(node) == {expected}
        assert operation_id is None or _get(node, f"operations/{operation_id}").status_code == httpx.codes.NOT_FOUND
        again = _wait(node, _update(node, "Third^Name"), {expected, "Third^Name"})
        assert again["status"] == "succeeded"
        _check_versions(node)
        node.stop()


@pytest.mark.long
def test_kills_at_any_moment_between_stores_leave_studies_whole(nursery: Nursery, archive: Archive) -> None:
    """Update and store to another study at once, kill, look, again: what was asked for last is there in the end."""
    _prepare(nursery, archive)
    moments = random.Random(20261121)
    allowed, asked, kept = {"Second^Name"}, "", 0
    for number in range(RANDOM_KILLS):
        name = f"Name^{number}"
        with nursery.serving(archive) as node:
            assert _names(node) <= allowed
            if asked:
                assert _wait(node, asked, allowed)["results"]["instanceUpdated"] == len(INSTANCES)
            allowed = {*_names(node), name}
            asked = _update(node, name)
            deadline = time.monotonic() + moments.uniform(0, 0.4)
            while time.monotonic() < deadline:
                kept += 1
                store(f"{node.base_url}/dicom-web", [make_instance(identify(2, 1, kept)).content])
            node.child.kill()
    with nursery.serving(archive) as node:
        assert _wait(node, asked, allowed)["status"] == "succeeded"
        assert _names(node) == {f"Name^{RANDOM_KILLS - 1}"}
        assert len(_get(node, f"studies/{identify(2).study_instance_uid}/metadata").json()) == kept
        _wait_for_erasure(archive, node)
        node.stop()
    assert nursery.run(archive, "reindex") == 0, archive.log()
    with nursery.serving(archive) as node:
        assert _names(node) == {f"Name^{RANDOM_KILLS - 1}"}
        first = dict(_contents(node, **{"msdicom-request-original": "true"}))
        assert set(first.values()) == {one.content for one in INSTANCES}
        node.stop()
