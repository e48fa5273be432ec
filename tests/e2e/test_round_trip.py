"""Every real file goes in and comes back bit for bit; the broken ones are refused with a reason or kept, never more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import pydicom
import pytest

from tests.support.dicomweb import (
    ANY_DICOM,
    ANY_FRAMES,
    delete,
    failure_reasons,
    get,
    instance_urls,
    parts,
    post_instance,
)
from tests.support.processes import Node
from tests.support.shared_data import ManifestRow, manifest_params, path_of, read_bytes


def _is_part_10(row: ManifestRow) -> bool:
    """Tell whether a file is a sound instance with the prefix that PS3.10 7.1 asks for."""
    with path_of(row).open("rb") as file:
        return row.is_instance and file.read(132).endswith(b"DICM")


@pytest.fixture
def stored(node: Node, request: pytest.FixtureRequest) -> Iterator[tuple[ManifestRow, str]]:
    """Store the file of a row and return its address; it is deleted again, since several files share identifiers."""
    row: ManifestRow = request.param
    answer = post_instance(node.dicomweb_url, read_bytes(row))
    assert answer.status_code == httpx.codes.OK, answer.text
    [url] = instance_urls(answer)
    yield row, url
    assert delete(url).status_code == httpx.codes.NO_CONTENT


@pytest.mark.parametrize("stored", manifest_params(_is_part_10), indirect=True)
def test_a_file_comes_back_byte_identical_with_its_identifiers_and_metadata(stored: tuple[ManifestRow, str]) -> None:
    row, url = stored
    original = read_bytes(row)

    single = get(url, "application/dicom; transfer-syntax=*")
    assert hashlib.sha256(single.content).hexdigest() == hashlib.sha256(original).hexdigest()
    assert single.headers["content-disposition"] == "attachment"
    assert single.headers["x-content-type-options"] == "nosniff"
    [part] = parts(get(url, ANY_DICOM))
    assert part.content == original
    assert part.transfer_syntax_uid == row.transfer_syntax_uid

    [metadata] = get(f"{url}/metadata", "application/dicom+json").json()
    assert metadata["00080018"]["Value"] == [row.sop_instance_uid]
    assert metadata["0020000D"]["Value"] == [row.study_instance_uid]
    _check_frames(row, url)


def _check_frames(row: ManifestRow, url: str) -> None:
    """Frames exist exactly where pydicom finds pixel data, and each names the transfer syntax it is in."""
    dataset = pydicom.dcmread(path_of(row), force=True)
    has_pixels = any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    answer = get(f"{url}/frames/1", ANY_FRAMES)
    if not has_pixels:
        assert answer.status_code == httpx.codes.NOT_FOUND
        return
    assert answer.status_code == httpx.codes.OK, answer.text
    [frame] = parts(answer)
    assert frame.transfer_syntax_uid
    assert frame.content


@pytest.mark.parametrize("row", manifest_params(lambda row: not _is_part_10(row)))
def test_what_is_no_sound_instance_is_refused_with_a_reason_or_kept_as_it_is(node: Node, row: ManifestRow) -> None:
    content = read_bytes(row)
    answer = post_instance(node.dicomweb_url, content)

    if answer.status_code == httpx.codes.OK:
        [url] = instance_urls(answer)
        assert get(url, "application/dicom").content == content
        for resource in ("metadata", "frames/1", "rendered", "thumbnail"):
            assert get(f"{url}/{resource}", "*/*").status_code < httpx.codes.INTERNAL_SERVER_ERROR
        delete(url)
    else:
        assert answer.status_code == httpx.codes.CONFLICT, answer.text
        assert failure_reasons(answer) == [0xA900]
        [failed] = answer.json()["00081198"]["Value"]
        assert failed["00741048"]["Value"][0]["00000902"]["Value"][0]
    assert get(f"{node.base_url}/health/ready").status_code == httpx.codes.OK
