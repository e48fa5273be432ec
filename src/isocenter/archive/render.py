"""Pictures of stored instances: render a frame, choose one that stands for a series, open a video stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import open_frames
from isocenter.domain.errors import NotAcceptable, NotFound
from isocenter.ports.index import InstanceRow

VIDEO_RANGE_MAX_BYTES = 8 * 1024**2
"""What one range request of a video brings at most; players ask for the next themselves."""


@dataclass(frozen=True, slots=True)
class Picture:
    """How a picture is wanted."""

    media_type: str
    quality: int
    viewport: tuple[int, int] | None = None
    source: tuple[int, int, int, int] | None = None
    window: tuple[float, float, str] | None = None
    """Center, width, function (`linear`, `linear-exact`, `sigmoid`)."""


def has_pixels(row: InstanceRow) -> bool:
    """Tell whether an instance has pixel data."""
    return row.header_length < row.address.length


def representative(rows: Sequence[InstanceRow]) -> InstanceRow:
    """Return the instance that stands for a series or study: the middle one of those with pixels.

    Raises NotFound where none has any.
    """
    with_pixels = [row for row in rows if has_pixels(row)]
    if not with_pixels:
        raise NotFound("There is nothing in it that can be rendered.")
    first_series = with_pixels[0].identifier.series_instance_uid
    series = [row for row in with_pixels if row.identifier.series_instance_uid == first_series]
    return series[len(series) // 2]


def middle_frame(row: InstanceRow) -> int:
    """Return the number of the frame that stands for an instance."""
    return ((row.number_of_frames or 1) + 1) // 2
