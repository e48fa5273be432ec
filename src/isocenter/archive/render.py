"""Pictures of stored instances: render a frame, choose one that stands for a series, open a video stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.archive.decoding import decoding_by
from isocenter.archive.header import not_acceptable_if_invalid, read_scanned_header
from isocenter.archive.retrieve import STREAM_CHUNK_BYTES, open_frames
from isocenter.dicom.pixels import PixelArray
from isocenter.dicom.render import VIEWPORT_MAX, RenderOptions, Viewport
from isocenter.dicom.render import render_frame as render_pixels
from isocenter.dicom.render import shown_window as window_of_pixels
from isocenter.dicom.rendering import RENDERING_TAGS, RenderingAttributes, Window, rendering_attributes
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
    """Left, top, width and height of the part that is shown."""
    region: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom of it, as parts of the whole."""
    window: tuple[float, float, str] | None = None
    """Center, width, function (`linear`, `linear-exact`, `sigmoid`)."""


def has_pixels(archive: Archive, row: InstanceRow) -> bool:
    """Tell whether an instance has pixel data."""
    return row.header_length < row.address.length or bool(archive.index.frame_table(row.instance_key))


def representative(archive: Archive, rows: Sequence[InstanceRow]) -> InstanceRow:
    """Return the instance that stands for a series or study: the middle one of those with pixels.

    Raises NotFound where none has any.
    """
    with_pixels = [row for row in rows if has_pixels(archive, row)]
    if not with_pixels:
        raise NotFound("There is nothing in it that can be rendered.")
    first_series = with_pixels[0].identifier.series_instance_uid
    series = [row for row in with_pixels if row.identifier.series_instance_uid == first_series]
    return series[len(series) // 2]


def middle_frame(row: InstanceRow) -> int:
    """Return the number of the frame that stands for an instance."""
    return ((row.number_of_frames or 1) + 1) // 2


def render_frame(archive: Archive, row: InstanceRow, frame_number: int, picture: Picture) -> bytes:
    """Return a frame as a picture; frames count from 1.

    Raises NotFound for a frame that is not there, NotAcceptable for pixels that cannot be decoded or are too many.
    """
    with _decoded(archive, row, frame_number) as (frame, attributes):
        return render_pixels(frame, attributes, _options(picture, rows=frame.shape[0], columns=frame.shape[1]))


def shown_window(archive: Archive, row: InstanceRow, frame_number: int) -> tuple[float, float]:
    """Return center and width of the window in which a frame is shown where nobody asks for another.

    Raises NotFound and NotAcceptable as `render_frame` does.
    """
    with _decoded(archive, row, frame_number) as (frame, attributes):
        window = window_of_pixels(frame, attributes)
        return window.center, window.width


@contextmanager
def _decoded(archive: Archive, row: InstanceRow, frame_number: int) -> Iterator[tuple[PixelArray, RenderingAttributes]]:
    """Give a decoded frame with how it is to be shown; what turns out unreadable meanwhile is not acceptable."""
    reader = open_frames(archive, row, [frame_number])
    if row.address.length > archive.settings.transcode_size_max_bytes and not _is_large_multi_frame(row):
        raise NotAcceptable("The specified instance is too large to be rendered.")
    header = read_scanned_header(archive, row, RENDERING_TAGS)
    content = reader.read_to_decode(frame_number)
    with not_acceptable_if_invalid():
        decode = decoding_by(archive.decoder)
        frame = decode(content, header.describe_pixels(), bit_offset=reader.bit_offset(frame_number))
        yield frame, rendering_attributes(header.content, header.scanned, frame_number=frame_number)


def _is_large_multi_frame(row: InstanceRow) -> bool:
    """Tell whether one frame of an instance is small though the whole is not."""
    return (row.number_of_frames or 1) > 1


def _options(picture: Picture, *, rows: int, columns: int) -> RenderOptions:
    viewport = None
    source = picture.source
    if picture.region is not None:
        source = _source_of(picture.region, rows=rows, columns=columns)
    size = picture.viewport or (_within_limit(source[2:]) if source is not None else None)
    if size is not None:
        x, y, width, height = source or (0, 0, 0, 0)
        viewport = Viewport(*size, x=x, y=y, region_width=width or None, region_height=height or None)
    window = None
    if picture.window is not None:
        center, width_of_values, function = picture.window
        window = Window(center, width_of_values, function.upper().replace("-", "_"))
    return RenderOptions(media_type=picture.media_type, quality=picture.quality, viewport=viewport, window=window)


def _within_limit(size: tuple[int, int]) -> tuple[int, int]:
    return min(size[0], VIEWPORT_MAX), min(size[1], VIEWPORT_MAX)


def _source_of(region: tuple[float, float, float, float], *, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Return a region in pixels; however narrow it is, one is shown."""
    left, top, right, bottom = region
    x, y = min(int(left * columns), columns - 1), min(int(top * rows), rows - 1)
    return x, y, max(1, round(right * columns) - x), max(1, round(bottom * rows) - y)


@dataclass(frozen=True, slots=True)
class Video:
    """The stream of a video instance: its length, and how to read a range of it."""

    length: int
    read: Callable[[int, int], bytes]

    def iter_chunks(self) -> Iterator[bytes]:
        """Yield the whole stream, which may be gigabytes."""
        for start in range(0, self.length, STREAM_CHUNK_BYTES):
            yield self.read(start, STREAM_CHUNK_BYTES)


def open_video(archive: Archive, row: InstanceRow) -> Video:
    """Return the one stream that a video instance holds, in however many fragments."""
    ranges = open_frames(archive, row, []).table.stream_ranges()

    def read(start: int, count: int) -> bytes:
        pieces: list[bytes] = []
        position = 0
        for offset, length in ranges:
            first, last = max(start, position), min(start + count, position + length)
            if first < last:
                pieces.append(archive.blobs.read(row.address, start=offset + first - position, length=last - first))
            position += length
        return b"".join(pieces)

    return Video(sum(length for _, length in ranges), read)
