from __future__ import annotations

import tracemalloc
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.limits import ASSOCIATE_LENGTH_MAX, PDVS_PER_PDU_MAX
from isocenter.dimse.ul.pdu import (
    Abort,
    AbortReason,
    AssociateRj,
    PDataTf,
    Pdu,
    Pdv,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_decoder import DataBegun, Decoded, PduDecoder
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from tests.support.dimse_strategies import cut, cuts, pdus
from tests.support.dimse_wire import REQUEST

VALID_HEAD = encode_pdu(PDataTf((Pdv(1, True, True, b"abcd"),)))
LYING_LENGTHS = [
    pytest.param(pack(">BxI", 1, 0xFFFF_FFFF), id="A-ASSOCIATE-RQ of 4 GiB"),
    pytest.param(pack(">BxI", 2, ASSOCIATE_LENGTH_MAX + 1), id="A-ASSOCIATE-AC above the limit"),
    pytest.param(pack(">BxI", 1, 67), id="A-ASSOCIATE-RQ shorter than its fixed part"),
    pytest.param(pack(">BxI", 3, 5), id="A-ASSOCIATE-RJ of five bytes"),
    pytest.param(pack(">BxI", 4, 0xFFFF_FFFF), id="P-DATA-TF of 4 GiB"),
    pytest.param(pack(">BxI", 4, 4097), id="P-DATA-TF one byte longer than agreed on"),
    pytest.param(pack(">BxI", 4, 0), id="P-DATA-TF without a PDV"),
    pytest.param(pack(">BxI", 5, 3), id="A-RELEASE-RQ of three bytes"),
    pytest.param(pack(">BxI", 6, 1 << 20), id="A-RELEASE-RP of a megabyte"),
    pytest.param(pack(">BxI", 7, 0), id="A-ABORT of no bytes"),
    pytest.param(pack(">BxIIBB", 4, 20, 0xFFFF_FFFF, 1, 3), id="PDV of 4 GiB"),
    pytest.param(pack(">BxIIBB", 4, 20, 17, 1, 3), id="PDV one byte longer than its PDU"),
    pytest.param(pack(">BxIIBB", 4, 20, 15, 1, 3), id="PDV that leaves a byte of its PDU"),
    pytest.param(pack(">BxIIBB", 4, 20, 1, 1, 3), id="PDV shorter than its own header"),
]


def decoder() -> PduDecoder:
    made = PduDecoder()
    made.data_length_max = 4096
    return made


def feed_all(chunks: list[bytes]) -> list[Decoded]:
    """Return what one decoder makes of chunks."""
    made = decoder()
    return [decoded for chunk in chunks for decoded in made.feed(chunk)]


def pdus_of(decoded: list[Decoded]) -> list[Pdu]:
    """Return the PDUs that came in one chunk."""
    out: list[Pdu] = []
    for each in decoded:
        assert not isinstance(each, ProtocolViolation), each
        if isinstance(each, DataBegun):
            out.append(PDataTf(()))
        elif isinstance(each, Pdv):
            assert isinstance(out[-1], PDataTf)
            out[-1] = PDataTf((*out[-1].pdvs, each._replace(data=bytes(each.data))))
        else:
            out.append(each)
    return out


def content(decoded: list[Decoded]) -> list[object]:
    """Return what was decoded without how it was cut: fragments joined up to the last one of each message part."""
    out: list[object] = []
    for each in decoded:
        if isinstance(each, ProtocolViolation):
            out.append((each.message, each.reason))
        elif isinstance(each, Pdv):
            before = out[-1] if out else None
            data = bytes(each.data)
            if isinstance(before, Pdv) and before[:2] == each[:2] and not before.is_last:
                data = bytes(out.pop().data) + data  # type: ignore[attr-defined]  # it is a Pdv, as just seen
            out.append(each._replace(data=data))
        elif not isinstance(each, DataBegun):
            out.append(each)
    return out


@given(st.lists(pdus, min_size=1, max_size=3))
def test_pdus_come_back_as_they_were_encoded(sent: list[Pdu]) -> None:
    assert pdus_of(feed_all([b"".join(map(encode_pdu, sent))])) == sent


@given(st.lists(pdus, min_size=1, max_size=3), cuts)
def test_same_comes_out_however_the_stream_is_cut(sent: list[Pdu], places: list[int]) -> None:
    stream = b"".join(map(encode_pdu, sent))
    expected = content(feed_all([stream]))
    assert content(feed_all(cut(stream, places))) == expected
    assert content(feed_all([stream[place : place + 1] for place in range(len(stream))])) == expected


@given(st.lists(pdus, min_size=1, max_size=2), st.data())
def test_same_comes_out_of_a_damaged_stream_however_it_is_cut(sent: list[Pdu], data: st.DataObject) -> None:
    stream = bytearray(b"".join(map(encode_pdu, sent)))
    for place in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=6)):
        stream[place] = data.draw(st.integers(0, 255))
    expected = content(feed_all([bytes(stream)]))
    assert content(feed_all(cut(bytes(stream), data.draw(cuts)))) == expected


