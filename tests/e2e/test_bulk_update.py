"""Bulk update of a running node (dicom-service 11.2 and 15.5): by HTTP, and what other edges show of it."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from tests.support.catalogue import Instance, instance, new_uid, store
from tests.support.dicomweb import ANY_DICOM, ANY_FRAMES, JSON, client, delete, get, parts
from tests.support.instances import identify
from tests.support.peers import require
from tests.support.processes import Node, free_port, serve
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes
from tests.support.small_instances import make_instance

TIMEOUT_S = 60
MEGABYTE = 1024**2
LARGE_BYTES = 300 * MEGABYTE
MEMORY_MAX_BYTES = 80 * MEGABYTE
NAME = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "New^Name"}]}}
AS_STORED = "application/dicom; transfer-syntax=*"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"


def _post(root: str, body: object, *, path: str = "studies/$bulkUpdate") -> httpx.Response:
    return client().post(f"{root}/{path}", json=body)


def _ended(answer: httpx.Response) -> dict[str, Any]:
    """Wait for the end of the operation that an answer tells of."""
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    reference = answer.json()
    assert answer.headers["location"] == reference["href"]
    assert reference["href"].endswith(f"/operations/{reference['id']}")
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        told = client().get(reference["href"])
        if told.status_code == httpx.codes.OK:
            ended: dict[str, Any] = told.json()
            return ended
        assert told.status_code == httpx.codes.ACCEPTED
        time.sleep(0.05)
    raise AssertionError("the update did not end in time")


def _update(root: str, study: str, dataset: object = NAME, **scope: str) -> dict[str, Any]:
    return _ended(_post(root, {"studyInstanceUids": [study], "changeDataset": dataset, **scope}))


@pytest.fixture
def root(node: Node) -> str:
    return f"{node.base_url}/v2"


@pytest.fixture
def study(root: str) -> list[Instance]:
    """Return three stored instances of a study with two series."""
    name, series = new_uid(), new_uid()
    made = [
        instance(study=name, series=series, pixels=bytes(range(128)) * 3),
        instance(study=name, series=series),
        instance(study=name, ReferringPhysicianName="Old^Doctor"),
    ]
    assert store(root, *(one.content for one in made)).status_code in (200, 202)
    return made


def _metadata(root: str, path: str, **headers: str) -> list[dict[str, Any]]:
    answer = get(f"{root}/{path}/metadata", JSON, **headers)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def _count(root: str, query: str) -> int:
    answer = get(f"{root}/studies?{query}", JSON)
    return 0 if answer.status_code == httpx.codes.NO_CONTENT else len(answer.json())


def test_three_instances_are_updated(root: str, study: list[Instance]) -> None:
    ended = _update(root, study[0].study)
    assert (ended["type"], ended["status"], ended["percentComplete"]) == ("update", "succeeded", 100)
    assert ended["results"] == {"studyProcessed": 1, "studyUpdated": 1, "studyFailed": 0, "instanceUpdated": 3}
    for told in _metadata(root, study[0].study_path):
        assert told["00100010"]["Value"] == [{"Alphabetic": "New^Name"}]
    for part in parts(get(f"{root}/{study[0].study_path}", ANY_DICOM)):
        read = pydicom.dcmread(BytesIO(part.content))
        assert (read.PatientName, read.PatientID) == ("New^Name", "P-17")
        assert read.file_meta.ImplementationClassUID == "1.3.6.1.4.1.311.129"


def test_an_unknown_study_succeeds_with_zeros(root: str) -> None:
    ended = _update(root, new_uid())
    assert ended["status"] == "succeeded"
    assert ended["results"] == {"studyProcessed": 1, "studyUpdated": 0, "studyFailed": 0, "instanceUpdated": 0}


def test_two_updates_leave_the_original_and_the_latest(root: str, study: list[Instance]) -> None:
    _update(root, study[0].study)
    _update(root, study[0].study, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Third^Name"}]}})
    for one in study:
        assert _metadata(root, one.path)[0]["00100010"]["Value"] == [{"Alphabetic": "Third^Name"}]
        original = get(f"{root}/{one.path}", AS_STORED, msdicom_request_original="true")
        assert original.content == one.content
        [told] = _metadata(root, one.path, msdicom_request_original="TRUE")
        assert told["00100010"]["Value"] == [{"Alphabetic": "Hall^Ann"}]
        latest = get(f"{root}/{one.path}", AS_STORED, msdicom_request_original="false")
        assert b"Third^Name" in latest.content


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_original_comes_at_every_level(root: str, study: list[Instance], depth: int) -> None:
    _update(root, study[0].study)
    path = (study[0].study_path, study[0].series_path, study[0].path)[depth - 1]
    expected = {one.content for one in study if one.path.startswith(path)}
    answer = get(f"{root}/{path}", ANY_DICOM, msdicom_request_original="true")
    assert {part.content for part in parts(answer)} == expected
    names = {told["00100010"]["Value"][0]["Alphabetic"] for told in _metadata(root, path)}
    assert names == {"New^Name"}
    names = {
        told["00100010"]["Value"][0]["Alphabetic"] for told in _metadata(root, path, msdicom_request_original="true")
    }
    assert names == {"Hall^Ann"}


def test_the_original_is_transcoded_as_any_instance(root: str, study: list[Instance]) -> None:
    _update(root, study[0].study)
    accept = f"application/dicom; transfer-syntax={JPEG_2000_LOSSLESS}"
    answer = get(f"{root}/{study[0].path}", accept, msdicom_request_original="true")
    read = pydicom.dcmread(BytesIO(answer.content))
    assert (read.file_meta.TransferSyntaxUID, read.PatientName) == (JPEG_2000_LOSSLESS, "Hall^Ann")


def test_frames_and_pictures_are_the_same_and_ask_for_no_version(root: str, study: list[Instance]) -> None:
    before = get(f"{root}/{study[0].path}/frames/1,2,3", ANY_FRAMES)
    picture = get(f"{root}/{study[0].path}/rendered", "image/png")
    _update(root, study[0].study)
    for wanted in ("true", "false"):
        after = get(f"{root}/{study[0].path}/frames/1,2,3", ANY_FRAMES, msdicom_request_original=wanted)
        assert [part.content for part in parts(after)] == [part.content for part in parts(before)]
        again = get(f"{root}/{study[0].path}/rendered", "image/png", msdicom_request_original=wanted)
        assert again.content == picture.content


def test_searches_find_the_new_value_and_not_the_old(root: str, study: list[Instance]) -> None:
    uid = study[0].study
    dataset = {
        **NAME,
        "00100020": {"vr": "LO", "Value": ["Q-99"]},
        "00080090": {"vr": "PN", "Value": [{"Alphabetic": "New^Doctor"}]},
    }
    _update(root, uid, dataset)
    both = f"StudyInstanceUID={uid}"
    for old, new in (
        ("PatientName=Hall%5EAnn", "PatientName=New%5EName"),
        ("PatientID=P-17", "PatientID=Q-99"),
        ("ReferringPhysicianName=Old%5EDoctor", "ReferringPhysicianName=New%5EDoctor"),
        ("PatientName=hall&fuzzymatching=true", "PatientName=name&fuzzymatching=true"),
    ):
        assert (_count(root, f"{both}&{old}"), _count(root, f"{both}&{new}")) == (0, 1)


def test_extended_query_tags_find_the_new_value_and_not_the_old(root: str) -> None:
    wanted = [{"path": "00101010", "level": "Study"}, {"path": "00102180", "level": "Series"}]
    added = client().post(f"{root}/extendedquerytags", json=wanted)
    assert _ended(added)["status"] == "succeeded"
    try:
        made = instance(PatientAge="042Y", Occupation="Baker")
        store(root, made.content)
        both = f"StudyInstanceUID={made.study}"
        for query in ("PatientAge=042Y", "Occupation=Baker"):
            assert len(get(f"{root}/instances?{both}&{query}", JSON).json()) == 1
        changes = {"00101010": {"vr": "AS", "Value": ["043Y"]}, "00102180": {"vr": "SH", "Value": ["Miller"]}}
        assert _update(root, made.study, changes)["results"]["instanceUpdated"] == 1
        for query, count in (
            ("PatientAge=042Y", 0),
            ("PatientAge=043Y", 1),
            ("Occupation=Baker", 0),
            ("Occupation=Miller", 1),
        ):
            answer = get(f"{root}/instances?{both}&{query}", JSON)
            assert (len(answer.json()) if answer.status_code == httpx.codes.OK else 0) == count, query
    finally:
        for one in wanted:
            delete(f"{root}/extendedquerytags/{one['path']}")


def test_every_entity_tag_changes(root: str, study: list[Instance]) -> None:
    paths = [study[0].study_path, study[0].series_path, study[0].path]
    before = [get(f"{root}/{path}/metadata", JSON).headers["etag"] for path in paths]
    _update(root, study[0].study)
    for path, tag in zip(paths, before, strict=True):
        answer = get(f"{root}/{path}/metadata", JSON, If_None_Match=tag)
        assert answer.status_code == httpx.codes.OK
        assert answer.headers["etag"] != tag
        again = get(f"{root}/{path}/metadata", JSON, If_None_Match=answer.headers["etag"])
        assert again.status_code == httpx.codes.NOT_MODIFIED


def _feed(root: str, uid: str) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = []
    while page := get(f"{root}/changefeed?limit=200&offset={len(rows)}", JSON).json():
        rows += page
    return [(row["action"], row["state"]) for row in rows if row["studyInstanceUid"] == uid]


def test_the_feed_has_one_update_for_each_instance(root: str, study: list[Instance]) -> None:
    uid = study[0].study
    _update(root, uid)
    assert _feed(root, uid) == [("Create", "Replaced")] * 3 + [("Update", "Current")] * 3
    _update(root, uid)
    assert _feed(root, uid)[3:] == [("Update", "Replaced")] * 3 + [("Update", "Current")] * 3
    latest = get(f"{root}/changefeed/latest", JSON).json()
    assert (latest["action"], latest["metadata"]["00100010"]["Value"]) == ("Update", [{"Alphabetic": "New^Name"}])
    delete(f"{root}/{study[0].study_path}")
    assert {state for _, state in _feed(root, uid)} == {"Deleted"}


def test_a_delete_takes_both_versions(root: str, study: list[Instance]) -> None:
    _update(root, study[0].study)
    assert delete(f"{root}/{study[0].path}").status_code == httpx.codes.NO_CONTENT
    for wanted in ("true", "false"):
        assert get(f"{root}/{study[0].path}", AS_STORED, msdicom_request_original=wanted).status_code == 404
    assert len(_metadata(root, study[0].study_path, msdicom_request_original="true")) == 2
    assert delete(f"{root}/{study[0].study_path}").status_code == httpx.codes.NO_CONTENT
    again = store(root, study[0].content)
    assert again.status_code == httpx.codes.OK
    assert get(f"{root}/{study[0].path}", AS_STORED, msdicom_request_original="true").content == study[0].content


def test_an_original_that_is_stored_again_is_another_instance_than_the_latest(root: str, study: list[Instance]) -> None:
    _update(root, study[0].study)
    assert store(root, study[0].content).status_code == httpx.codes.CONFLICT


# what is refused


@pytest.mark.parametrize("version", ["v1", "v1.0-prerelease"])
@pytest.mark.parametrize("name", ["$bulkUpdate", "$bulkupdate", "$other"])
def test_earlier_versions_do_not_have_it(node: Node, version: str, name: str) -> None:
    answer = _post(f"{node.base_url}/{version}", {}, path=f"studies/{name}")
    assert answer.status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("name", ["$bulkUpdate", "$bulkupdate", "$BULKUPDATE"])
def test_its_name_is_read_in_any_case(root: str, name: str) -> None:
    assert _post(root, {}, path=f"studies/{name}").status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"changeDataset": NAME}, "The required field 'StudyInstanceUids' is missing or empty."),
        ({"studyInstanceUids": ["1.2"]}, "The required field 'ChangeDataset' is missing or empty."),
        (
            {"studyInstanceUids": [f"1.2.{number}" for number in range(51)], "changeDataset": NAME},
            "StudyInstanceUids count exceeded maximum length '50'",
        ),
    ],
)
def test_a_body_that_says_too_little_or_too_much_is_refused(root: str, body: object, sentence: str) -> None:
    answer = _post(root, body)
    assert (answer.status_code, answer.text) == (400, sentence)
    assert answer.headers["content-type"].startswith("text/plain")


def test_an_attribute_that_cannot_be_changed_is_told_of_in_a_data_set(root: str) -> None:
    answer = _post(root, {"studyInstanceUids": ["1.2"], "changeDataset": {"00080060": {"vr": "CS", "Value": ["CT"]}}})
    comment = "DICOM100: (0008,0060) - Updating the tag is not supported"
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.json() == {"00741048": {"vr": "SQ", "Value": [{"00000902": {"vr": "LO", "Value": [comment]}}]}}


def test_of_two_updates_at_once_the_second_is_refused(root: str, study: list[Instance]) -> None:
    bodies = [{"studyInstanceUids": [study[0].study], "changeDataset": NAME}] * 8
    answers: list[httpx.Response] = []

    def ask(body: object) -> None:
        answers.append(httpx.post(f"{root}/studies/$bulkUpdate", json=body, timeout=TIMEOUT_S, trust_env=False))

    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = [one for one in answers if one.status_code == httpx.codes.ACCEPTED]
    refused = [one for one in answers if one.status_code == httpx.codes.CONFLICT]
    assert len(accepted) + len(refused) == len(bodies)
    assert accepted
    for one in refused:
        assert one.text.startswith("There is already an active update operation with ID '")
        assert one.text.split("'")[1] in {other.json()["id"] for other in accepted}
    for one in accepted:
        assert _ended(one)["results"]["instanceUpdated"] == 3


# UIDs


def test_a_study_is_renamed_and_its_name_can_be_used_again(root: str, study: list[Instance]) -> None:
    uid = new_uid()
    ended = _update(root, study[0].study, {"0020000D": {"vr": "UI", "Value": [uid]}})
    assert ended["results"]["instanceUpdated"] == 3
    assert get(f"{root}/{study[0].study_path}/metadata", JSON).status_code == httpx.codes.NOT_FOUND
    told = _metadata(root, f"studies/{uid}")
    assert {one["0020000D"]["Value"][0] for one in told} == {uid}
    originals = parts(get(f"{root}/studies/{uid}", ANY_DICOM, msdicom_request_original="true"))
    assert {part.content for part in originals} == {one.content for one in study}
    assert _feed(root, study[0].study) == [("Create", "Deleted")] * 3 + [("Delete", "Deleted")] * 3
    assert _feed(root, uid) == [("Create", "Current")] * 3
    assert store(root, study[0].content).status_code == httpx.codes.OK


def test_a_series_moves_and_an_instance_is_renamed(root: str, study: list[Instance]) -> None:
    other = instance(PatientName="Other^Name")
    store(root, other.content)
    series = new_uid()
    changes = {"0020000D": {"vr": "UI", "Value": [other.study]}, "0020000E": {"vr": "UI", "Value": [series]}}
    ended = _update(root, study[0].study, changes, seriesInstanceUid=study[0].series)
    assert ended["results"]["instanceUpdated"] == 2
    assert len(_metadata(root, study[0].study_path)) == 1
    assert len(_metadata(root, f"studies/{other.study}")) == 3
    sop = new_uid()
    ended = _update(
        root,
        other.study,
        {"00080018": {"vr": "UI", "Value": [sop]}},
        seriesInstanceUid=series,
        sopInstanceUid=study[0].sop,
    )
    assert ended["results"]["instanceUpdated"] == 1
    renamed = get(f"{root}/studies/{other.study}/series/{series}/instances/{sop}", AS_STORED)
    read = pydicom.dcmread(BytesIO(renamed.content))
    assert read.SOPInstanceUID == read.file_meta.MediaStorageSOPInstanceUID == sop


def test_nothing_moves_to_where_something_is(root: str, study: list[Instance]) -> None:
    other = instance()
    store(root, other.content)
    ended = _update(root, study[0].study, {"0020000D": {"vr": "UI", "Value": [other.study]}})
    assert ended["status"] == "failed"
    assert ended["results"]["studyFailed"] == 1
    assert ended["results"]["errors"] == [
        f"Failed to update instances for study {study[0].study}",
        "The target UIDs already exist.",
    ]
    assert len(_metadata(root, study[0].study_path)) == 3


# partitions, real files, large ones, other edges


def test_a_study_is_updated_in_its_partition_alone(tmp_path: Path) -> None:
    arguments = ("--auth", "off", "--set", "azure.partitions=on")
    made = instance()
    with serve(tmp_path / "data", arguments=arguments) as node:
        roots = [f"{node.base_url}/v2/partitions/{name}" for name in ("north", "south")]
        for root in roots:
            store(root, made.content)
        answer = _post(roots[0], {"studyInstanceUids": [made.study], "changeDataset": NAME})
        assert _ended(answer)["results"]["instanceUpdated"] == 1
        names = [_metadata(root, made.path)[0]["00100010"]["Value"][0]["Alphabetic"] for root in roots]
        assert names == ["New^Name", "Hall^Ann"]


def _is_for_this(row: ManifestRow) -> bool:
    has_identity = bool(row.sop_class_uid and row.study_instance_uid and row.series_instance_uid)
    return row.folder in ("transfer-syntax", "charset") and has_identity


@pytest.mark.parametrize("row", manifest_params(_is_for_this))
def test_real_files_of_every_syntax_are_updated_and_keep_their_pixels(node: Node, root: str, row: ManifestRow) -> None:
    content = read_bytes(row)
    status = store(node.dicomweb_url, content).status_code
    assert status == httpx.codes.OK
    path = f"studies/{row.study_instance_uid}"
    try:
        ended = _update(root, row.study_instance_uid, {"00100010": {"vr": "PN", "Value": ["Größe^山"]}})
        assert ended["results"]["instanceUpdated"] == 1, ended
        [part] = parts(get(f"{root}/{path}", ANY_DICOM))
        before, after = (pydicom.dcmread(BytesIO(one), force=True) for one in (content, part.content))
        assert str(after.PatientName) == "Größe^山"
        assert after.get("PixelData") == before.get("PixelData")
        assert part.transfer_syntax_uid == row.transfer_syntax_uid
        [original] = parts(get(f"{root}/{path}", ANY_DICOM, msdicom_request_original="true"))
        assert original.content == content
    finally:
        delete(f"{root}/{path}")


def _memory_bytes(node: Node) -> int:
    for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


def test_memory_stays_flat_for_a_large_instance(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as node:
        content = make_instance(identify(1)).content
        header, tag, _ = content.partition(b"\xe0\x7f\x10\x00")
        start = header + tag + b"OW\0\0" + LARGE_BYTES.to_bytes(4, "little")
        headers = {"Content-Type": "application/dicom", "Accept": JSON}
        chunks: Iterator[bytes] = iter([start, *(bytes([number % 256]) * MEGABYTE for number in range(300))])
        stored = client().post(f"{node.base_url}/v2/studies", content=chunks, headers=headers)
        assert stored.status_code == httpx.codes.OK
        before = peak = _memory_bytes(node)
        is_over = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not is_over.wait(0.02):
                peak = max(peak, _memory_bytes(node))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            ended = _update(f"{node.base_url}/v2", identify(1).study_instance_uid)
        finally:
            is_over.set()
            watching.join()
        assert ended["results"]["instanceUpdated"] == 1
        assert peak - before < MEMORY_MAX_BYTES
        url = f"{node.base_url}/v2/studies/{identify(1).study_instance_uid}/series/{identify(1).series_instance_uid}"
        digest = hashlib.sha256()
        path = f"{url}/instances/{identify(1).sop_instance_uid}"
        with client().stream("GET", path, headers={"Accept": AS_STORED}) as answer:
            received = b"".join(answer.iter_bytes())
        digest.update(received[-LARGE_BYTES:])
        expected = hashlib.sha256(b"".join(bytes([number % 256]) * MEGABYTE for number in range(300)))
        assert digest.digest() == expected.digest()
        assert b"New^Name" in received[:4096]


def test_a_device_finds_and_gets_the_latest_version(tmp_path: Path) -> None:
    findscu, getscu = require("findscu"), require("getscu")
    port = free_port()
    arguments = ("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}")
    made = make_instance(identify(1))
    with serve(tmp_path / "data", arguments=arguments) as node:
        store(f"{node.base_url}/v2", made.content)
        _update(f"{node.base_url}/v2", made.identifier.study_instance_uid)
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={made.identifier.study_instance_uid}"]
        peer = ["-aec", "NODE", "127.0.0.1", str(port)]
        found = subprocess.run(
            [findscu, "-S", *keys, "-k", "PatientName", *peer], capture_output=True, text=True, check=True
        )
        assert "New^Name" in found.stdout + found.stderr
        folder = tmp_path / "got"
        folder.mkdir()
        subprocess.run([getscu, "-S", "-od", str(folder), *keys, *peer], check=True, capture_output=True)
        [path] = folder.iterdir()
        assert str(pydicom.dcmread(path).PatientName) == "New^Name"
