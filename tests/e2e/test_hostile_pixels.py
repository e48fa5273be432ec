"""Frames that crash a codec or hold it: their request is refused, the node and its other requests go on (S30)."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from isocenter.app.node_parts import Threads
from isocenter.app.serve import build_application
from isocenter.app.settings import load_settings
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.errors import NotAcceptable
from isocenter.modality.encodings import iter_encodings
from isocenter.ports.blobs import Buffer
from isocenter.ports.frame_decoder import DecodedFrame, FrameDecoder, PixelValues
from isocenter.storage.decoding import DecodingPool
from tests.support import treacherous_worker as worker
from tests.support.asgi_client import AsgiClient
from tests.support.decoding import HOLDS_CHARLS, TREACHEROUS, children_of, wait_until_gone
from tests.support.dicomweb import get, instance_urls, post_instance
from tests.support.memory_archive import memory_archive, store
from tests.support.processes import serve

JPEG_LS = "1.2.840.10008.1.2.4.80"
TODAY = datetime(2026, 11, 21)
ENCODED = {each.encoding.transfer_syntax_uid: each.part10 for each in iter_encodings(9, started_at=TODAY, edge=64)}
HOSTILE = {"crash": worker.CRASH, "wait": worker.WAIT, "hold CharLS": HOLDS_CHARLS}


def _path(content: bytes) -> str:
    dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    series = f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
    return f"{series}/instances/{dataset.SOPInstanceUID}"


def _hostile(frame: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(ENCODED[JPEG_LS]))
    dataset.SOPInstanceUID = UID(f"{dataset.SOPInstanceUID}.{len(frame)}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PixelData = encapsulate([frame])
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


SOUND = ENCODED[JPEG_LS]
NATIVE_DICOM = "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
NATIVE_FRAME = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
DECODED = {
    "picture": ("/rendered", "image/png"),
    "thumbnail": ("/thumbnail", "image/png"),
    "frame": ("/frames/1", NATIVE_FRAME),
    "frames": (
        "/frames/1,1",
        'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
    ),
    "instance": ("", NATIVE_DICOM),
}
"""What is decoded for a caller: path behind the instance's, and Accept."""


@contextmanager
def _node(folder: Path, decoder: FrameDecoder) -> Iterator[AsgiClient]:
    """Return a node in this process, with one thread of each kind, that has a sound instance and hostile ones."""
    settings = load_settings({"data_dir": str(folder)}, {}, None)
    with memory_archive() as archive, ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(1) as pictures:
        for content in (SOUND, *map(_hostile, HOSTILE.values())):
            store(archive, content)
        application = build_application(
            replace(archive, decoder=decoder), settings, Threads(readers, pictures), register=AssociationRegister()
        )
        yield AsgiClient(application)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodingPool]:
    with DecodingPool(workers_max=1, decode_timeout_s=2.0, command=TREACHEROUS) as opened:
        yield opened


@pytest.fixture(scope="module")
def node(pool: DecodingPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiClient]:
    with _node(tmp_path_factory.mktemp("node"), pool) as client:
        yield client


def _ask(node: AsgiClient, content: bytes, what: str) -> int:
    behind, accept = DECODED[what]
    return node.get(_path(content) + behind, headers={"Accept": accept, "Host": "127.0.0.1"}).status_code


@pytest.mark.parametrize("what", DECODED)
@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_frame_is_not_acceptable_and_a_sound_one_follows(
    node: AsgiClient, pool: DecodingPool, frame: bytes, what: str
) -> None:
    assert _ask(node, _hostile(frame), what) == httpx.codes.NOT_ACCEPTABLE
    assert _ask(node, SOUND, what) == httpx.codes.OK
    assert len(pool.worker_pids) == 1


class _HeldDecoder:
    """Hold every frame until the test is done with it."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def decode(self, content: Buffer, description: PixelValues) -> DecodedFrame:
        self.has_begun.set()
        self.may_end.wait()
        raise NotAcceptable


@pytest.mark.parametrize("what", DECODED)
def test_a_frame_that_holds_its_decoder_holds_up_no_request_that_needs_none(tmp_path: Path, what: str) -> None:
    decoder = _HeldDecoder()
    with ThreadPoolExecutor(1) as caller, _node(tmp_path, decoder) as node:
        asked = caller.submit(_ask, node, SOUND, what)
        try:
            assert decoder.has_begun.wait(30)
            path, host = _path(SOUND), {"Host": "127.0.0.1"}
            as_stored = {"Accept": "application/dicom; transfer-syntax=*", **host}
            assert node.get("/health/ready").status_code == httpx.codes.OK
            assert node.get("/dicom-web/studies", headers=host).status_code == httpx.codes.OK
            assert node.get(path, headers=as_stored).content == SOUND
            assert node.get(f"{path}/frames/1", headers=host).status_code == httpx.codes.OK
        finally:
            decoder.may_end.set()
        assert asked.result(30) == httpx.codes.NOT_ACCEPTABLE


def test_a_killed_node_leaves_no_decoding_process(tmp_path: Path) -> None:
    with serve(tmp_path / "data", must_end_cleanly=False) as started:
        [url] = instance_urls(post_instance(started.dicomweb_url, SOUND))
        assert children_of(started.process.pid) == []
        assert get(f"{url}/rendered", "image/png").status_code == httpx.codes.OK
        [child] = children_of(started.process.pid)
        os.kill(started.process.pid, signal.SIGKILL)
        wait_until_gone(child)


def test_a_node_ends_its_decoding_processes_with_itself(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as started:
        [url] = instance_urls(post_instance(started.dicomweb_url, SOUND))
        assert get(f"{url}/rendered", "image/png").status_code == httpx.codes.OK
        [child] = children_of(started.process.pid)
    wait_until_gone(child)
