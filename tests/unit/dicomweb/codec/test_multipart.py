from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.multipart import (
    BOUNDARY_LENGTH_MAX,
    End,
    MultipartDecoder,
    MultipartLimits,
    PartBegin,
    PartData,
    PartEnd,
    encode_closing,
    encode_part_header,
    is_boundary,
    multipart_content_type,
)
from isocenter.domain.errors import InvalidRequest, TooLarge

BOUNDARY = "frontier"
UNREADABLE = r"^There was an error reading the multipart request\.$"

Part = tuple[dict[str, str], bytes]


def decode(chunks: list[bytes], *, boundary: str = BOUNDARY, limits: MultipartLimits | None = None) -> list[Part]:
    """Return the parts of a complete body."""
    decoder = MultipartDecoder(boundary, limits or MultipartLimits())
    parts: list[Part] = []
    headers: dict[str, str] = {}
    content = bytearray()
    ended = 0
    for chunk in chunks:
        for event in decoder.feed(chunk):
            assert not ended, "nothing comes after the end"
            if isinstance(event, PartBegin):
                headers, content = dict(event.headers), bytearray()
            elif isinstance(event, PartData):
                assert len(event.data), "no event without bytes"
                content += event.data
            elif isinstance(event, PartEnd):
                parts.append((headers, bytes(content)))
            else:
                assert isinstance(event, End)
                ended += 1
    decoder.close()
    return parts


def encode(contents: list[bytes], *, boundary: str = BOUNDARY) -> bytes:
    """Return a body of parts that hold DICOM."""
    parts = (
        encode_part_header(boundary, "application/dicom", is_first=position == 0) + content
        for position, content in enumerate(contents)
    )
    return b"".join(parts) + encode_closing(boundary)


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    """Return a body cut at positions."""
    ends = sorted({min(position, len(body)) for position in cuts} | {len(body)})
    starts = [0, *ends[:-1]]
    return [body[start:end] for start, end in zip(starts, ends, strict=True)]


# Pieces that nearly are delimiters, so that random contents meet the cases that matter.
PIECES = [
    b"\r\n--frontier",
    b"\r\n--frontie",
    b"\r\n--",
    b"\r\n",
    b"\r",
    b"\n",
    b"--frontier--",
    b"--frontier\r\n",
    b"X",
    b"\r\n--frontierX",
    b"\r\n--frontier-X",
    b"\r\n--frontier X",
    b"\r\n\r\n",
    b"\0\xff",
]
CONTENT = st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join)


def holds_delimiter(content: bytes) -> bool:
    """Tell whether a content would end early, by the grammar of RFC 2046 5.1.1 and not by the decoder."""
    behind = (content + b"\r\n--frontier").split(b"\r\n--frontier")[1:-1]
    return any(piece.startswith(b"--") or not (piece + b"\r\n").partition(b"\r\n")[0].strip(b" \t") for piece in behind)


@given(
    contents=st.lists(CONTENT.filter(lambda content: not holds_delimiter(content)), max_size=4),
    cuts=st.lists(st.integers(0, 600), max_size=12),
)
def test_any_cut_of_a_body_gives_the_same_parts(contents: list[bytes], cuts: list[int]) -> None:
    body = encode(contents)
    expected = [({"content-type": "application/dicom"}, content) for content in contents]
    assert decode([body]) == expected
    assert decode(cut(body, cuts)) == expected
    assert decode([bytes([byte]) for byte in body]) == expected


@given(body=st.lists(st.sampled_from([*PIECES, b"--frontier\r\n", b"A: b\r\n\r\n"]), max_size=14).map(b"".join))
def test_any_bytes_give_the_same_outcome_whole_or_byte_by_byte(body: bytes) -> None:
    def outcome(chunks: list[bytes]) -> list[Part] | str:
        try:
            return decode(chunks)
        except InvalidRequest as error:
            return error.message

    assert outcome([body]) == outcome([bytes([byte]) for byte in body])


@given(boundary=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=BOUNDARY_LENGTH_MAX))
def test_any_boundary_of_printable_characters_is_understood(boundary: str) -> None:
    contents = [b"one", b"", b"three"]
    assert [content for _, content in decode([encode(contents, boundary=boundary)], boundary=boundary)] == contents


