"""C-GET and C-MOVE from the archive to a receiver: bytes, counters, statuses, lost associations."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from isocenter.archive.archive import Archive
from isocenter.dicom.dataset import decode_dataset, encode_dataset, text_attribute
from isocenter.dicom.part10 import encoding_of, read_encoding
from isocenter.dimse.message.messages import (
    CCancelRq,
    CEchoRq,
    CGetRq,
    CGetRsp,
    CMoveRq,
    CMoveRsp,
    CStoreRq,
    CStoreRsp,
)
from isocenter.dimse.scp import retrieval, retrieve
from isocenter.dimse.scp.outgoing import ArchiveSupply, StoredInstance
from isocenter.dimse.scp.retrieve import RetrieveProvider
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS, Service
from isocenter.dimse.ul.pdu import AssociateRq
from isocenter.dimse.ul.user_information import RoleSelection
from isocenter.domain.application_entity import RemoteAe, parse_remote_ae
from isocenter.domain.principal import Principal
from isocenter.domain.selection import Selection
from isocenter.identity.application_entity import AeTable
from tests.support.dimse_node import AE_TITLE, DimseNode, NodeOptions, dimse_node, run, until
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, identify
from tests.support.memory_archive import memory_archive, store
from tests.support.raw_peer import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION,
    RawPeer,
    Received,
    StoreSink,
    associate_rq,
    associated,
)
from tests.support.small_instances import make_instance

STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
UNKNOWN, SINK = "UNKNOWN", "SINK"
COUNTERS = ("remaining", "completed", "failed", "warning")


def _identifier(study: int = 1, *, syntax: str = IMPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    uid = identify(study).study_instance_uid
    dataset = {0x00080052: text_attribute("CS", "STUDY"), 0x0020000D: text_attribute("UI", uid)}
    return encode_dataset(dataset, encoding_of(syntax))


def _fill(archive: Archive, count: int, *, size_bytes: int = 2000) -> dict[str, bytes]:
    """Store a study and return its data sets by SOP instance UID."""
    datasets = {}
    for number in range(1, count + 1):
        instance = make_instance(identify(1, 1, number), size_bytes=size_bytes)
        store(archive, instance.content)
        datasets[instance.identifier.sop_instance_uid] = instance.content[read_encoding(instance.content)[1] :]
    return datasets


def _total(response: CGetRsp | CMoveRsp) -> int:
    return sum(getattr(response, f"number_of_{name}_suboperations") or 0 for name in COUNTERS)


def _getting(syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> AssociateRq:
    return associate_rq(
        (STUDY_GET, IMPLICIT_VR_LITTLE_ENDIAN),
        (CT_IMAGE_STORAGE, syntax),
        roles=[RoleSelection(CT_IMAGE_STORAGE, scu_role=False, scp_role=True)],
    )


@asynccontextmanager
async def _node(archive: Archive, find_destination: Callable[[str], RemoteAe | None]) -> AsyncIterator[DimseNode]:
    """Run a node whose table of services has retrieval."""

    def services(opener: Opener) -> list[Service]:
        return RetrieveProvider(ArchiveSupply(archive), opener, find_destination=find_destination).services()

    async with dimse_node(archive, NodeOptions(further=services)) as node:
        yield node


async def _get(
    peer: RawPeer,
    status_of: Callable[[str], int] = lambda uid: 0,
    *,
    cancel_after: int | None = None,
    on_pending: Callable[[CGetRsp], None] = lambda response: None,
) -> tuple[dict[str, bytes], list[CGetRsp], bytes]:
    """Ask for the study and take what comes, answering each instance with a status."""
    request = CGetRq(message_id=1, affected_sop_class_uid=STUDY_GET)
    await peer.send_message(1, request, _identifier())
    got: dict[str, bytes] = {}
    responses: list[CGetRsp] = []
    while True:
        received: Received = await peer.message()
        message = received.message
        if isinstance(message, CGetRsp):
            responses.append(message)
            if message.status != 0xFF00:
                return got, responses, received.dataset
            on_pending(message)
            continue
        assert isinstance(message, CStoreRq)
        got[message.affected_sop_instance_uid] = received.dataset
        if cancel_after == len(got):
            await peer.send_message(1, CCancelRq(message_id_being_responded_to=1))
        answer = CStoreRsp(
            message_id_being_responded_to=message.message_id, status=status_of(message.affected_sop_instance_uid)
        )
        await peer.send_message(received.context_id, answer)


@pytest.mark.parametrize("syntax", QUERY_TRANSFER_SYNTAX_UIDS)
def test_identifiers_are_read_and_failed_lists_written_in_each_syntax_of_queries(syntax: str) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            datasets = _fill(archive, 2)
            request = associate_rq((STUDY_GET, syntax), (VERIFICATION, syntax))
            async with _node(archive, _nowhere) as node, associated(node.port, request) as peer:
                message = CGetRq(message_id=1, affected_sop_class_uid=STUDY_GET)
                await peer.send_message(1, message, _identifier(syntax=syntax))
                received = await peer.message()
                assert isinstance(received.message, CGetRsp)
                assert received.message.status == 0xA702  # there is no context to send them on
                failed = decode_dataset(received.dataset, encoding_of(syntax))[0x00080058]
                assert sorted(failed.value.decode().rstrip("\0").split("\\")) == sorted(datasets)

    run(work())


def _nowhere(ae_title: str) -> RemoteAe | None:
    return None


@pytest.mark.parametrize("size_bytes", [2000, 500_000, 6_000_000], ids=["small", "CT", "streamed"])
def test_a_study_comes_back_by_c_get_with_the_bytes_that_were_stored(size_bytes: int) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            datasets = _fill(archive, 3, size_bytes=size_bytes)
            async with _node(archive, _nowhere) as node, associated(node.port, _getting()) as peer:
                got, responses, _ = await _get(peer)
                assert got == datasets
                assert [response.status for response in responses if response.status != 0xFF00] == [0x0000]
                assert responses[-1].number_of_completed_suboperations == 3

    run(work())


def test_an_instance_is_turned_into_what_the_receiver_takes() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            datasets = _fill(archive, 2)
            request = _getting(IMPLICIT_VR_LITTLE_ENDIAN)
            async with _node(archive, _nowhere) as node, associated(node.port, request) as peer:
                got, responses, _ = await _get(peer)
                assert responses[-1].status == 0
                assert got.keys() == datasets.keys()
                for uid, dataset in got.items():
                    assert dataset[4:8] == (26).to_bytes(4, "little")  # an implicit header: the length at once
                    assert dataset[-1900:] == datasets[uid][-1900:]

    run(work())


@pytest.mark.parametrize(
    ("failing", "status", "counters"),
    [(0, 0x0000, (3, 0)), (1, 0xB000, (2, 1)), (3, 0xA702, (0, 3))],
    ids=["none", "one", "all"],
)
def test_failures_are_counted_and_named_and_the_rest_goes_on(
    failing: int, status: int, counters: tuple[int, int]
) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            uids = list(_fill(archive, 3))
            refused = set(uids[:failing])
            async with _node(archive, _nowhere) as node, associated(node.port, _getting()) as peer:
                got, responses, identifier = await _get(peer, lambda uid: 0xA700 if uid in refused else 0)
                final = responses[-1]
                assert len(got) == 3
                assert final.status == status
                assert (final.number_of_completed_suboperations, final.number_of_failed_suboperations) == counters
                assert all(_total(response) == 3 for response in responses)
                assert all(uid.encode() in identifier for uid in refused)
                assert bool(identifier) == bool(refused)

    run(work())


def test_a_cancelled_retrieval_ends_with_what_remains() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            _fill(archive, 20)
            async with _node(archive, _nowhere) as node, associated(node.port, _getting()) as peer:
                got, responses, _ = await _get(peer, cancel_after=5)
                final = responses[-1]
                assert final.status == 0xFE00
                assert 5 <= len(got) < 20
                assert final.number_of_remaining_suboperations == 20 - len(got)
                assert _total(final) == 20

    run(work())


def test_nothing_found_is_success_with_nothing_sent() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with _node(archive, _nowhere) as node, associated(node.port, _getting()) as peer:
                got, [final], _ = await _get(peer)
                assert (got, final.status, _total(final)) == ({}, 0, 0)

    run(work())


def test_classes_that_the_receiver_did_not_propose_fail() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            _fill(archive, 2)
            request = associate_rq((STUDY_GET, IMPLICIT_VR_LITTLE_ENDIAN))
            async with _node(archive, _nowhere) as node, associated(node.port, request) as peer:
                got, [final], _ = await _get(peer)
                assert (got, final.status, final.number_of_failed_suboperations) == ({}, 0xA702, 2)
                assert final.error_comment == f"CALLER: no context for CT Image Storage, {EXPLICIT_VR_LITTLE_ENDIAN}"

    run(work())


async def _move(peer: RawPeer, destination: str) -> tuple[list[CMoveRsp], bytes]:
    request = CMoveRq(message_id=9, affected_sop_class_uid=STUDY_MOVE, move_destination=destination)
    await peer.send_message(1, request, _identifier())
    responses: list[CMoveRsp] = []
    while True:
        received = await peer.message()
        assert isinstance(received.message, CMoveRsp)
        responses.append(received.message)
        if received.message.status != 0xFF00:
            return responses, received.dataset


@asynccontextmanager
async def _moving(archive: Archive, receiver: StoreSink, *, associations_max: int = 1) -> AsyncIterator[RawPeer]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def find(ae_title: str) -> RemoteAe | None:
        sink = RemoteAe(SINK, "127.0.0.1", port, store_associations_max=associations_max)
        return sink if ae_title == SINK else None

    contexts = (STUDY_MOVE, IMPLICIT_VR_LITTLE_ENDIAN), (VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN)
    request = associate_rq(*contexts, calling="ASKER")
    try:
        async with _node(archive, find) as node, associated(node.port, request) as peer:
            yield peer
    finally:
        server.close()
        await server.wait_closed()


def test_a_study_is_moved_in_the_name_of_who_asked() -> None:
    async def work() -> None:
        receiver = StoreSink()
        with memory_archive() as archive:
            datasets = _fill(archive, 5)
            async with _moving(archive, receiver) as peer:
                responses, identifier = await _move(peer, SINK)
                assert (responses[-1].status, identifier) == (0, b"")
                assert receiver.datasets == datasets
                assert {request.move_originator_ae_title for request in receiver.requests} == {"ASKER"}
                assert {request.move_originator_message_id for request in receiver.requests} == {9}

    run(work())


@pytest.mark.parametrize(
    ("hangs_up_at", "status", "failed", "associations"),
    [((3,), 0x0000, 0, 2), ((3, 4), 0xB000, 3, 2), ((3, 5), 0x0000, 0, 3)],
    ids=["once", "twice over the same instance", "over two instances"],
)
def test_a_lost_destination_is_called_once_more_for_the_instance_under_way(
    hangs_up_at: Sequence[int], status: int, failed: int, associations: int
) -> None:
    async def work() -> None:
        receiver = StoreSink(hangs_up_at)
        with memory_archive() as archive:
            datasets = _fill(archive, 5)
            async with _moving(archive, receiver) as peer:
                responses, identifier = await _move(peer, SINK)
                final = responses[-1]
                assert (final.status, final.number_of_failed_suboperations) == (status, failed)
                assert _total(final) == 5
                assert receiver.associations == associations
                missing = datasets.keys() - receiver.datasets.keys()
                assert len(missing) == failed
                assert all(uid.encode() in identifier for uid in missing)

    run(work())


def test_an_unknown_destination_and_one_that_is_down_are_told_apart() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            _fill(archive, 2)

            def find(ae_title: str) -> RemoteAe | None:
                return RemoteAe(SINK, "127.0.0.1", 1) if ae_title == SINK else None

            request = associate_rq((STUDY_MOVE, IMPLICIT_VR_LITTLE_ENDIAN))
            async with _node(archive, find) as node, associated(node.port, request) as peer:
                [unknown], _ = await _move(peer, UNKNOWN)
                assert unknown.status == 0xA801
                assert UNKNOWN in (unknown.error_comment or "")
                responses, identifier = await _move(peer, SINK)
                assert responses[-1].status == 0xA702
                assert SINK in (responses[-1].error_comment or "")
                assert responses[-1].number_of_failed_suboperations == 2
                assert identifier

    run(work())


def test_a_caller_moves_only_to_the_destinations_of_its_row() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            _fill(archive, 1)

            def services(opener: Opener) -> list[Service]:
                return RetrieveProvider(ArchiveSupply(archive), opener, find_destination=table.destination).services()

            remotes = map(parse_remote_ae, ["CALLER@*?destinations=ELSEWHERE", "SINK@127.0.0.1:1"])
            table = AeTable(AE_TITLE, tuple(remotes))
            request = associate_rq((STUDY_MOVE, IMPLICIT_VR_LITTLE_ENDIAN))
            async with (
                dimse_node(archive, NodeOptions(table, further=services)) as node,
                associated(node.port, request) as peer,
            ):
                [refused], _ = await _move(peer, SINK)
                assert refused.status == 0x0124
                assert "may not move to SINK" in (refused.error_comment or "")
                [unknown], _ = await _move(peer, UNKNOWN)
                assert unknown.status == 0xA801

    run(work())


def _store_of_class(archive: Archive, number: int) -> str:
    """Store an instance of a SOP class of its own and return its UID."""
    padded = CT_IMAGE_STORAGE.encode() + b"\0" * (len(CT_IMAGE_STORAGE) % 2)
    private = f"1.2.826.0.1.3680043.10.{number}".encode()
    instance = make_instance(identify(1, 1, number))
    store(archive, instance.content.replace(padded, private.ljust(len(padded), b"\0")[: len(padded)]))
    return instance.identifier.sop_instance_uid


def test_more_classes_than_an_association_holds_go_over_several() -> None:
    async def work() -> None:
        receiver = StoreSink()
        with memory_archive() as archive:
            uids = {_store_of_class(archive, number) for number in range(100, 180)}
            async with _moving(archive, receiver) as peer:
                responses, _ = await _move(peer, SINK)
                final = responses[-1]
                assert (final.status, final.number_of_completed_suboperations) == (0, 80)
                assert receiver.datasets.keys() == uids
                assert receiver.associations == 2

    run(work())


@pytest.mark.parametrize("associations_max", [1, 2, 4])
def test_a_move_opens_as_many_associations_as_it_may(associations_max: int) -> None:
    async def work() -> None:
        receiver = StoreSink()
        with memory_archive() as archive:
            datasets = _fill(archive, 40)
            async with _moving(archive, receiver, associations_max=associations_max) as peer:
                responses, _ = await _move(peer, SINK)
                assert (responses[-1].status, _total(responses[-1])) == (0, 40)
                assert receiver.datasets == datasets
                assert 1 <= receiver.associations <= associations_max

    run(work())


async def _move_response(peer: RawPeer) -> CMoveRsp:
    message = (await peer.message()).message
    assert isinstance(message, CMoveRsp)
    return message


@pytest.mark.parametrize("associations_max", [1, 3])
def test_a_cancelled_move_ends_with_what_remains(associations_max: int) -> None:
    async def work() -> None:
        receiver = StoreSink(waits=asyncio.Event())
        with memory_archive() as archive:
            _fill(archive, 20)
            async with _moving(archive, receiver, associations_max=associations_max) as peer:
                request = CMoveRq(message_id=9, affected_sop_class_uid=STUDY_MOVE, move_destination=SINK)
                await peer.send_message(1, request, _identifier())
                await until(lambda: receiver.arrivals == associations_max)
                await peer.send_message(1, CCancelRq(message_id_being_responded_to=9))
                await peer.send_message(3, CEchoRq(message_id=10))  # so that the cancel has been read
                answers = [(await peer.message()).message]
                assert receiver.waits is not None
                receiver.waits.set()
                while not any(getattr(answer, "status", 0) == 0xFE00 for answer in answers):
                    answers.append((await peer.message()).message)
                final = next(answer for answer in answers if isinstance(answer, CMoveRsp) and answer.status == 0xFE00)
                assert _total(final) == 20
                assert final.number_of_completed_suboperations == receiver.arrivals == associations_max
                assert final.number_of_remaining_suboperations == 20 - associations_max

    run(work())


def test_more_than_the_counters_hold_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieve, "COUNT_MAX", 3)

    async def work() -> None:
        with memory_archive() as archive:
            _fill(archive, 4)
            async with _node(archive, _nowhere) as node, associated(node.port, _getting()) as peer:
                got, [final], _ = await _get(peer)
                assert (got, final.status) == ({}, 0xA701)
                assert "More than 3 instances" in (final.error_comment or "")

    run(work())


def test_a_silent_receiver_does_not_silence_the_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "HEARTBEAT_S", 0.05)

    async def work() -> None:
        receiver = StoreSink(waits=asyncio.Event())
        with memory_archive() as archive:
            _fill(archive, 2)
            async with _moving(archive, receiver) as peer:
                request = CMoveRq(message_id=9, affected_sop_class_uid=STUDY_MOVE, move_destination=SINK)
                await peer.send_message(1, request, _identifier())
                for _ in range(3):
                    pending = await _move_response(peer)
                    assert (pending.status, pending.number_of_remaining_suboperations) == (0xFF00, 2)
                assert receiver.waits is not None
                receiver.waits.set()
                final = await _move_response(peer)
                while final.status == 0xFF00:
                    final = await _move_response(peer)
                assert final.status == 0

    run(work())


class _SlowToCount(ArchiveSupply):
    """An archive that takes long to say what it has."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        self.counted = threading.Event()

    def select(self, principal: Principal, selection: Selection, *, count_max: int) -> list[StoredInstance]:
        """Return the instances once the test lets it."""
        assert self.counted.wait(20)
        return super().select(principal, selection, count_max=count_max)


def test_who_waits_for_the_count_is_told_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "HEARTBEAT_S", 0.02)

    async def work() -> None:
        with memory_archive() as archive:
            datasets = _fill(archive, 2)
            supply = _SlowToCount(archive)

            def services(opener: Opener) -> list[Service]:
                return RetrieveProvider(supply, opener, find_destination=_nowhere).services()

            async with (
                dimse_node(archive, NodeOptions(further=services)) as node,
                associated(node.port, _getting()) as peer,
            ):
                got, [first, *_, final], _ = await _get(peer, on_pending=lambda response: supply.counted.set())
                assert (first.status, first.number_of_remaining_suboperations) == (0xFF00, None)
                assert (got, final.status) == (datasets, 0)

    run(work())
