"""Where compressed frames from strangers become samples: away from what must not crash or hang (S30)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from isocenter.ports.blobs import Buffer

PixelValues = Mapping[str, int | str]
"""The image pixel attributes by the names that the data set room gives them: plain, so that they may cross a pipe."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """Samples as stored: their type (as numpy names it), their shape, their bytes."""

    dtype: str
    shape: tuple[int, ...]
    content: Buffer


class FrameDecoder(Protocol):
    """Decode frames whose transfer syntax needs an image codec; called from many threads."""

    def decode(self, content: Buffer, description: PixelValues) -> DecodedFrame:
        """Return the samples of one frame, which are of the size that the description states.

        Raises NotAcceptable where it cannot be decoded, Overloaded where too many wait for it.
        """
        ...
