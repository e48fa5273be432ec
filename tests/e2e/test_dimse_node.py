"""The started node by DIMSE: large instances in flat memory, an end in peace, callers that are not welcome."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.dicom.part10 import read_encoding
from isocenter.dimse.message.messages import CStoreRsp
from isocenter.dimse.ul.pdu import REJECT_CALLING_AE_TITLE, Abort, AssociateAc
from tests.support.dicomweb import ANY_DICOM, get, parts
from tests.support.dimse_node import run
from tests.support.instances import identify
from tests.support.processes import Node, free_port, serve
from tests.support.raw_peer import associate_rq, associated, message_bytes, raw_peer, store_rq
from tests.support.small_instances import make_instance

MEGABYTE = 1024**2
LARGE_BYTES = 300 * MEGABYTE
MEMORY_MAX_BYTES = 80 * MEGABYTE
"""What the node may grow by for an instance: what is in hand of an association, several times over."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A running node and its DICOM port."""

    node: Node
    port: int


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    port = free_port()
    arguments = ("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}")
    with serve(tmp_path / "data", arguments=arguments) as node:
        yield Listening(node, port)


def _memory_bytes(node: Node) -> int:
    for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


def _dataset(size_bytes: int) -> bytes:
    content = make_instance(identify(1)).content
    header, tag, _ = content[read_encoding(content)[1] :].partition(b"\xe0\x7f\x10\x00")
    return header + tag + b"OW\0\0" + size_bytes.to_bytes(4, "little") + bytes(size_bytes)


def test_memory_stays_flat_for_a_large_instance(listening: Listening) -> None:
    dataset = _dataset(LARGE_BYTES)
    before = _memory_bytes(listening.node)
    peak = before
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.02):
            peak = max(peak, _memory_bytes(listening.node))

    async def store() -> int | None:
        async with associated(listening.port) as peer:
            await peer.send_message(3, store_rq(identify(1).sop_instance_uid), dataset)
            response = (await peer.message()).message
            return response.status if isinstance(response, CStoreRsp) else None

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        assert run(store()) == 0
    finally:
        is_over.set()
        watching.join()
    assert peak - before < MEMORY_MAX_BYTES
    answer = get(f"{listening.node.dicomweb_url}/studies/{identify(1).study_instance_uid}", ANY_DICOM)
    [part] = parts(answer)
    stored = part.content[read_encoding(part.content)[1] :]
    assert hashlib.sha256(stored).digest() == hashlib.sha256(dataset).digest()


def test_a_store_under_way_at_sigterm_is_answered_and_kept(tmp_path: Path) -> None:
    port = free_port()
    arguments = ("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}")
    content = make_instance(identify(1), size_bytes=50_000).content
    dataset = content[read_encoding(content)[1] :]
    message = message_bytes(3, store_rq(identify(1).sop_instance_uid), dataset)

    async def store(node: Node) -> None:
        async with associated(port) as peer:
            await peer.send(message[: len(message) // 2])
            await asyncio.sleep(0.2)
            node.process.popen.terminate()
            await asyncio.sleep(0.2)
            await peer.send(message[len(message) // 2 :])
            response = (await peer.message()).message
            assert isinstance(response, CStoreRsp)
            assert response.status == 0
            assert isinstance(await peer.pdu(), Abort)

    with serve(tmp_path / "data", arguments=arguments, must_end_cleanly=False) as node:
        run(store(node))
        assert node.process.popen.wait(60) == 0
        assert "Traceback" not in node.process.log()
    with serve(tmp_path / "data") as again:
        answer = get(f"{again.dicomweb_url}/studies/{identify(1).study_instance_uid}", ANY_DICOM)
        [part] = parts(answer)
        assert part.content.endswith(dataset)


@pytest.mark.parametrize(
    ("arguments", "is_admitted"),
    [
        ((), True),
        (("--remote", "PACS@127.0.0.1:104"), True),
        (("--set", "dicom.unknown_callers=refuse"), False),
        (("--set", "dicom.unknown_callers=refuse", "--remote", "CALLER@127.0.0.1:104"), True),
    ],
    ids=["quick start", "with a remote", "strict", "strict and known"],
)
def test_on_loopback_strangers_are_welcome_unless_the_operator_says_otherwise(
    tmp_path: Path, arguments: tuple[str, ...], is_admitted: bool
) -> None:
    port = free_port()
    with serve(tmp_path / "data", arguments=("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}", *arguments)):

        async def call() -> object:
            async with raw_peer(port) as peer:
                return await peer.associate(associate_rq())

        answer = run(call())
        assert isinstance(answer, AssociateAc) if is_admitted else answer == REJECT_CALLING_AE_TITLE
