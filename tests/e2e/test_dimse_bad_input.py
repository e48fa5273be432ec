"""What no peer should send, at the started node: the right status or reject, flat memory, and a bystander unaffected.

The list is that of the issue. Each case has a bystander: an association that was open before and is served after, and
a stranger who is served anew. Memory is the node's own, watched while it happens.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from isocenter.dicom.dataset import encode_dataset, text_attribute
from isocenter.dicom.part10 import encoding_of, read_encoding
from isocenter.dicom.syntax import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.message.messages import (
    CEchoRq,
    CEchoRsp,
    CFindRq,
    CFindRsp,
    CGetRq,
    CMoveRq,
    CStoreRq,
    CStoreRsp,
    Response,
)
from isocenter.dimse.ul.pdu import (
    REJECT_CALLED_AE_TITLE,
    REJECT_REQUEST_BEYOND_LIMIT,
    Abort,
    AssociateAc,
    AssociateRq,
    ReleaseRp,
)
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.user_information import RoleSelection
from tests.support.dimse_node import run
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, identify
from tests.support.processes import Node, free_port, serve
from tests.support.raw_peer import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION,
    RawPeer,
    associate_rq,
    associated,
    message_bytes,
    raw_peer,
    store_rq,
)
from tests.support.small_instances import make_instance

MEGABYTE = 1024**2
MEMORY_MAX_BYTES = 80 * MEGABYTE
"""What the node may grow by, whatever comes: some of what is in hand of one association, several times over."""
BOMB_BYTES = 1024 * MEGABYTE
DEPTH = 100_000
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
RETIRED, UNKNOWN, PRIVATE = "1.2.840.10008.5.1.1.9", "1.2.840.10008.99.1", "1.2.826.0.1.3680043.10.77"
COUNT = 8
CONNECTIONS = 200
ASSOCIATIONS = 500
PER_ASSOCIATION_BYTES = MEGABYTE // 4
"""What an open association that asks nothing may cost."""
Case = Callable[[int], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Listening:
    """A running node with a study, and its DICOM port."""

    node: Node
    port: int


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    port = free_port()
    arguments = ("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}", "--remote", f"SINK@127.0.0.1:{free_port()}")
    with serve(tmp_path_factory.mktemp("bad") / "data", arguments=arguments) as node:

        async def fill() -> None:
            async with associated(port) as peer:
                for number in range(1, COUNT + 1):
                    assert await _store(peer, _dataset(number)) == 0

        run(fill())
        yield Listening(node, port)


def _dataset(number: int) -> bytes:
    content = make_instance(identify(1, 1, number)).content
    return content[read_encoding(content)[1] :]


async def _answer(peer: RawPeer) -> Response:
    message = (await peer.message()).message
    assert isinstance(message, Response)
    return message


async def _store(peer: RawPeer, dataset: bytes, *, context_id: int = 3, uid: str | None = None) -> int:
    number = next((number for number in range(COUNT + 1) if dataset == _dataset(number)), 0)
    uid = uid or identify(1, 1, number).sop_instance_uid
    await peer.send_message(context_id, store_rq(uid), dataset)
    response = await _answer(peer)
    assert isinstance(response, CStoreRsp)
    return response.status


async def _echo(peer: RawPeer) -> int:
    await peer.send_message(1, CEchoRq(message_id=9))
    response = await _answer(peer)
    assert isinstance(response, CEchoRsp)
    return response.status


def _memory_bytes(node: Node) -> int:
    for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


@contextmanager
def _flat_memory(node: Node, *, growth_max_bytes: int = MEMORY_MAX_BYTES) -> Iterator[None]:
    before = peak = _memory_bytes(node)
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.01):
            peak = max(peak, _memory_bytes(node))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()
    assert peak - before < growth_max_bytes, f"grew by {(peak - before) / MEGABYTE:.0f} MiB"


@asynccontextmanager
async def _bystander(port: int) -> AsyncIterator[None]:
    """Hold an association that is open before and served after, and see that a stranger is served as well."""
    async with associated(port, associate_rq(calling="BYSTANDER")) as peer:
        assert await _echo(peer) == 0
        yield
        assert await _echo(peer) == 0
        assert isinstance(await peer.release(), ReleaseRp)
        async with associated(port, associate_rq(calling="STRANGER")) as stranger:
            assert await _echo(stranger) == 0
            assert await _store(stranger, _dataset(1)) == 0


def _undisturbed(listening: Listening, case: Case, *, growth_max_bytes: int = MEMORY_MAX_BYTES) -> None:
    async def work() -> None:
        async with _bystander(listening.port):
            await case(listening.port)

    with _flat_memory(listening.node, growth_max_bytes=growth_max_bytes):
        run(work())
    assert "Traceback" not in listening.node.process.log(), listening.node.process.log()


# ---- announced lengths that lie

_HUGE = b"\xff\xff\xff\xf0"
_STORE = message_bytes(3, store_rq("1.2.3"))
LIES = {
    "request of 4 GiB": (b"\x01\0" + _HUGE, False),
    "data of 4 GiB": (b"\x04\0" + _HUGE, True),
    "PDV beyond its PDU": (b"\x04\0" + pack(">I", 16) + _HUGE + b"\x03\x03" + bytes(10), True),
    "PDV of no bytes": (b"\x04\0" + pack(">I", 4) + bytes(4), True),
    "command of 4 GiB": (
        b"\x04\0" + pack(">IIBB", 20, 16, 3, 3) + bytes.fromhex("00000000") + _HUGE[::-1] + bytes(6),
        True,
    ),
    "release of 4 GiB": (b"\x05\0" + _HUGE, True),
    "type that there is not": (b"\x09\0" + pack(">I", 4) + bytes(4), True),
    "answer instead of a request": (encode_pdu(ReleaseRp()), False),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_length_that_lies_ends_the_association_at_once(listening: Listening, lie: str) -> None:
    data, is_associated = LIES[lie]

    async def case(port: int) -> None:
        async with raw_peer(port) as peer:
            if is_associated:
                assert isinstance(await peer.associate(), AssociateAc)
            await peer.send(data)
            assert isinstance(await peer.pdu(), Abort)

    _undisturbed(listening, case)


def test_an_element_whose_length_lies_is_refused_by_status(listening: Listening) -> None:
    lying = pack("<HH2sHI", 0x0008, 0x0018, b"UN", 0, 0xFFFFFFF0) + b"1.2.3"

    async def case(port: int) -> None:
        async with associated(port) as peer:
            assert await _store(peer, lying, uid="1.2.3") == 0xC000
            assert await _store(peer, _dataset(2)) == 0

    _undisturbed(listening, case)


def test_a_command_without_end_is_cut_off(listening: Listening) -> None:
    piece = b"\x04\0" + pack(">IIBB", 16_006, 16_002, 3, 1) + bytes(16_000)

    async def case(port: int) -> None:
        async with associated(port) as peer:
            for _ in range(1000):
                peer.writer.write(piece)
            assert isinstance(await peer.pdu(), Abort)

    _undisturbed(listening, case)


def test_an_identifier_without_end_is_refused_and_not_kept(listening: Listening) -> None:
    async def case(port: int) -> None:
        async with associated(port, associate_rq((STUDY_FIND, IMPLICIT_VR_LITTLE_ENDIAN))) as peer:
            find = CFindRq(message_id=1, affected_sop_class_uid=STUDY_FIND)
            await peer.send_message(1, find, bytes(200 * MEGABYTE))
            response = await _answer(peer)
            assert response.status == 0xA700

    _undisturbed(listening, case)


# ---- half-open and stalled peers


def test_many_connections_that_say_nothing_are_no_hindrance(listening: Listening) -> None:
    beginnings = [b"", b"\x01", encode_pdu(associate_rq())[:50]]

    async def case(port: int) -> None:
        async with AsyncExitStack() as stack:
            for number in range(CONNECTIONS):
                peer = await stack.enter_async_context(raw_peer(port))
                await peer.send(beginnings[number % len(beginnings)])
            async with associated(port) as another:
                assert await _echo(another) == 0

    _undisturbed(listening, case)


def test_many_associations_that_stall_in_a_data_set_hold_little(listening: Listening) -> None:
    beginning = message_bytes(3, store_rq("1.2.3"), bytes(3 * MEGABYTE))[: 2 * MEGABYTE]

    async def case(port: int) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(20):
                peer = await stack.enter_async_context(associated(port))
                await peer.send(beginning)
            async with associated(port) as another:
                assert await _store(another, _dataset(3)) == 0

    _undisturbed(listening, case)


def test_a_requestor_that_reads_nothing_holds_little(listening: Listening) -> None:
    async def case(port: int) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(20):
                peer = await stack.enter_async_context(associated(port, _getting()))
                peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
                for message_id in range(1, 40):
                    request = CGetRq(message_id=message_id, affected_sop_class_uid=STUDY_GET)
                    await peer.send_message(1, request, _identifier())
            async with associated(port) as another:
                assert await _echo(another) == 0

    _undisturbed(listening, case)


# ---- aborts at each step


def _getting() -> AssociateRq:
    return associate_rq(
        (STUDY_GET, IMPLICIT_VR_LITTLE_ENDIAN),
        (CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN),
        (STUDY_FIND, IMPLICIT_VR_LITTLE_ENDIAN),
        (STUDY_MOVE, IMPLICIT_VR_LITTLE_ENDIAN),
        roles=[RoleSelection(CT_IMAGE_STORAGE, scu_role=True, scp_role=True)],
    )


def _identifier(level: str = "STUDY", *, syntax: str = IMPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    uid = text_attribute("UI", identify(1).study_instance_uid)
    return encode_dataset({0x00080052: text_attribute("CS", level), 0x0020000D: uid}, encoding_of(syntax))


STEPS: dict[str, tuple[bytes, int]] = {
    "find asked": (message_bytes(5, CFindRq(message_id=1, affected_sop_class_uid=STUDY_FIND), _identifier()), 0),
    "find answered": (message_bytes(5, CFindRq(message_id=1, affected_sop_class_uid=STUDY_FIND), _identifier()), 1),
    "get asked": (message_bytes(1, CGetRq(message_id=1, affected_sop_class_uid=STUDY_GET), _identifier()), 0),
    "get sends": (message_bytes(1, CGetRq(message_id=1, affected_sop_class_uid=STUDY_GET), _identifier()), 1),
    "move asked": (
        message_bytes(
            7, CMoveRq(message_id=1, affected_sop_class_uid=STUDY_MOVE, move_destination="SINK"), _identifier()
        ),
        0,
    ),
    "command of a store": (_STORE, 0),
    "half a store": (message_bytes(3, store_rq("1.2.3"), bytes(10_000))[:5000], 0),
    "a store, unanswered": (message_bytes(3, store_rq("1.2.3"), _dataset(1)), 0),
}


@pytest.mark.parametrize("is_abort", [True, False], ids=["abort", "hang up"])
@pytest.mark.parametrize("step", STEPS)
def test_a_peer_may_go_at_each_step(listening: Listening, step: str, is_abort: bool) -> None:
    data, messages = STEPS[step]

    async def case(port: int) -> None:
        for _ in range(10):
            async with associated(port, _getting()) as peer:
                await peer.send(data)
                for _ in range(messages):
                    await peer.message()
                if is_abort:
                    await peer.send(Abort(0, 0))

    _undisturbed(listening, case)


# ---- many at once, many contexts, wrong names


def test_500_associations_at_once_are_served_and_cost_little_each(listening: Listening) -> None:
    async def one(port: int, stack: AsyncExitStack) -> RawPeer:
        peer = await stack.enter_async_context(associated(port, associate_rq(calling="MANY")))
        assert await _echo(peer) == 0
        return peer

    async def case(port: int) -> None:
        async with AsyncExitStack() as stack:
            peers: list[RawPeer] = []
            for _ in range(ASSOCIATIONS // 50):
                peers += await asyncio.gather(*(one(port, stack) for _ in range(50)))
            assert len(peers) == ASSOCIATIONS
            assert set(await asyncio.gather(*map(_echo, peers))) == {0}

    _undisturbed(listening, case, growth_max_bytes=MEMORY_MAX_BYTES + ASSOCIATIONS * PER_ASSOCIATION_BYTES)


def test_300_contexts_are_more_than_there_can_be(listening: Listening) -> None:
    many = encode_pdu(associate_rq(*[(VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN)] * 128))
    begin, end = many.index(b"\x20\0", 74), many.index(b"\x50\0", 300)
    contexts = many[begin:end]
    body = many[6:begin] + (contexts * 3)[: len(contexts) // 128 * 300] + many[end:]

    async def case(port: int) -> None:
        async with raw_peer(port) as peer:
            await peer.send(b"\x01\0" + pack(">I", len(body)) + body)
            assert await peer.pdu() == REJECT_REQUEST_BEYOND_LIMIT
        async with raw_peer(port) as peer:
            answer = await peer.associate(associate_rq(*[(VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN)] * 128))
            assert isinstance(answer, AssociateAc)
            assert [context.result for context in answer.presentation_contexts] == [0] * 128

    _undisturbed(listening, case)


def test_a_wrong_called_ae_is_rejected_as_such(listening: Listening) -> None:
    async def case(port: int) -> None:
        async with raw_peer(port) as peer:
            assert await peer.associate(associate_rq(called="OTHER")) == REJECT_CALLED_AE_TITLE

    _undisturbed(listening, case)


def test_unknown_classes_are_refused_by_context_and_private_ones_stored(listening: Listening) -> None:
    instance = make_instance(identify(7)).content
    dataset = instance[read_encoding(instance)[1] :].replace(
        CT_IMAGE_STORAGE.encode() + b"\0", PRIVATE.encode().ljust(26, b"\0")
    )

    async def case(port: int) -> None:
        proposed = [(uid, EXPLICIT_VR_LITTLE_ENDIAN) for uid in (RETIRED, UNKNOWN, PRIVATE, VERIFICATION)]
        async with raw_peer(port) as peer:
            answer = await peer.associate(associate_rq(*proposed, (VERIFICATION, UNKNOWN)))
            assert isinstance(answer, AssociateAc)
            assert [context.result for context in answer.presentation_contexts] == [3, 3, 0, 0, 4]
            request = store_rq(identify(7).sop_instance_uid, sop_class_uid=PRIVATE)
            await peer.send_message(5, request, dataset)
            assert (await _answer(peer)).status == 0
            await peer.send_message(1, CEchoRq(message_id=1))  # on a context that was refused
            assert isinstance(await peer.pdu(), Abort)

    _undisturbed(listening, case)


# ---- data sets that disagree with their command, are nested too deeply, or become too much


def test_a_data_set_that_disagrees_with_its_command_is_refused(listening: Listening) -> None:
    async def case(port: int) -> None:
        async with associated(port) as peer:
            assert await _store(peer, _dataset(1), uid="1.2.3") == 0xA900
            other = _dataset(1).replace(CT_IMAGE_STORAGE.encode(), b"1.2.840.10008.5.1.4.1.1.4")
            assert await _store(peer, other, uid=identify(1, 1, 1).sop_instance_uid) == 0xA900
            announced = CStoreRq(message_id=1, affected_sop_class_uid=VERIFICATION, affected_sop_instance_uid="1.2.3")
            await peer.send_message(3, announced, _dataset(1))
            assert (await _answer(peer)).status == 0x0122
            await peer.send_message(3, store_rq("1.2.3"), None)  # says that none follows
            assert (await _answer(peer)).status != 0

    _undisturbed(listening, case)


def _nested(depth: int) -> bytes:
    sequence, item = pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF), pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return (sequence + item) * depth


def _nested_implicit(depth: int) -> bytes:
    return (pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF) + pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth


@pytest.mark.parametrize("is_whole", [True, False], ids=["closed", "cut off"])
def test_a_data_set_that_is_nested_deeply_is_refused(listening: Listening, is_whole: bool) -> None:
    ends = (pack("<HHI", 0xFFFE, 0xE00D, 0) + pack("<HHI", 0xFFFE, 0xE0DD, 0)) * DEPTH if is_whole else b""

    async def case(port: int) -> None:
        async with associated(port) as peer:
            assert await _store(peer, _nested(DEPTH) + ends, uid="1.2.3") == 0xC000
            assert await _store(peer, _dataset(4)) == 0

    _undisturbed(listening, case)


def test_an_identifier_that_is_nested_deeply_is_refused(listening: Listening) -> None:
    nested = _nested_implicit(DEPTH // 2)[:1_000_000]

    async def case(port: int) -> None:
        request = associate_rq(
            *((uid, IMPLICIT_VR_LITTLE_ENDIAN) for uid in (STUDY_FIND, STUDY_GET, STUDY_MOVE, "1.2.840.10008.5.1.4.31"))
        )
        async with associated(port, request) as peer:
            for context_id, message in (
                (1, CFindRq(message_id=1, affected_sop_class_uid=STUDY_FIND)),
                (3, CGetRq(message_id=2, affected_sop_class_uid=STUDY_GET)),
                (5, CMoveRq(message_id=3, affected_sop_class_uid=STUDY_MOVE, move_destination="SINK")),
                (7, CFindRq(message_id=4, affected_sop_class_uid="1.2.840.10008.5.1.4.31")),
            ):
                await peer.send_message(context_id, message, nested)
                assert (await _answer(peer)).status in (0xC000, 0xA900)

    _undisturbed(listening, case)


def _bomb(size_bytes: int) -> bytes:
    """Return a deflated data set that says of itself that it has so many bytes of zeros."""
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    out = [deflater.compress(pack("<HH2sHI", 0x0008, 0x0005, b"UN", 0, size_bytes))]
    out += [deflater.compress(bytes(MEGABYTE)) for _ in range(size_bytes // MEGABYTE)]
    content = b"".join([*out, deflater.flush()])
    return content + b"\0" * (len(content) % 2)


def test_a_deflate_bomb_is_refused_before_it_goes_off(listening: Listening) -> None:
    bomb = _bomb(BOMB_BYTES)
    assert len(bomb) < 2 * MEGABYTE

    async def case(port: int) -> None:
        request = associate_rq(
            (VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN),
            (CT_IMAGE_STORAGE, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
            (STUDY_FIND, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
            (STUDY_GET, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
        )
        async with associated(port, request) as peer:
            assert await _store(peer, bomb, uid="1.2.3") == 0xC000
            find = CFindRq(message_id=1, affected_sop_class_uid=STUDY_FIND)
            await peer.send_message(5, find, bomb[:1_000_000])
            response = await _answer(peer)
            assert isinstance(response, CFindRsp)
            assert response.status == 0xC000
            await peer.send_message(7, CGetRq(message_id=2, affected_sop_class_uid=STUDY_GET), bomb[:1_000_000])
            assert (await _answer(peer)).status == 0xC000
            await peer.send_message(5, find, _identifier(syntax=DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN))
            assert (await _answer(peer)).status == 0xFF00

    _undisturbed(listening, case)
