"""Who decodes a frame: this process what is bounded by its size, the archive's decoder what needs an image codec."""

from __future__ import annotations

import numpy as np

from isocenter.dicom.codecs import DecodeFrame, decode_frame, needs_codec
from isocenter.dicom.pixels import PixelArray, PixelDescription
from isocenter.domain.errors import InvalidDataset, NotAcceptable
from isocenter.ports.blobs import Buffer
from isocenter.ports.frame_decoder import DecodedFrame, FrameDecoder, PixelValues


class InProcessFrameDecoder:
    """Decode in the caller's process and thread: for tools and tests, not for what strangers sent."""

    def decode(self, content: Buffer, description: PixelValues) -> DecodedFrame:
        """Return the samples of one frame; raise NotAcceptable where it cannot be decoded."""
        try:
            frame = decode_frame(content, PixelDescription.of_values(description))
        except InvalidDataset as error:
            raise NotAcceptable(error.message) from error
        return DecodedFrame(frame.dtype.str, frame.shape, frame.tobytes())


def decoding_by(decoder: FrameDecoder) -> DecodeFrame:
    """Return what decodes frames, with a decoder for those that need an image codec."""

    def decode(data: Buffer, description: PixelDescription, *, bit_offset: int = 0) -> PixelArray:
        if not needs_codec(description.transfer_syntax_uid):
            return decode_frame(data, description, bit_offset=bit_offset)
        frame = decoder.decode(data, description.as_values())
        return np.frombuffer(frame.content, frame.dtype).reshape(frame.shape)

    return decode
