"""C-FIND: answers one by one, few at once, cancelled, refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from isocenter.dicom.dataset import encode_dataset, text_attribute
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.retrieve import STUDY_ROOT
from isocenter.dimse.message.messages import CCancelRq, CFindRq, CFindRsp
from isocenter.dimse.scp.find import ANSWERS_AT_ONCE, FIRST_ANSWERS, Asked, Finding, FindProvider, Prepare
from isocenter.dimse.ul.query_extensions import FindExtensions
from isocenter.domain.errors import InvalidAttributes, InvalidDataset, InvalidRequest, StorageFailed, TooLarge
from tests.support.dimse_node import AE_TITLE, NodeOptions, dimse_node, run, until
from tests.support.memory_archive import memory_archive
from tests.support.raw_peer import IMPLICIT_VR_LITTLE_ENDIAN, RawPeer, associate_rq, associated

STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = encoding_of(IMPLICIT_VR_LITTLE_ENDIAN)
REQUEST = associate_rq((STUDY_FIND, IMPLICIT_VR_LITTLE_ENDIAN))
IDENTIFIER = encode_dataset({0x00080052: text_attribute("CS", "STUDY")}, IMPLICIT)


def _answer(number: int) -> bytes:
    return encode_dataset({0x0020000D: text_attribute("UI", f"1.2.{number}")}, IMPLICIT)


def _node_options(prepare: Prepare) -> NodeOptions:
    provider = FindProvider(prepare, ae_title=AE_TITLE, supported=FindExtensions())
    return NodeOptions(further=lambda opener: [provider.service()])


async def _ask(peer: RawPeer, *, message_id: int = 1) -> None:
    await peer.send_message(1, CFindRq(message_id=message_id, affected_sop_class_uid=STUDY_FIND), IDENTIFIER)


async def _answers(peer: RawPeer) -> tuple[list[bytes], list[int], CFindRsp]:
    found: list[bytes] = []
    statuses: list[int] = []
    while True:
        received = await peer.message()
        assert isinstance(received.message, CFindRsp)
        statuses.append(received.message.status)
        if received.message.status not in (0xFF00, 0xFF01):
            return found, statuses, received.message
        found.append(received.dataset)


@pytest.mark.parametrize("count", [0, 1, FIRST_ANSWERS - 1, FIRST_ANSWERS, FIRST_ANSWERS + 1, 3 * ANSWERS_AT_ONCE])
def test_every_answer_comes_once_and_in_order(count: int) -> None:
    async def work() -> None:
        asked: list[Asked] = []

        def prepare(what: Asked) -> Finding:
            asked.append(what)
            return Finding(map(_answer, range(count)))

        with memory_archive() as archive:
            async with dimse_node(archive, _node_options(prepare)) as node, associated(node.port, REQUEST) as peer:
                for message_id in (1, 2):
                    await _ask(peer, message_id=message_id)
                    found, statuses, final = await _answers(peer)
                    assert found == [_answer(number) for number in range(count)]
                    assert statuses == [0xFF00] * count + [0x0000]
                    assert final.message_id_being_responded_to == message_id
        assert (asked[0].identifier, asked[0].model, asked[0].ae_title) == (IDENTIFIER, STUDY_ROOT, AE_TITLE)
        assert asked[0].principal.name == "CALLER"

    run(work())


def test_keys_that_are_not_matched_are_told_with_each_answer() -> None:
    async def work() -> None:
        with memory_archive() as archive:
            options = _node_options(lambda asked: Finding(iter([_answer(1)]), has_unmatched_keys=True))
            async with dimse_node(archive, options) as node, associated(node.port, REQUEST) as peer:
                await _ask(peer)
                assert (await _answers(peer))[1] == [0xFF01, 0x0000]

    run(work())


@pytest.mark.parametrize(
    ("error", "status", "tags"),
    [
        (InvalidAttributes("The level is missing.", tags=(0x00080052,)), 0xA900, (0x00080052,)),
        (InvalidRequest("A date is none."), 0xA900, ()),
        (InvalidDataset(), 0xC000, ()),
        (TooLarge("The search is too broad."), 0xA700, ()),
        (StorageFailed(), 0x0110, ()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_asked_is_refused_and_the_next_is_answered(
    error: Exception, status: int, tags: tuple[int, ...]
) -> None:
    async def work() -> None:
        errors = [error]

        def prepare(asked: Asked) -> Finding:
            if errors:
                raise errors.pop()
            return Finding(iter([_answer(1)]))

        with memory_archive() as archive:
            async with dimse_node(archive, _node_options(prepare)) as node, associated(node.port, REQUEST) as peer:
                await _ask(peer)
                found, _, final = await _answers(peer)
                assert (found, final.status) == ([], status)
                assert getattr(final, "offending_elements", ()) == tags
                await _ask(peer, message_id=2)
                assert (await _answers(peer))[1] == [0xFF00, 0x0000]

    run(work())


def test_an_error_behind_the_first_answers_ends_them_with_a_failure() -> None:
    def breaking() -> Iterator[bytes]:
        yield from map(_answer, range(FIRST_ANSWERS + 4))
        raise StorageFailed

    async def work() -> None:
        with memory_archive() as archive:
            options = _node_options(lambda asked: Finding(breaking()))
            async with dimse_node(archive, options) as node, associated(node.port, REQUEST) as peer:
                await _ask(peer)
                found, _, final = await _answers(peer)
                assert final.status == 0x0110
                assert len(found) >= FIRST_ANSWERS

    run(work())


def test_a_cancelled_search_ends_soon_and_says_so() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield _answer(taken)

    async def work() -> None:
        with memory_archive() as archive:
            options = _node_options(lambda asked: Finding(endless()))
            async with dimse_node(archive, options) as node, associated(node.port, REQUEST) as peer:
                await _ask(peer)
                await peer.message()
                await peer.send_message(1, CCancelRq(message_id_being_responded_to=1))
                _, _, final = await _answers(peer)
                assert final.status == 0xFE00

    run(work())


def test_a_requestor_that_reads_nothing_is_not_searched_for_without_end() -> None:
    taken = 0
    padding = text_attribute("LT", "x" * 8000)

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield encode_dataset({0x00104000: padding}, IMPLICIT)

    async def work() -> None:
        with memory_archive() as archive:
            options = _node_options(lambda asked: Finding(endless()))
            async with dimse_node(archive, options) as node, associated(node.port, REQUEST) as peer:
                peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
                await _ask(peer)
                await until(lambda: taken > 0)
                last = -1
                while last != taken:
                    last = taken
                    await asyncio.sleep(0.2)
                assert taken * 8000 < 64 * 1024**2

    run(work())


def test_a_requestor_that_goes_ends_its_search() -> None:
    ended = False

    def endless() -> Iterator[bytes]:
        nonlocal ended
        try:
            while True:
                yield _answer(1)
        finally:
            ended = True

    async def work() -> None:
        with memory_archive() as archive:
            options = _node_options(lambda asked: Finding(endless()))
            async with dimse_node(archive, options) as node:
                async with associated(node.port, REQUEST) as peer:
                    await _ask(peer)
                    await peer.message()
                await until(lambda: not node.register.live)
                await until(lambda: ended)

    run(work())
