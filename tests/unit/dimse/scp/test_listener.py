"""Who is admitted, who is rejected and why, and what ends an association."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from isocenter.dimse.message.messages import CEchoRq, CEchoRsp, CStoreRsp
from isocenter.dimse.scp.listener import ListenerLimits
from isocenter.dimse.shell.record import End
from isocenter.dimse.shell.runtime import Times
from isocenter.dimse.ul.pdu import (
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    REJECT_LOCAL_LIMIT_EXCEEDED,
    REJECT_TEMPORARY_CONGESTION,
    Abort,
    AssociateAc,
    AssociateRj,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.domain.application_entity import parse_remote_ae
from isocenter.identity.application_entity import AeTable
from tests.support.dimse_node import AE_TITLE, DimseNode, NodeOptions, dimse_node, run, until
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.memory_archive import memory_archive
from tests.support.raw_peer import RawPeer, associate_rq, associated, message_bytes, raw_peer, store_rq
from tests.support.small_instances import make_instance

ECHO = CEchoRq(message_id=1)
QUICK = NodeOptions(times=Times(dimse_s=0.2, idle_s=0.2), acse_timeout_s=0.2)


def _table(*remotes: str, accepts_unknown_callers: bool = False) -> AeTable:
    return AeTable(AE_TITLE, tuple(map(parse_remote_ae, remotes)), accepts_unknown_callers=accepts_unknown_callers)


async def _echo(peer: RawPeer) -> int:
    await peer.send_message(1, ECHO)
    received = await peer.message()
    assert isinstance(received.message, CEchoRsp)
    return received.message.status


async def _serves(node: DimseNode) -> bool:
    """Tell whether another caller is served as if nothing were."""
    async with associated(node.port) as peer:
        return await _echo(peer) == 0 and isinstance(await peer.release(), ReleaseRp)


@pytest.mark.parametrize(
    ("table", "called", "answer", "advice"),
    [
        (
            _table(accepts_unknown_callers=True),
            "OTHER",
            REJECT_CALLED_AE_TITLE,
            "dicom.called_ae_title",
        ),
        (_table("PACS@127.0.0.1:104"), AE_TITLE, REJECT_CALLING_AE_TITLE, "--remote 'CALLER@127.0.0.1:PORT'"),
        (_table("CALLER@192.0.2.1:104"), AE_TITLE, REJECT_CALLING_AE_TITLE, "dicom.caller_address"),
        (_table("CALLER@*?subject=pacs.example"), AE_TITLE, REJECT_CALLING_AE_TITLE, "over TLS"),
        (_table("caller@*"), AE_TITLE, REJECT_CALLING_AE_TITLE, "--remote"),
    ],
    ids=["wrong called AE", "unknown caller", "other address", "no certificate", "case counts"],
)
def test_a_caller_is_rejected_with_its_reason_and_the_log_says_what_to_change(
    table: AeTable, called: str, answer: AssociateRj, advice: str
) -> None:
    async def work() -> None:
        with memory_archive() as archive, capture_logs() as logs:
            async with dimse_node(archive, NodeOptions(table)) as node:
                async with raw_peer(node.port) as peer:
                    assert await peer.associate(associate_rq(called=called)) == answer
                record = await node.ended(1)
        assert record.end is End.REJECTED
        [line] = [line for line in logs if line["event"] == "association.rejected"]
        assert advice in line["advice"]

    run(work())


@pytest.mark.parametrize(
    "remote", ["CALLER@127.0.0.1:104", "CALLER@localhost", "CALLER@[::ffff:127.0.0.1]:104", "CALLER@*"]
)
def test_a_caller_in_the_table_is_admitted_from_its_address(remote: str) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive, NodeOptions(_table(remote))) as node:
                assert await _serves(node)

    run(work())


def test_addresses_and_called_titles_count_only_where_they_are_to() -> None:
    table = replace(_table("CALLER@192.0.2.1:104"), checks_addresses=False, accepts_any_called_ae_title=True)

    async def work() -> None:
        with memory_archive() as archive:
            async with (
                dimse_node(archive, NodeOptions(table)) as node,
                associated(node.port, associate_rq(called="ANY-SCP")) as peer,
            ):
                assert await _echo(peer) == 0

    run(work())


def test_contexts_of_services_that_an_ae_may_not_use_are_refused() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            options = NodeOptions(_table("CALLER@127.0.0.1?services=echo"))
            async with dimse_node(archive, options) as node, raw_peer(node.port) as peer:
                answer = await peer.associate()
                assert isinstance(answer, AssociateAc)
                assert [context.result for context in answer.presentation_contexts] == [0, 3]
                [record] = node.register.live
                assert [context.refusal for context in record.contexts] == [None, "abstract syntax not supported"]

    run(work())


@pytest.mark.parametrize(
    ("limits", "titles", "answer"),
    [
        (ListenerLimits(2, 2), ["A", "B", "C"], REJECT_TEMPORARY_CONGESTION),
        (ListenerLimits(9, 2), ["A", "A", "A"], REJECT_LOCAL_LIMIT_EXCEEDED),
    ],
    ids=["in total", "of one AE"],
)
def test_associations_beyond_a_limit_are_rejected_until_one_ends(
    limits: ListenerLimits, titles: Sequence[str], answer: AssociateRj
) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive, NodeOptions(limits=limits)) as node, AsyncExitStack() as stack:
                open_peers = []
                for title in titles[:-1]:
                    peer = await stack.enter_async_context(associated(node.port, associate_rq(calling=title)))
                    open_peers.append(peer)
                last = associate_rq(calling=titles[-1])
                async with raw_peer(node.port) as refused:
                    assert await refused.associate(last) == answer
                await open_peers[0].release()
                open_peers[0].writer.close()
                await node.ended(1)
                async with associated(node.port, last) as admitted:
                    assert await _echo(admitted) == 0
                assert await _echo(open_peers[1]) == 0

    run(work())


def test_500_associations_at_once_are_all_served() -> None:
    async def one(node: DimseNode) -> bool:
        async with associated(node.port) as peer:
            status = await _echo(peer)
            await asyncio.sleep(0)
            return status == 0 and isinstance(await peer.release(), ReleaseRp)

    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node:
                assert all(await asyncio.gather(*(one(node) for _ in range(500))))
                await until(lambda: not node.register.live)
                assert node.register.totals.associations == {End.RELEASED: 500}

    run(work())


@pytest.mark.parametrize("beginning", [b"", encode_pdu(associate_rq())[:100]], ids=["nothing", "half a request"])
def test_a_connection_without_a_request_is_let_go_and_others_are_served(beginning: bytes) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive, QUICK) as node, raw_peer(node.port) as peer:
                await peer.send(beginning)
                assert await _serves(node)
                await peer.end()
                assert "No A-ASSOCIATE-RQ came in time." in (await node.ended(1)).cause

    run(work())


@pytest.mark.parametrize(
    ("beginning", "cause"),
    [
        (b"", "Nothing was asked for a long time."),
        (message_bytes(3, store_rq("1.2.3"), bytes(1000))[:700], "The rest of a message did not come in time."),
        (message_bytes(3, store_rq("1.2.3"), bytes(1000))[:50], "Nothing was asked for a long time."),
    ],
    ids=["nothing", "half a data set", "half a command"],
)
def test_an_association_that_stalls_is_aborted_and_others_are_served(beginning: bytes, cause: str) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive, QUICK) as node, associated(node.port) as peer:
                await peer.send(beginning)
                assert await _serves(node)
                assert isinstance(await peer.pdu(), Abort)
                await peer.end()
                record = await node.ended(1)
                assert (record.end, record.cause) == (End.ABORTED_BY_US, cause)

    run(work())


def test_a_peer_that_does_not_wait_for_the_answer_is_aborted() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node:
                async with raw_peer(node.port) as peer:
                    await peer.send(encode_pdu(associate_rq()) + message_bytes(1, ECHO))
                    assert isinstance(await peer.pdu(), Abort)
                assert (await node.ended(1)).end is End.ABORTED_BY_US
                assert await _serves(node)

    run(work())


_REQUEST = encode_pdu(associate_rq())
_SESSION = b"".join(
    [
        message_bytes(1, ECHO),
        message_bytes(3, store_rq(identify(1).sop_instance_uid), make_instance(identify(1)).content[-4400:]),
        encode_pdu(ReleaseRq()),
    ]
)


@pytest.mark.parametrize("is_abort", [True, False], ids=["abort", "hang up"])
def test_a_peer_that_goes_at_any_point_leaves_nothing_behind(is_abort: bool) -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node:
                for cut in range(0, len(_SESSION), 97):
                    async with associated(node.port) as peer:
                        await peer.send(_SESSION[:cut], *([Abort(0, 0)] if is_abort else []))
                for cut in range(0, len(_REQUEST), 97):
                    async with raw_peer(node.port) as peer:
                        await peer.send(_REQUEST[:cut], *([Abort(0, 0)] if is_abort else []))
                assert await _serves(node)
                await until(lambda: not node.register.live)
                assert node.services.find(CT_IMAGE_STORAGE) is not None

    run(work())


@pytest.mark.parametrize(
    "asked",
    [
        message_bytes(1, ECHO),
        message_bytes(3, store_rq("1.2.3")),
        message_bytes(3, store_rq("1.2.3"), b"no data set"),
        message_bytes(3, store_rq("no uid"), b"no data set"),
        message_bytes(1, store_rq("1.2.3"), b"no data set"),
    ],
    ids=["answered", "without its data set", "refused", "unusable", "of another context"],
)
def test_a_request_and_its_abort_in_the_same_bytes_end_in_order(asked: bytes) -> None:
    async def work() -> None:
        with memory_archive() as archive, capture_logs() as logs:
            async with dimse_node(archive) as node:
                async with associated(node.port) as peer:
                    await peer.send(asked + encode_pdu(Abort(0, 0)))
                    await node.ended(1)
                assert (await node.ended(1)).end is End.ABORTED_BY_PEER
                assert await _serves(node)
        assert not [line for line in logs if line["log_level"] == "error"]

    run(work())


def test_what_no_peer_may_send_ends_its_association_only() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node, associated(node.port) as bystander:
                for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x04\0\xff\xff\xff\xff", b"\x09" + bytes(9), bytes(100)):
                    async with associated(node.port) as peer:
                        await peer.send(nonsense)
                        assert isinstance(await peer.pdu(), Abort)
                assert await _echo(bystander) == 0

    run(work())


def test_a_stopping_node_answers_what_is_in_hand_and_aborts_the_rest() -> None:
    instance = make_instance(identify(1))
    dataset = instance.content[-4300:]

    async def work() -> None:
        with memory_archive() as archive:
            async with (
                dimse_node(archive) as node,
                associated(node.port) as idle,
                associated(node.port) as storing,
            ):
                message = message_bytes(3, store_rq("1.2.3"), dataset)
                await storing.send(message[:-100])
                await until(lambda: bool(node.register.live[1].messages_received))
                stopping = asyncio.create_task(node.listener.stop(timeout_s=20))
                assert isinstance(await idle.pdu(), Abort)
                await storing.send(message[-100:])
                received = await storing.message()
                assert isinstance(received.message, CStoreRsp)
                assert isinstance(await storing.pdu(), Abort)
                await stopping
                assert [record.cause for record in node.register.recent] == ["The node stops.", "The node stops."]

    run(work())


def test_a_stopping_node_does_not_wait_for_ever() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            async with dimse_node(archive) as node, associated(node.port) as peer:
                await peer.send(message_bytes(3, store_rq("1.2.3"), bytes(1000))[:-100])
                await until(lambda: bool(node.register.live[0].messages_received))
                await node.listener.stop(timeout_s=0.1)
                assert not node.register.live

    run(work())
