from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.modality.faults.http_message import HEAD_LENGTH_MAX, BodySeen, Head, HeadSeen, NotHttp, RequestStream

STREAM = (
    b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    b"POST /studies HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello world"
    b"POST /studies HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: z\r\n\r\n"
    b"DELETE /studies/1 HTTP/1.1\r\n\r\n"
)


def _fed(pieces: list[bytes]) -> tuple[bytes, list[str]]:
    stream, raw, lines = RequestStream(), b"", []
    for piece in pieces:
        for seen in stream.feed(piece):
            if isinstance(seen, HeadSeen):
                raw += seen.head.raw
                lines.append(seen.head.start_line)
            else:
                raw += seen.data
                lines += ["end"] if isinstance(seen, BodySeen) and seen.is_last else []
                lines += ["opaque"] if isinstance(seen, NotHttp) else []
    return raw, lines


def _cut(data: bytes, at: list[int]) -> list[bytes]:
    bounds = [0, *sorted(at), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_however_it_is_cut_a_stream_has_the_same_requests_and_bytes(at: list[int]) -> None:
    raw, lines = _fed(_cut(STREAM, at))
    assert raw == STREAM
    assert lines == [
        *("GET /health HTTP/1.1", "end", "POST /studies HTTP/1.1", "end"),
        *("POST /studies HTTP/1.1", "end", "DELETE /studies/1 HTTP/1.1", "end"),
    ]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_pass_or_wait_for_the_rest(data: bytes, at: list[int]) -> None:
    raw, _ = _fed(_cut(data, [each for each in at if each <= len(data)]))
    assert data.startswith(raw)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * (HEAD_LENGTH_MAX + 1),
    ],
)
def test_what_is_no_request_passes_untouched(data: bytes) -> None:
    raw, lines = _fed([data])
    assert raw == data
    assert lines[-1] == "opaque"


def test_fields_are_found_replaced_and_taken_away_whatever_their_case() -> None:
    head = Head(b"GET / HTTP/1.1\r\nauthorization: Bearer a\r\nHost: b\r\n\r\n")
    assert head.values("Authorization") == ["Bearer a"]
    assert head.replaced("Authorization", "Bearer c").values("authorization") == ["Bearer c"]
    assert head.replaced("Authorization", None).raw == b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
