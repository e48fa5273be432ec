from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.ul.pdu import Abort, PDataTf, Pdv, ReleaseRq
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.modality.faults.pdu_stream import PDU_LENGTH_MAX, PduStream

PDUS = [
    encode_pdu(PDataTf((Pdv(1, is_command=True, is_last=True, data=b"command"),))),
    encode_pdu(ReleaseRq()),
    encode_pdu(Abort()),
]


@given(st.lists(st.integers(0, sum(map(len, PDUS))), max_size=20))
def test_however_it_is_cut_a_stream_has_the_same_pdus(at: list[int]) -> None:
    whole, stream = b"".join(PDUS), PduStream()
    bounds = [0, *sorted(at), len(whole)]
    found = [pdu for start, end in itertools.pairwise(bounds) for pdu in stream.feed(whole[start:end])]
    assert found == PDUS


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=9))
def test_any_bytes_pass_or_wait_for_the_rest(pieces: list[bytes]) -> None:
    stream = PduStream()
    passed = b"".join(pdu for piece in pieces for pdu in stream.feed(piece))
    assert b"".join(pieces).startswith(passed)
    assert not stream.is_opaque or passed == b"".join(pieces)


def test_what_is_no_pdu_or_too_long_passes_as_it_comes() -> None:
    for data in (b"GET / HTTP/1.1", b"\x04\x00" + (PDU_LENGTH_MAX + 1).to_bytes(4, "big") + b"begins"):
        stream = PduStream()
        assert stream.feed(data) == [data]
        assert stream.feed(b"more") == [b"more"]
