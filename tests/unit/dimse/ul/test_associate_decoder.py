from __future__ import annotations

import tracemalloc
from dataclasses import replace
from struct import pack

import pytest
from hypothesis import given

from isocenter.dimse.ul.associate_decoder import decode_associate_ac, decode_associate_rq
from isocenter.dimse.ul.errors import BeyondLocalLimit, ProtocolViolation
from isocenter.dimse.ul.limits import ASSOCIATE_LENGTH_MAX
from isocenter.dimse.ul.pdu import AssociateRq, PresentationContextAc, PresentationContextRq
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from tests.support import pynetdicom_pdus
from tests.support.dimse_strategies import requests
from tests.support.dimse_wire import ANSWER, IMPLICIT, REQUEST, VERIFICATION

HEADER_LENGTH = 6


def item(kind: int, content: bytes) -> bytes:
    return pack(">BxH", kind, len(content)) + content


FIXED = pack(">H2x16s16s32x", 1, b"ACCEPTOR".ljust(16), b"REQUESTOR".ljust(16))
APPLICATION_CONTEXT = item(0x10, b"1.2.840.10008.3.1.1.1")
USER_INFORMATION = item(0x50, item(0x51, pack(">I", 4096)) + item(0x52, b"1.2.3.4") + item(0x55, b"TEST"))
SYNTAXES = item(0x30, VERIFICATION.encode()) + item(0x40, IMPLICIT.encode())


def context(context_id: int = 1, content: bytes = SYNTAXES, *, kind: int = 0x20, result: int = 0) -> bytes:
    return item(kind, bytes((context_id, 0, result, 0)) + content)


def body(*contexts: bytes, tail: bytes = USER_INFORMATION) -> bytes:
    return FIXED + APPLICATION_CONTEXT + b"".join(contexts) + tail


@given(requests)
def test_what_pynetdicom_sends_is_read_as_it_was_meant(request: AssociateRq) -> None:
    identity = request.user_information.user_identity
    information = replace(request.user_information, user_identity=None)
    request = replace(request, user_information=information) if identity else request
    assert decode_associate_rq(pynetdicom_pdus.encode_associate_rq(request)[HEADER_LENGTH:]) == request


def test_titles_lose_their_padding_of_either_kind() -> None:
    raw = pack(">H2x16s16s32x", 1, b"  ACCEPTOR\0\0\0\0\0\0", b"REQ UESTOR      ")
    request = decode_associate_rq(raw + body()[len(FIXED) :])
    assert (request.called_ae_title, request.calling_ae_title) == ("ACCEPTOR", "REQ UESTOR")


def test_uids_lose_their_padding() -> None:
    padded = item(0x30, VERIFICATION.encode() + b"\0") + item(0x40, IMPLICIT.encode() + b" ")
    (read,) = decode_associate_rq(body(context(1, padded))).presentation_contexts
    assert read == PresentationContextRq(1, VERIFICATION, (IMPLICIT,))


def test_unknown_items_are_passed_over() -> None:
    unknown = item(0x99, b"something new")
    read = decode_associate_rq(body(unknown, context(1, SYNTAXES + unknown), tail=USER_INFORMATION + unknown))
    assert len(read.presentation_contexts) == 1


def test_request_without_contexts_is_read() -> None:
    assert decode_associate_rq(body()).presentation_contexts == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(body(context(2)), "not odd", id="even ID"),
        pytest.param(body(context(0)), "not odd", id="ID 0"),
        pytest.param(body(context(5), context(5)), "twice", id="ID used twice"),
        pytest.param(body(item(0x20, b"\1\0\0")), "too short", id="context of three bytes"),
        pytest.param(body(context(1, item(0x40, b"1.2"))), "30H", id="no abstract syntax"),
        pytest.param(body(context(1, item(0x30, b"1.2") + SYNTAXES)), "30H", id="two abstract syntaxes"),
        pytest.param(body(context(1, item(0x30, b"1.2"))), "no transfer syntax", id="no transfer syntax"),
        pytest.param(body(context(1, item(0x30, b"1" * 65) + item(0x40, b"1"))), "UID", id="UID of 65 characters"),
        pytest.param(body(context(1, item(0x30, b"1.\xb2") + item(0x40, b"1"))), "UID", id="UID that is no text"),
        pytest.param(body(tail=b""), "50H", id="no user information"),
        pytest.param(body(tail=USER_INFORMATION * 2), "50H", id="user information twice"),
        pytest.param(FIXED + USER_INFORMATION, "10H", id="no application context"),
        pytest.param(body(tail=USER_INFORMATION + b"\x20\0\0"), "header of an item", id="half an item header"),
        pytest.param(body(tail=USER_INFORMATION[:-1]), "longer than", id="item beyond the end of the PDU"),
        pytest.param(body(context(1, pack(">BxH", 0x30, 99) + b"1.2")), "longer than", id="item beyond its context"),
    ],
)
def test_malformed_request_is_a_violation(content: bytes, message: str) -> None:
    with pytest.raises(ProtocolViolation, match=message):
        decode_associate_rq(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(body(*(context(number % 256) for number in range(1, 301, 2)), context(1)), id="151 contexts"),
        pytest.param(body(*(context(number % 256) for number in range(300))), id="300 contexts"),
        pytest.param(body(context(1, SYNTAXES + item(0x40, b"1.2") * 200)), id="201 transfer syntaxes"),
        pytest.param(body(*([item(0x99, b"")] * 300)), id="300 unknown items"),
    ],
)
def test_request_beyond_a_limit_says_so(content: bytes) -> None:
    with pytest.raises(BeyondLocalLimit):
        decode_associate_rq(content)


def test_all_contexts_that_there_can_be_are_read() -> None:
    read = decode_associate_rq(body(*(context(number) for number in range(1, 256, 2))))
    assert len(read.presentation_contexts) == 128


def test_refused_context_of_an_answer_needs_no_transfer_syntax() -> None:
    answer = decode_associate_ac(body(context(1, b"", kind=0x21, result=3), context(3, kind=0x21)))
    assert answer.presentation_contexts == (PresentationContextAc(1, 3), PresentationContextAc(3, 0, IMPLICIT))


@pytest.mark.parametrize("syntaxes", [b"", item(0x40, b"1.2") * 2])
def test_accepted_context_has_one_transfer_syntax(syntaxes: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="one transfer syntax"):
        decode_associate_ac(body(context(1, syntaxes, kind=0x21)))


def test_answer_is_read_as_it_was_meant() -> None:
    assert decode_associate_ac(encode_pdu(ANSWER)[HEADER_LENGTH:]) == ANSWER


def test_largest_request_that_is_taken_holds_less_than_two_megabytes() -> None:
    syntaxes = [item(0x40, b"1.2.%d" % number) for number in range(10_000, 10_000 + 128 * 120)]
    contexts = (
        context(2 * number + 1, item(0x30, b"1.2.3") + b"".join(syntaxes[number * 120 : number * 120 + 120]))
        for number in range(128)
    )
    roles = b"".join(item(0x54, pack(">H", 7) + b"1.2.%03d" % number + b"\1\1") for number in range(1000))
    identity = item(0x58, b"\2\0" + (pack(">H", 20_000) + bytes(20_000)) * 2)
    content = body(*contexts, tail=item(0x50, item(0x51, bytes(4)) + item(0x52, b"1.2") + roles + identity))
    assert ASSOCIATE_LENGTH_MAX - 1024 * 16 < len(content) <= ASSOCIATE_LENGTH_MAX
    tracemalloc.start()
    try:
        request = decode_associate_rq(content)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert request != REQUEST
