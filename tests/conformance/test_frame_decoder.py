"""What every decoder of frames does: in this process or elsewhere, the same samples and the same refusals."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from isocenter.archive.decoding import InProcessFrameDecoder
from isocenter.domain.errors import NotAcceptable
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.storage.decoding import DecodingPool
from tests.support.decoding import GREY_VALUES, SOUND, pixels_of
from tests.support.hostile_frames import COLOURS, ENCODERS, GREY, describe

CODECS = sorted(set(ENCODERS) - {"rle", "deflated"})


@pytest.fixture(scope="module", params=["in-process", "pool"])
def frame_decoder(request: pytest.FixtureRequest) -> Iterator[FrameDecoder]:
    if request.param == "in-process":
        yield InProcessFrameDecoder()
    else:
        with DecodingPool() as pool:
            yield pool


@pytest.mark.parametrize("codec", sorted(set(CODECS) - {"jpeg"}))
def test_samples_are_those_that_were_encoded(frame_decoder: FrameDecoder, codec: str) -> None:
    suffix, encode = ENCODERS[codec]
    for pixels in (GREY, COLOURS):
        frame = frame_decoder.decode(bytes(encode(pixels)), describe(pixels, suffix).as_values())
        np.testing.assert_array_equal(pixels_of(frame), pixels)


def test_any_buffer_is_taken(frame_decoder: FrameDecoder) -> None:
    for content in (bytearray(SOUND), memoryview(b"xx" + SOUND)[2:]):
        np.testing.assert_array_equal(pixels_of(frame_decoder.decode(content, GREY_VALUES)), GREY)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_no_codestream_is_refused(frame_decoder: FrameDecoder, codec: str) -> None:
    values = describe(GREY, ENCODERS[codec][0]).as_values()
    for content in (b"", b"\xff", bytes(1000)):
        with pytest.raises(NotAcceptable):
            frame_decoder.decode(content, values)


@pytest.mark.parametrize(
    "changes",
    [{"rows": 0}, {"rows": 2**31}, {"columns": 65535, "rows": 65535}, {"samples_per_pixel": 2}, {"columns": 63}],
)
def test_attributes_that_make_no_sense_or_do_not_fit_are_refused(
    frame_decoder: FrameDecoder, changes: dict[str, int]
) -> None:
    with pytest.raises(NotAcceptable):
        frame_decoder.decode(SOUND, {**GREY_VALUES, **changes})


def test_attributes_that_are_missing_are_refused(frame_decoder: FrameDecoder) -> None:
    with pytest.raises(NotAcceptable):
        frame_decoder.decode(SOUND, {"rows": 48})


def test_callers_do_not_disturb_each_other(frame_decoder: FrameDecoder) -> None:
    def decode(number: int) -> bool:
        pixels = np.full((16, 16), number, np.uint16)
        content = bytes(ENCODERS["jpeg-ls"][1](pixels))
        return bool((pixels_of(frame_decoder.decode(content, describe(pixels, "4.80").as_values())) == number).all())

    with ThreadPoolExecutor(6) as callers:
        assert all(callers.map(decode, range(60)))
