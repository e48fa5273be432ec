from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.hl7.framing import Frame, MllpDecoder, Oversized, encode_frame

_CONTENT = st.binary(max_size=40).map(lambda raw: raw.replace(b"\x0b", b"").replace(b"\x1c", b""))


def test_a_message_comes_back_as_it_was_framed() -> None:
    assert MllpDecoder().feed(encode_frame(b"MSH|^~\\&|")) == [Frame(b"MSH|^~\\&|")]


@given(contents=st.lists(_CONTENT, max_size=4), noise=st.sampled_from([b"", b"\r\n", b"GET / HTTP"]), data=st.data())
def test_a_stream_gives_the_same_messages_however_it_is_cut(
    contents: list[bytes], noise: bytes, data: st.DataObject
) -> None:
    stream = noise.join(map(encode_frame, contents)) + noise
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    whole, cut = MllpDecoder(), MllpDecoder()
    events = [
        event
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for event in cut.feed(stream[start:end])
    ]
    assert events == whole.feed(stream) == [Frame(content) for content in contents]
    assert cut.stray_bytes == whole.stray_bytes


def test_a_sender_that_leaves_the_last_byte_out_is_understood() -> None:
    assert MllpDecoder().feed(b"\x0bone\x1c\x0btwo\x1c") == [Frame(b"one"), Frame(b"two")]


@pytest.mark.parametrize("step", [1, 7, 100])
def test_a_message_beyond_the_limit_is_let_go_and_the_next_one_read(step: int) -> None:
    decoder = MllpDecoder(message_size_max_bytes=10)
    stream = encode_frame(b"x" * 11) + encode_frame(b"y" * 10)
    events = [event for start in range(0, len(stream), step) for event in decoder.feed(stream[start : start + step])]
    assert events == [Oversized(), Frame(b"y" * 10)]


def test_what_stands_between_messages_is_counted_without_line_ends() -> None:
    decoder = MllpDecoder()
    assert decoder.feed(b"abc\r\n") == []
    assert decoder.stray_bytes == 3
    assert not decoder.is_within_message


def test_a_message_that_has_begun_is_told() -> None:
    decoder = MllpDecoder()
    decoder.feed(b"\x0bhalf")
    assert decoder.is_within_message
