"""Every real file goes in by C-STORE and comes out by C-GET and C-MOVE, its data set bit for bit."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from isocenter.archive.archive import Archive
from isocenter.dicom.dataset import encode_dataset, text_attribute
from isocenter.dicom.part10 import encoding_of, read_encoding
from isocenter.dimse.message.messages import CEchoRq, CGetRq, CGetRsp, CMoveRq, CMoveRsp, CStoreRq, CStoreRsp
from isocenter.dimse.scp.outgoing import ArchiveSupply
from isocenter.dimse.scp.retrieve import RetrieveProvider
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.service import Service
from isocenter.dimse.ul.user_information import RoleSelection
from isocenter.domain.application_entity import RemoteAe
from tests.support.dimse_node import NodeOptions, dimse_node, run
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN
from tests.support.memory_archive import memory_archive
from tests.support.raw_peer import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION,
    RawPeer,
    StoreSink,
    associate_rq,
    associated,
    store_rq,
)
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
STORE_CONTEXT, GET_CONTEXT, MOVE_CONTEXT = 1, 3, 5


def _digest(dataset: bytes) -> str:
    """Return what tells data sets apart; a difference of megabytes says nothing."""
    return hashlib.sha256(dataset).hexdigest()


def _identifier(row: ManifestRow) -> bytes:
    values = {0x00080052: ("CS", "STUDY"), 0x0020000D: ("UI", row.study_instance_uid)}
    dataset = {tag: text_attribute(vr, text) for tag, (vr, text) in values.items()}
    return encode_dataset(dataset, encoding_of(IMPLICIT_VR_LITTLE_ENDIAN))


def _dataset_of(content: bytes) -> tuple[str, bytes]:
    """Return the transfer syntax and the data set of a file, of even length as it goes over the wire.

    What has no head is an implicit data set, which is what DIMSE sends anyway.
    """
    transfer_syntax_uid, offset = IMPLICIT_VR_LITTLE_ENDIAN, 0
    if content[128:132] == b"DICM":
        encoding, offset = read_encoding(content)
        transfer_syntax_uid = encoding.transfer_syntax_uid
    dataset = content[offset:]
    return transfer_syntax_uid, dataset + b"\0" * (len(dataset) % 2)


async def _get(peer: RawPeer, row: ManifestRow) -> tuple[int, list[str]]:
    await peer.send_message(GET_CONTEXT, CGetRq(message_id=2, affected_sop_class_uid=STUDY_GET), _identifier(row))
    got: list[str] = []
    while True:
        received = await peer.message()
        message = received.message
        if isinstance(message, CGetRsp):
            return message.status, got
        assert isinstance(message, CStoreRq)
        got.append(_digest(received.dataset))
        answer = CStoreRsp(message_id_being_responded_to=message.message_id, status=0)
        await peer.send_message(received.context_id, answer)


async def _move(peer: RawPeer, row: ManifestRow) -> int:
    request = CMoveRq(message_id=3, affected_sop_class_uid=STUDY_MOVE, move_destination="SINK")
    await peer.send_message(MOVE_CONTEXT, request, _identifier(row))
    while True:
        message = (await peer.message()).message
        assert isinstance(message, CMoveRsp)
        if message.status != 0xFF00:
            return message.status


async def _round_trip(archive: Archive, row: ManifestRow) -> None:
    transfer_syntax_uid, dataset = _dataset_of(read_bytes(row))
    sink = StoreSink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def retrieval(opener: Opener) -> list[Service]:
        find = {"SINK": RemoteAe("SINK", "127.0.0.1", port)}.get
        return RetrieveProvider(ArchiveSupply(archive), opener, find_destination=find).services()

    request = associate_rq(
        (row.sop_class_uid, transfer_syntax_uid),
        (STUDY_GET, IMPLICIT_VR_LITTLE_ENDIAN),
        (STUDY_MOVE, IMPLICIT_VR_LITTLE_ENDIAN),
        roles=[RoleSelection(row.sop_class_uid, scu_role=True, scp_role=True)],
    )
    async with (
        dimse_node(archive, NodeOptions(further=retrieval)) as node,
        associated(node.port, request) as peer,
    ):
        stored = store_rq(row.sop_instance_uid, sop_class_uid=row.sop_class_uid)
        await peer.send_message(STORE_CONTEXT, stored, dataset)
        assert getattr((await peer.message()).message, "status", None) == 0x0000
        assert await _get(peer, row) == (0x0000, [_digest(dataset)])
        assert await _move(peer, row) == 0x0000
        assert {uid: _digest(came) for uid, came in sink.datasets.items()} == {row.sop_instance_uid: _digest(dataset)}
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("row", manifest_params(lambda row: row.is_instance))
def test_a_file_goes_in_and_comes_out_with_the_same_data_set(row: ManifestRow) -> None:
    with memory_archive() as archive:
        run(_round_trip(archive, row))


def _is_broken_file(row: ManifestRow) -> bool:
    return row.is_broken and row.is_dicom


@pytest.mark.parametrize("row", manifest_params(_is_broken_file))
def test_a_broken_file_is_kept_or_refused_and_the_next_is_served(row: ManifestRow) -> None:
    content = read_bytes(row)
    sop_class_uid = row.sop_class_uid or CT_IMAGE_STORAGE

    async def work() -> None:
        with memory_archive() as archive:
            request = associate_rq(
                (VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN), (sop_class_uid, EXPLICIT_VR_LITTLE_ENDIAN)
            )
            async with dimse_node(archive) as node, associated(node.port, request) as peer:
                for offset in (0, 132, 144, 300):
                    stored = store_rq(row.sop_instance_uid or "1.2.3", sop_class_uid=sop_class_uid)
                    await peer.send_message(3, stored, content[offset:])
                    status = getattr((await peer.message()).message, "status", None)
                    assert status in (0x0000, 0x0111, 0xA900, 0xC000)
                await peer.send_message(1, CEchoRq(message_id=9))
                assert getattr((await peer.message()).message, "status", None) == 0x0000

    run(work())
