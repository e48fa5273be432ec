"""C-STORE from the wire to the archive: bytes, statuses, several at a time, large ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID
from isocenter.dicom.part10 import read_encoding
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp, NDeleteRq, RefusalRsp
from isocenter.dimse.scp.services import ServiceSettings
from isocenter.dimse.scp.store import Storage
from isocenter.dimse.ul.pdu import AssociateAc
from isocenter.dimse.ul.user_information import AsyncOperationsWindow
from isocenter.domain.application_entity import parse_remote_ae
from isocenter.domain.errors import Overloaded, StorageFailed, StorageFull
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.identity.application_entity import AeTable
from isocenter.storage.memory import MemoryBlobStore
from tests.support.dimse_node import AE_TITLE, DimseNode, NodeOptions, dimse_node, run, until
from tests.support.faults import Fault, faulty_blobs
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, identify, scope_of
from tests.support.memory_archive import memory_archive
from tests.support.raw_peer import (
    VERIFICATION,
    RawPeer,
    associate_rq,
    associated,
    message_bytes,
    raw_peer,
    store_rq,
)
from tests.support.small_instances import make_instance

PRIVATE_CLASS = "1.3.12.2.1107.5.9.1"


def dataset_of(identifier: InstanceIdentifier, *, seed: int = 0, size_bytes: int = 4096) -> bytes:
    """Return the data set of an instance, without the head of a file."""
    content = make_instance(identifier, seed=seed, size_bytes=size_bytes).content
    return content[read_encoding(content)[1] :]


async def _store(peer: RawPeer, dataset: bytes, request: CStoreRq) -> CStoreRsp | RefusalRsp:
    await peer.send_message(3, request, dataset)
    response = (await peer.message()).message
    assert isinstance(response, CStoreRsp | RefusalRsp)
    assert response.message_id_being_responded_to == request.message_id
    return response


def _stored(archive: Archive, identifier: InstanceIdentifier) -> bytes:
    [row] = archive.index.instances(scope_of(identifier))
    return archive.blobs.read(row.address)


def _held_bytes(node: DimseNode) -> int:
    service = node.services.find(CT_IMAGE_STORAGE)
    assert service is not None
    storage = service.receives[CStoreRq].__self__  # type: ignore[attr-defined]
    assert isinstance(storage, Storage)
    return storage.held_bytes


@pytest.mark.parametrize("size_bytes", [1000, 200_000, 900_000], ids=["inline", "by a thread", "to disk"])
def test_an_instance_is_kept_as_it_came_behind_the_head_of_a_file(size_bytes: int) -> None:
    dataset = dataset_of(identify(1), size_bytes=size_bytes)

    async def work() -> None:
        with memory_archive(ArchiveSettings(spool_threshold_bytes=500_000)) as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                response = await _store(peer, dataset, store_rq(identify(1).sop_instance_uid))
                assert isinstance(response, CStoreRsp)
                assert (response.status, response.error_comment) == (0x0000, None)
                assert response.affected_sop_class_uid == CT_IMAGE_STORAGE
                assert response.affected_sop_instance_uid == identify(1).sop_instance_uid
                content = _stored(archive, identify(1))
                assert content.endswith(dataset)
                head = content[: -len(dataset)]
                assert head[:132] == bytes(128) + b"DICM"
                for value in (CT_IMAGE_STORAGE, identify(1).sop_instance_uid, EXPLICIT_VR_LITTLE_ENDIAN, "CALLER"):
                    assert value.encode() in head
                assert IMPLEMENTATION_CLASS_UID.encode() in head
                await until(lambda: _held_bytes(node) == 0)

    run(work())


@pytest.mark.parametrize("pdu_length", [14, 100, 5000])
def test_it_does_not_matter_how_a_message_was_cut(pdu_length: int) -> None:
    dataset = dataset_of(identify(1))

    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                request = store_rq(identify(1).sop_instance_uid)
                await peer.send(message_bytes(3, request, dataset, pdu_length=pdu_length))
                assert isinstance((await peer.message()).message, CStoreRsp)
                assert _stored(archive, identify(1)).endswith(dataset)

    run(work())


ANOTHER = dataset_of(identify(1), seed=5)
GOOD = dataset_of(identify(2))


@pytest.mark.parametrize(
    ("dataset", "request_", "status"),
    [
        (dataset_of(identify(1)), store_rq(identify(1).sop_instance_uid), 0x0000),
        (ANOTHER, store_rq(identify(1).sop_instance_uid), 0x0111),
        (GOOD, store_rq("1.2.3"), 0xA900),
        (GOOD.replace(CT_IMAGE_STORAGE.encode(), b"1.2.840.10008.5.1.4.1.1.4"), store_rq("1.2.3"), 0xA900),
        (b"this is no data set at all", store_rq("1.2.3"), 0xC000),
        (b"", store_rq("1.2.3"), 0xC000),
        (GOOD, store_rq("1.2.3", sop_class_uid="1.2.840.10008.5.1.4.1.1.4"), 0x0122),
        (GOOD, store_rq("no uid"), 0x0117),
        (dataset_of(identify(3), size_bytes=300_000), store_rq(identify(3).sop_instance_uid), 0xA700),
    ],
    ids=[
        "the same again",
        "other bytes under its UID",
        "another instance than announced",
        "another class than announced",
        "no data set",
        "nothing",
        "class of another context",
        "no UID",
        "too large",
    ],
)
def test_what_cannot_be_stored_gets_its_status_and_the_next_is_stored(
    dataset: bytes, request_: CStoreRq, status: int
) -> None:
    settings = ArchiveSettings(instance_size_max_bytes=200_000)

    async def work() -> None:
        with memory_archive(settings) as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                await _store(peer, dataset_of(identify(1)), store_rq(identify(1).sop_instance_uid))
                response = await _store(peer, dataset, replace(request_, message_id=2))
                assert response.status == status
                comment = response.error_comment or ""
                assert len(comment) <= 64
                assert "Durability" not in comment
                assert bool(comment) == bool(status)
                after = await _store(peer, dataset_of(identify(9)), store_rq(identify(9).sop_instance_uid))
                assert after.status == 0x0000
                await until(lambda: _held_bytes(node) == 0)
                assert archive.index.totals().instances == 2

    run(work())


def test_other_bytes_take_the_place_of_the_first_where_that_is_the_policy() -> None:
    async def work() -> None:
        with memory_archive(ArchiveSettings(duplicate_policy=DuplicatePolicy.REPLACE)) as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                for dataset in (dataset_of(identify(1)), ANOTHER):
                    response = await _store(peer, dataset, store_rq(identify(1).sop_instance_uid))
                    assert response.status == 0x0000
                assert _stored(archive, identify(1)).endswith(ANOTHER)

    run(work())


@pytest.mark.parametrize(
    ("make_error", "status"), [(StorageFull, 0xA700), (StorageFailed, 0x0110), (Overloaded, 0xA700)]
)
@pytest.mark.parametrize("size_bytes", [1000, 900_000], ids=["small", "on disk"])
def test_a_volume_that_fails_is_told_and_the_association_goes_on(
    make_error: Callable[[], Exception], status: int, size_bytes: int
) -> None:
    dataset = dataset_of(identify(1), size_bytes=size_bytes)

    async def work() -> None:
        fault = Fault(make_error, at_call=1, is_after=False)
        blobs = faulty_blobs(MemoryBlobStore(), fault)
        with memory_archive(ArchiveSettings(spool_threshold_bytes=500_000), blobs=blobs) as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                fault.arm()
                response = await _store(peer, dataset, store_rq(identify(1).sop_instance_uid))
                assert response.status == status
                again = await _store(peer, dataset_of(identify(2)), store_rq(identify(2).sop_instance_uid))
                assert again.status == (0x0000 if make_error is not StorageFailed else 0x0110)
                await until(lambda: fault.open_spools == 0)
                await until(lambda: _held_bytes(node) == 0)

    run(work())


def test_a_caller_that_may_not_store_has_no_context_for_it() -> None:
    table = AeTable(AE_TITLE, (parse_remote_ae("CALLER@*?services=echo,find"),))

    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive, NodeOptions(table)) as node, associated(node.port) as peer:
                await peer.send_message(3, store_rq("1.2.3"), GOOD)
                assert (await peer.pdu()).name == "A-ABORT"
                assert archive.index.totals().instances == 0

    run(work())


@pytest.mark.parametrize(("accepts", "results"), [(True, [0, 0, 0]), (False, [0, 3, 0])])
def test_private_classes_are_taken_where_the_setting_says_so(accepts: bool, results: list[int]) -> None:
    request = associate_rq(
        (VERIFICATION, "1.2.840.10008.1.2"),
        (PRIVATE_CLASS, EXPLICIT_VR_LITTLE_ENDIAN),
        ("1.2.840.10008.5.1.4.1.1.999.1", EXPLICIT_VR_LITTLE_ENDIAN),
    )

    async def work() -> None:
        with memory_archive() as archive:
            options = NodeOptions(services=ServiceSettings(accepts_private_sop_classes=accepts))
            async with dimse_node(archive, options) as node, raw_peer(node.port) as peer:
                answer = await peer.associate(request)
                assert isinstance(answer, AssociateAc)
                assert [context.result for context in answer.presentation_contexts] == results

    run(work())


def test_a_private_instance_is_stored() -> None:
    padded = CT_IMAGE_STORAGE.encode() + b"\0" * (len(CT_IMAGE_STORAGE) % 2)
    private = PRIVATE_CLASS.encode().ljust(len(padded), b"\0")
    dataset = GOOD.replace(padded, private)

    async def work() -> None:
        with memory_archive() as archive:
            request = associate_rq((VERIFICATION, "1.2.840.10008.1.2"), (PRIVATE_CLASS, EXPLICIT_VR_LITTLE_ENDIAN))
            async with dimse_node(archive) as node, associated(node.port, request) as peer:
                rq = store_rq(identify(2).sop_instance_uid, sop_class_uid=PRIVATE_CLASS)
                assert (await _store(peer, dataset, rq)).status == 0x0000
                assert _stored(archive, identify(2)).endswith(dataset)

    run(work())


def test_several_outstanding_requests_are_answered_each() -> None:
    request = associate_rq(window=AsyncOperationsWindow(8, 1))

    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node, raw_peer(node.port) as peer:
                answer = await peer.associate(request)
                assert isinstance(answer, AssociateAc)
                assert answer.user_information.async_operations_window == AsyncOperationsWindow(8, 1)
                numbers = range(1, 41)
                await peer.send(
                    *(
                        message_bytes(3, store_rq(identify(n).sop_instance_uid, message_id=n), dataset_of(identify(n)))
                        for n in numbers
                    )
                )
                answered = set()
                for _ in numbers:
                    response = (await peer.message()).message
                    assert isinstance(response, CStoreRsp)
                    assert response.status == 0
                    answered.add(response.message_id_being_responded_to)
                assert answered == set(numbers)

    run(work())


def test_an_operation_that_storage_does_not_have_is_answered_so() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                request = NDeleteRq(
                    message_id=7, requested_sop_class_uid=CT_IMAGE_STORAGE, requested_sop_instance_uid="1.2"
                )
                await peer.send_message(3, request)
                response = (await peer.message()).message
                assert getattr(response, "status", None) == 0x0211
                after = await _store(peer, GOOD, store_rq(identify(2).sop_instance_uid))
                assert after.status == 0

    run(work())


def test_a_slow_disk_holds_the_sender_and_not_the_others() -> None:
    """While a spool waits for the disk, its association stops reading; another is served."""
    size_bytes = 40 * 1024**2
    header, pixel_tag, _ = dataset_of(identify(1)).partition(b"\xe0\x7f\x10\x00")
    dataset = header + pixel_tag + b"OW\0\0" + size_bytes.to_bytes(4, "little") + bytes(size_bytes)
    gate = threading.Event()

    async def work() -> None:
        with memory_archive(ArchiveSettings(spool_threshold_bytes=1024**2)) as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer, associated(node.port) as other:
                for _ in range(4):  # as many as there are threads
                    node.opener.runtime.executor.submit(gate.wait)
                sending = asyncio.create_task(peer.send_message(3, store_rq(identify(1).sop_instance_uid), dataset))
                await until(lambda: _held_bytes(node) > 12 * 1024**2)
                small = await _store(other, GOOD, store_rq(identify(2).sop_instance_uid))
                assert small.status == 0
                assert _held_bytes(node) < 16 * 1024**2
                gate.set()
                await sending
                response = (await peer.message()).message
                assert isinstance(response, CStoreRsp)
                assert response.status == 0
                assert _stored(archive, identify(1)).endswith(dataset)

    try:
        run(work())
    finally:
        gate.set()