@pytest.mark.parametrize("header", LYING_LENGTHS)
def test_lying_length_ends_it_before_a_byte_of_it_came(header: bytes) -> None:
    made = decoder()
    *_, last = made.feed(header)
    assert isinstance(last, ProtocolViolation)
    assert last.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE
    assert made.held_bytes == 0


@pytest.mark.parametrize("header", LYING_LENGTHS)
def test_memory_stays_flat_whatever_follows_a_lying_length(header: bytes) -> None:
    made = decoder()
    made.feed(header)
    chunk = bytes(64 * 1024)
    tracemalloc.start()
    try:
        for _ in range(64):
            assert made.feed(chunk) == []
        assert tracemalloc.get_traced_memory()[1] < 4096
    finally:
        tracemalloc.stop()


def test_unknown_type_is_told_by_its_reason() -> None:
    (violation,) = decoder().feed(pack(">BxI", 8, 4))
    assert isinstance(violation, ProtocolViolation)
    assert violation.reason is AbortReason.UNRECOGNIZED_PDU


def test_data_leaves_before_its_pdu_is_complete_and_is_not_copied() -> None:
    made = decoder()
    head = encode_pdu(PDataTf((Pdv(5, False, True, bytes(range(100))),)))
    chunk = head[:62]
    _, piece = made.feed(chunk)
    assert isinstance(piece, Pdv)
    assert isinstance(piece.data, memoryview)
    assert piece.data.obj is chunk
    assert not piece.is_last
    assert made.held_bytes == 0
    (rest,) = made.feed(head[62:])
    assert isinstance(rest, Pdv)
    assert (bytes(rest.data), rest.is_last) == (bytes(range(50, 100)), True)


def test_empty_pdv_comes_through() -> None:
    pdu = PDataTf((Pdv(1, False, False, b"ab"), Pdv(1, False, True, b"")))
    assert pdus_of(feed_all([encode_pdu(pdu)])) == [pdu]


def test_bits_of_the_control_header_that_are_reserved_are_not_looked_at() -> None:
    stream = pack(">BxIIBB", 4, 8, 4, 1, 0xFE) + b"ab"
    assert pdus_of(feed_all([stream])) == [PDataTf((Pdv(1, False, True, b"ab"),))]


def test_pdvs_of_one_pdu_are_limited() -> None:
    pdv = pack(">IBB", 2, 1, 0)
    stream = pack(">BxI", 4, len(pdv) * (PDVS_PER_PDU_MAX + 1)) + pdv * (PDVS_PER_PDU_MAX + 1)
    made = decoder()
    made.data_length_max = 0
    *_, last = made.feed(stream)
    assert isinstance(last, ProtocolViolation)


def test_request_is_held_until_it_is_whole_and_no_longer() -> None:
    made = decoder()
    stream = encode_pdu(REQUEST)
    assert made.feed(stream[:-1]) == []
    assert made.held_bytes == len(stream) - 1 - 6
    assert made.feed(stream[-1:]) == [REQUEST]
    assert made.held_bytes == 0


def test_length_of_requests_is_limited_by_the_setting() -> None:
    stream = encode_pdu(REQUEST)
    length = len(stream) - 6
    assert PduDecoder(associate_length_max=length).feed(stream) == [REQUEST]
    (violation,) = PduDecoder(associate_length_max=length - 1).feed(stream)
    assert isinstance(violation, ProtocolViolation)


def test_nothing_is_read_behind_a_violation() -> None:
    made = decoder()
    assert len(made.feed(pack(">BxI", 8, 4) + VALID_HEAD)) == 1
    assert made.feed(VALID_HEAD) == []


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (bytes((3, 99, 0, 0, 0, 4, 99, 2, 3, 1)), AssociateRj(2, 3, 1)),
        (bytes((5, 99, 0, 0, 0, 4, 99, 99, 99, 99)), ReleaseRq()),
        (bytes((6, 99, 0, 0, 0, 4, 99, 99, 99, 99)), ReleaseRp()),
        (bytes((7, 99, 0, 0, 0, 4, 99, 99, 2, 6)), Abort(2, 6)),
    ],
)
def test_reserved_bytes_are_not_looked_at(stream: bytes, expected: Pdu) -> None:
    assert decoder().feed(stream) == [expected]


@given(st.binary(max_size=200))
def test_any_bytes_give_values_and_at_most_one_violation_behind_them(stream: bytes) -> None:
    decoded = decoder().feed(stream)
    violations = [place for place, each in enumerate(decoded) if isinstance(each, ProtocolViolation)]
    assert violations in ([], [len(decoded) - 1])
