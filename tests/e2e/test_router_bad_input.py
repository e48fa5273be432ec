"""What no modality should send to a channel: the right status, a reason in words, and everybody else unaffected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from struct import pack

import pytest

from isocenter.dimse.message.messages import CStoreRsp
from isocenter.dimse.ul.pdu import REJECT_REQUEST_BEYOND_LIMIT, Abort, AssociateAc
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from tests.support.dicom_files import element
from tests.support.instances import identify
from tests.support.processes import free_port
from tests.support.raw_peer import RawPeer, associate_rq, associated, message_bytes, raw_peer, store_rq
from tests.support.router import CT, EXPLICIT, RoutingNode, dataset_of, routing_node, send
from tests.support.small_instances import make_instance

UID = identify(5).sop_instance_uid
REQUEST = associate_rq((CT, EXPLICIT), called="ROUTER", calling="CT1")
CONFIGURATION = """
[channels.router]
source = {{ kind = "dimse", listen = "ROUTER@127.0.0.1:{port}" }}
[[channels.router.rules]]
name = "to tape"
when = 'PatientName like "*" or Modality = "CT"'
to = ["tape"]
[destinations.tape]
kind = "folder"
path = "{folder}"
"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def routing(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[RoutingNode]:
    folder = tmp_path_factory.mktemp("routing")
    (folder / "tape").mkdir()
    with routing_node(folder, CONFIGURATION.format(port=port, folder=folder / "tape")) as node:
        yield node


@pytest.fixture(autouse=True)
def bystander(routing: RoutingNode, port: int, request: pytest.FixtureRequest) -> Iterator[None]:
    """Send something sound after each test; it is stored and delivered whatever came before."""
    before = routing.counters("router")
    yield
    number = 100 + abs(hash(request.node.name)) % 10**6
    assert send(port, make_instance(identify(number)), called="ROUTER") == [0]
    after = routing.wait_settled("router", before["received"] + 1)
    assert after["needs_human"] == 0


def _elements(**changes: bytes) -> bytes:
    """Return the data set of an instance of CT; what is named stands otherwise, or is left out where it is empty."""
    one = identify(5)
    values = {
        "sop_class": (0x00080016, "UI", CT.encode() + b"\0" * (len(CT) % 2)),
        "sop_instance": (0x00080018, "UI", _padded(one.sop_instance_uid)),
        "modality": (0x00080060, "CS", b"CT"),
        "name": (0x00100010, "PN", b"Doe^J "),
        "study": (0x0020000D, "UI", _padded(one.study_instance_uid)),
        "series": (0x0020000E, "UI", _padded(one.series_instance_uid)),
    }
    character_set = changes.pop("character_set", b"")
    first = element(0x00080005, "CS", character_set) if character_set else b""
    chosen = {name: (tag, vr, changes.get(name, value)) for name, (tag, vr, value) in values.items()}
    return first + b"".join(element(*one) for one in chosen.values() if one[2])


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def _store(port: int, dataset: bytes, *, uid: str = UID) -> tuple[int, str]:
    async def store() -> tuple[int, str]:
        async with associated(port, REQUEST) as peer:
            await peer.send_message(1, store_rq(uid), dataset)
            response = (await peer.message()).message
            assert isinstance(response, CStoreRsp)
            await peer.release()
            return response.status, response.error_comment or ""

    return asyncio.run(store())


@pytest.mark.parametrize(
    ("dataset", "status"),
    [
        (_elements(sop_class=_padded("1.2.840.10008.5.1.4.1.1.4")), 0xA900),
        (_elements(sop_instance=_padded("1.2.3.4.5")), 0xA900),
        (_elements(study=b""), 0xC000),
        (_elements(series=b""), 0xC000),
        (_elements(study=b"Doe^Jane"), 0xC000),
        (b"Dear colleague, thank you for sending", 0xC000),
        (_elements() + pack("<HH2sH", 0x7FE0, 0x10, b"OW", 0) + pack("<I", 2**31) + b"\0", 0xC000),
    ],
    ids=["another class", "another instance", "no study", "no series", "a study that is none", "a letter", "cut off"],
)
def test_a_data_set_that_lies_is_refused_with_a_reason(
    routing: RoutingNode, port: int, dataset: bytes, status: int
) -> None:
    before = routing.counters("router")
    answered, comment = _store(port, dataset)
    assert answered == status
    assert comment
    [last, *_] = routing.get("/channels/router/refusals")["refusals"]
    assert (last["status"], last["sop_instance_uid"], last["sender"]) == (f"{status:04X}", UID, "CT1@127.0.0.1")
    assert last["reason"]
    assert "Doe" not in str(last)
    assert routing.counters("router") == before


@pytest.mark.parametrize("character_set", [b"ISO_IR 999", b"\xff\xfe", b"ISO 2022 IR 87\\ISO 2022 IR 6 "])
def test_a_character_set_that_nobody_knows_keeps_nothing_from_its_way(
    routing: RoutingNode, port: int, character_set: bytes
) -> None:
    before = routing.counters("router")
    uid = f"{UID}.{len(character_set)}"
    dataset = _elements(character_set=character_set, name=b"\x1b$B\xff\xfe^\x80", sop_instance=_padded(uid))
    assert _store(port, dataset, uid=uid) == (0, "")
    routing.wait_settled("router", before["received"] + 1)


def test_an_association_that_breaks_off_leaves_nothing_behind(routing: RoutingNode, port: int) -> None:
    before = routing.counters("router")
    message = message_bytes(1, store_rq(UID), dataset_of(make_instance(identify(6)).content))

    async def break_off() -> None:
        for cut in (len(message) // 4, len(message) // 2, len(message) - 1):
            async with associated(port, REQUEST) as peer:
                await peer.send(message[:cut])

    asyncio.run(break_off())
    assert routing.counters("router") == before


def test_a_message_of_two_gigabytes_in_one_pdu_is_given_up(routing: RoutingNode, port: int) -> None:
    async def announce() -> object:
        async with associated(port, REQUEST) as peer:
            await peer.send(b"\x04\x00" + pack(">I", 2**31 - 1) + b"\0" * 64)
            return await _pdu_or_end(peer)

    assert isinstance(asyncio.run(announce()), Abort | None)


def test_200_contexts_are_more_than_there_can_be(routing: RoutingNode, port: int) -> None:
    many = encode_pdu(associate_rq(*[(CT, EXPLICIT)] * 128, called="ROUTER", calling="CT1"))
    begin, end = many.index(b"\x20\0", 74), many.index(b"\x50\0", 300)
    contexts = many[begin:end]
    body = many[6:begin] + (contexts * 2)[: len(contexts) // 128 * 200] + many[end:]

    async def propose(data: bytes) -> object:
        async with raw_peer(port) as peer:
            await peer.send(data)
            return await peer.pdu()

    assert isinstance(asyncio.run(propose(many)), AssociateAc)
    assert asyncio.run(propose(b"\x01\0" + pack(">I", len(body)) + body)) == REJECT_REQUEST_BEYOND_LIMIT


def test_one_that_stalls_in_the_middle_holds_up_nobody(routing: RoutingNode, port: int) -> None:
    message = message_bytes(1, store_rq(UID), dataset_of(make_instance(identify(6)).content))

    async def stall() -> list[int]:
        async with associated(port, REQUEST) as peer:
            await peer.send(message[: len(message) // 2])
            return await asyncio.to_thread(send, port, make_instance(identify(7)), called="ROUTER")

    assert asyncio.run(stall()) == [0]


async def _pdu_or_end(peer: RawPeer) -> object:
    try:
        return await peer.pdu()
    except EOFError:
        return None
