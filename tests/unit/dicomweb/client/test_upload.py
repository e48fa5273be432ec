from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from isocenter.dicomweb.client.upload import (
    BATCH_INSTANCES_MAX,
    READ_SIZE_BYTES,
    InstanceSource,
    batches,
    body_length,
    file_source,
    iter_body,
    match_answer,
)


def source(content: bytes = b"x", sop_instance_uid: str | None = None, name: str = "a") -> InstanceSource:
    def read() -> Iterator[bytes]:
        yield content

    return InstanceSource(name, len(content), read, sop_instance_uid)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([10], [[10]]),
        ([4, 4, 4], [[4, 4], [4]]),
        ([100, 1, 100, 1], [[100], [1], [100], [1]]),
        ([5, 5], [[5, 5]]),
    ],
)
def test_sources_are_grouped_up_to_a_size_and_large_ones_go_alone(sizes: list[int], expected: list[list[int]]) -> None:
    found = batches([source(b"x" * size) for size in sizes], 10)
    assert [[each.size_bytes for each in batch] for batch in found] == expected


def test_a_batch_has_a_limited_number_of_instances() -> None:
    found = [len(batch) for batch in batches([source(b"")] * (BATCH_INSTANCES_MAX + 1))]
    assert found == [BATCH_INSTANCES_MAX, 1]


def test_a_body_is_as_long_as_was_said_and_small_instances_share_pieces() -> None:
    batch = [source(b"a" * 1000), source(b"b" * (2 * READ_SIZE_BYTES)), source(b""), source(b"c" * 1000)]
    sent: list[int] = []
    pieces = list(iter_body(batch, "frontier", sent.append))
    assert sum(map(len, pieces)) == sum(sent) == body_length(batch, "frontier")
    assert len(pieces) == 3
    assert b"".join(pieces).count(b"--frontier") == 5


def item(sop_instance_uid: str | None, failure_reason: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if sop_instance_uid is not None:
        found["00081155"] = {"vr": "UI", "Value": [sop_instance_uid]}
    if failure_reason is not None:
        found["00081197"] = {"vr": "US", "Value": [failure_reason]}
    return found


def answer(stored: list[dict[str, Any]], failed: list[dict[str, Any]]) -> dict[str, Any]:
    return {"00081199": {"vr": "SQ", "Value": stored}, "00081198": {"vr": "SQ", "Value": failed}}


def test_an_answer_is_matched_to_its_sources_by_identifier() -> None:
    batch = [source(sop_instance_uid="1.1"), source(sop_instance_uid="1.2")]
    found = match_answer(batch, answer([item("1.2")], [item("1.1", 45070)]))
    assert [(each.is_stored, each.failure_reason) for each in found] == [(False, 45070), (True, None)]


def test_one_identifier_twice_is_matched_in_order() -> None:
    batch = [source(sop_instance_uid="1.1"), source(sop_instance_uid="1.1")]
    found = match_answer(batch, answer([item("1.1")], [item("1.1", 45070)]))
    assert [each.is_stored for each in found] == [True, False]


def test_a_failure_without_identifier_belongs_to_the_source_that_nothing_names() -> None:
    batch = [source(sop_instance_uid="1.1"), source(sop_instance_uid=None), source(sop_instance_uid="1.3")]
    found = match_answer(batch, answer([item("1.1"), item("1.3")], [item(None, 43264)]))
    assert [each.failure_reason for each in found] == [None, 43264, None]


def test_only_a_source_that_is_called_by_its_identifier_is_named() -> None:
    batch = [source(sop_instance_uid="1.1"), source(sop_instance_uid="1.2"), source(sop_instance_uid=None)]
    found = match_answer(batch, answer([item("1.1"), item(None), item(None)], []))
    assert [(each.is_known, each.is_named) for each in found] == [(True, True), (True, False), (True, False)]


@pytest.mark.parametrize("reason", ["no number", -1, 1 << 20, {}, []])
def test_a_reason_that_is_none_is_a_failure_all_the_same(reason: object) -> None:
    failed = {"00081155": {"vr": "UI", "Value": ["1.1"]}, "00081197": {"vr": "US", "Value": [reason]}}
    (found,) = match_answer([source(sop_instance_uid="1.1")], answer([], [failed]))
    assert found.failure_reason == 0x0110
    assert not found.is_stored


def test_a_source_that_the_answer_does_not_mention_is_not_held_to_be_stored() -> None:
    (found,) = match_answer([source(sop_instance_uid="1.1")], {})
    assert not found.is_stored
    assert not found.is_known


def test_warnings_comments_and_address_are_handed_on() -> None:
    stored = item("1.1") | {
        "00081196": {"vr": "US", "Value": [45063]},
        "00081190": {"vr": "UR", "Value": ["http://h/studies/1"]},
        "00741048": {"vr": "SQ", "Value": [{"00000902": {"vr": "LO", "Value": ["why"]}}, {}]},
    }
    (found,) = match_answer([source(sop_instance_uid="1.1")], answer([stored], []))
    assert (found.warning_reason, found.retrieve_url, found.error_comments) == (45063, "http://h/studies/1", ("why",))


@pytest.mark.parametrize("content", [b"", b"no dicom", b"\0" * 132])
def test_a_file_that_is_no_instance_is_a_source_without_identifier(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    found = file_source(path)
    assert found.sop_instance_uid is None
    assert b"".join(found.read()) == content


def test_a_file_that_is_an_instance_says_its_identifier(tmp_path: Path) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset = FileDataset(str(tmp_path / "ct.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = "1.2.3"
    dataset.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    found = file_source(tmp_path / "ct.dcm")
    assert found.sop_instance_uid == "1.2.3"
    assert found.size_bytes == (tmp_path / "ct.dcm").stat().st_size