@pytest.mark.parametrize("before", [b"", b"\r\n", b"This is a message in several parts.\r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("after", [b"", b"\r\n", b"Anything.\r\n--frontier\r\nX: y\r\n\r\nno part"])
def test_preamble_and_epilogue_are_passed_over(before: bytes, after: bytes) -> None:
    assert [content for _, content in decode([before + encode([b"data"]) + after])] == [b"data"]


def test_padding_behind_a_delimiter_is_passed_over() -> None:
    body = b"--frontier  \t\r\nA: b\r\n\r\ndata\r\n--frontier--"
    assert decode([body]) == [({"a": "b"}, b"data")]


def test_a_header_is_read_by_lower_case_name_without_surrounding_blanks() -> None:
    body = b"--frontier\r\nCONTENT-type:application/dicom \r\nContent-Location:  /a:b\r\n\r\n\r\n--frontier--"
    assert decode([body]) == [({"content-type": "application/dicom", "content-location": "/a:b"}, b"")]


def test_a_part_may_come_without_headers() -> None:
    assert decode([b"--frontier\r\n\r\ndata\r\n--frontier--"]) == [({}, b"data")]


def test_a_part_of_neither_header_nor_body_is_none() -> None:
    assert decode([b"--frontier\r\n\r\n--frontier--\r\n"]) == []


def test_a_body_of_no_parts_is_complete() -> None:
    assert decode([b"--frontier--"]) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no delimiter at all",
        b"--frontier",
        b"--frontier\r\n",
        b"--frontier\r\nA: b\r\n",
        b"--frontier\r\nA: b\r\n\r\ndata",
        b"--frontier\r\nA: b\r\n\r\ndata\r\n--frontier\r\n",
        b"--frontier\r\nA: b\r\n\r\ndata\r\n--frontier-",
        b"--frontier\r\nno colon\r\n\r\ndata\r\n--frontier--",
        b"--frontier\r\n\rX: y\r\n\r\ndata\r\n--frontier--",
    ],
)
def test_a_body_that_is_not_complete_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=UNREADABLE):
        decode([body])


def test_a_part_header_beyond_its_limit_is_refused_before_its_end() -> None:
    decoder = MultipartDecoder(BOUNDARY, MultipartLimits(part_header_bytes=100))
    decoder.feed(b"--frontier\r\nA: ")
    for _ in range(97):
        assert decoder.feed(b"b") == []
    with pytest.raises(InvalidRequest, match=UNREADABLE):
        decoder.feed(b"b")


def test_a_preamble_beyond_its_limit_is_refused_before_the_end() -> None:
    decoder = MultipartDecoder(BOUNDARY, MultipartLimits(preamble_bytes=100))
    with pytest.raises(InvalidRequest, match=UNREADABLE):
        decoder.feed(b"x" * 200)


def test_more_parts_than_the_limit_are_refused() -> None:
    with pytest.raises(TooLarge, match="2 parts"):
        decode([encode([b"", b"", b""])], limits=MultipartLimits(parts=2))


@pytest.mark.parametrize("boundary", ["", "b" * (BOUNDARY_LENGTH_MAX + 1), "line\r\nend", "ümlaut"])
def test_what_cannot_be_a_boundary_is_refused(boundary: str) -> None:
    assert not is_boundary(boundary)
    with pytest.raises(InvalidRequest, match=UNREADABLE):
        MultipartDecoder(boundary)


@pytest.mark.parametrize(
    "near",
    [b"\r\n--frontie", b"\r\n--frontierX", b"\r\n--frontier-X", b"\r\n--frontier \tX", b"\r", b"\r\n--", b"-"],
)
@pytest.mark.parametrize("chunk_size", [1, 3, 64, 4096, 1 << 20])
def test_near_boundaries_are_looked_at_a_bounded_number_of_times(near: bytes, chunk_size: int) -> None:
    content = near * ((256 * 1024 if chunk_size > 3 else 8 * 1024) // len(near))
    body = encode([content])
    decoder = MultipartDecoder(BOUNDARY)
    for start in range(0, len(body), chunk_size):
        decoder.feed(body[start : start + chunk_size])
    decoder.close()
    # Held back at the end of a chunk: at most a delimiter and its padding, looked at again with the next chunk.
    held_bytes_max = len("\r\n--frontier") + 64 + 2
    chunks = -(-len(body) // chunk_size)
    assert decoder.bytes_scanned <= len(body) + held_bytes_max * chunks


def test_a_header_that_trickles_in_is_looked_at_once() -> None:
    body = b"--frontier\r\nA: " + b"b" * 8000 + b"\r\n\r\n\r\n--frontier--"
    decoder = MultipartDecoder(BOUNDARY)
    for byte in body:
        decoder.feed(bytes([byte]))
    decoder.close()
    # Each byte with the three before it, and all of them once more when the header is read.
    assert decoder.bytes_scanned <= 6 * len(body)


def test_data_is_a_view_of_the_chunk_that_brought_it() -> None:
    decoder = MultipartDecoder(BOUNDARY)
    decoder.feed(b"--frontier\r\nA: b\r\n\r\n")
    chunk = b"x" * 1000
    (event,) = decoder.feed(chunk)
    assert isinstance(event, PartData)
    assert event.data.obj is chunk


def test_the_encoder_says_what_a_part_is_and_where() -> None:
    header = encode_part_header("b", "image/png", content_location="/x", content_length=3)
    assert header == b"\r\n--b\r\nContent-Type: image/png\r\nContent-Location: /x\r\nContent-Length: 3\r\n\r\n"
    assert multipart_content_type("b", "image/png") == 'multipart/related; type="image/png"; boundary=b'
