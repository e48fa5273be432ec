"""What a compressed frame says of itself: size, precision, components, colour transform, point transform.

Only headers are read here, with `struct`-like care, so that a codec is never called for a frame whose
own size is not the one that the data set states and that was checked against the limits.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.errors import InvalidDataset, LimitExceeded, NotAcceptable

SEGMENTS_MAX = 20_000
"""Marker segments before the first scan; real frames have a dozen, an ICC profile adds 255 at most."""
SCANS_MAX = 500
"""Progressive frames have about ten scans; many scans of a large frame cost time without end."""
BOXES_MAX = 1_000
"""Boxes of a JP2 or JPEG XL file before its codestream; real ones have five."""
TRAILING_PADDING_MAX_BYTES = 4096
"""Behind the end of a codestream; the standard allows one byte, some writers round up to a block."""

_CODED_PROCESSES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA}
"""Sequential, progressive, lossless; Huffman or arithmetic. Hierarchical processes are in no use."""
_JPEG_LS_FRAME = 0xF7
_NO_LENGTH = {0x01, 0xD8, *range(0xD0, 0xD8)}


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """The description that a codestream carries."""

    rows: int
    columns: int
    components: int
    precision: int
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class JpegHeader(CodestreamHeader):
    """The description that a JPEG codestream carries."""

    process: int = 0
    """The start-of-frame marker, 0xC0 to 0xCF, or 0xF7 for JPEG-LS."""
    adobe_transform: int | None = None
    """0: components stand for themselves; 1: YCbCr. None without an APP14 segment."""
    predictor: int = 0
    """Of the first scan; lossless processes only."""
    point_transform: int = 0
    """Al of the first scan: bits that a lossless frame dropped."""


def parse_jpeg_header(data: memoryview) -> JpegHeader:
    """Return the header of a JPEG or JPEG-LS codestream."""
    if bytes(data[:2]) != b"\xff\xd8":
        raise InvalidDataset("The frame is not a JPEG codestream.")
    frame: JpegHeader | None = None
    adobe_transform: int | None = None
    offset = 2
    for _ in range(SEGMENTS_MAX):
        marker, offset = _next_marker(data, offset)
        if marker in _NO_LENGTH:
            continue
        segment = _segment(data, offset)
        offset += len(segment) + 2
        if marker == 0xDA:
            return _with_scan(frame, segment, adobe_transform)
        if marker == 0xEE and bytes(segment[:5]) == b"Adobe" and len(segment) >= 12:
            adobe_transform = segment[11]
        elif marker == _JPEG_LS_FRAME or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            frame = _frame_header(marker, segment)
    raise LimitExceeded("The JPEG codestream has too many marker segments.")


def _next_marker(data: memoryview, offset: int) -> tuple[int, int]:
    if offset >= len(data) or data[offset] != 0xFF:
        raise InvalidDataset("The JPEG codestream is damaged before its first scan.")
    while offset < len(data) and data[offset] == 0xFF:
        offset += 1
    if offset >= len(data):
        raise InvalidDataset("The JPEG codestream ends before its first scan.")
    return data[offset], offset + 1


def _segment(data: memoryview, offset: int) -> memoryview:
    length = int.from_bytes(data[offset : offset + 2], "big")
    if length < 2 or offset + length > len(data):
        raise InvalidDataset("The JPEG codestream ends before its first scan.")
    return data[offset + 2 : offset + length]


def _frame_header(marker: int, segment: memoryview) -> JpegHeader:
    if len(segment) < 6:
        raise InvalidDataset("The JPEG frame header is too short.")
    return JpegHeader(
        precision=segment[0],
        rows=int.from_bytes(segment[1:3], "big"),
        columns=int.from_bytes(segment[3:5], "big"),
        components=segment[5],
        process=marker,
    )


def _with_scan(frame: JpegHeader | None, scan: memoryview, adobe_transform: int | None) -> JpegHeader:
    if frame is None or len(scan) < 4 or len(scan) < 4 + 2 * scan[0]:
        raise InvalidDataset("The JPEG codestream has no valid frame header before its first scan.")
    parameters = scan[1 + 2 * scan[0] :]
    return JpegHeader(
        precision=frame.precision,
        rows=frame.rows,
        columns=frame.columns,
        components=frame.components,
        process=frame.process,
        adobe_transform=adobe_transform,
        predictor=parameters[0],
        point_transform=parameters[2] & 0x0F,
    )


def check_jpeg_codestream(data: bytes, header: JpegHeader) -> None:
    """Refuse a JPEG codestream of a process that is not decoded, with too many scans, or cut off."""
    if header.process not in _CODED_PROCESSES:
        raise NotAcceptable("Frames of this JPEG process are not decoded.")
    if data.count(b"\xff\xda") > SCANS_MAX:
        raise LimitExceeded("The JPEG codestream has too many scans.")
    check_end_of_image(data)


def check_end_of_image(data: bytes) -> None:
    """Refuse a JPEG or JPEG-LS codestream without its last marker.

    libjpeg paints what is missing grey; CharLS 2.4 reads zeros for half a minute before it gives up (decision 0003).
    """
    if b"\xff\xd9" not in data[-TRAILING_PADDING_MAX_BYTES:]:
        raise InvalidDataset("The JPEG codestream is cut off.")


def parse_jpeg_2000_header(data: memoryview) -> CodestreamHeader:
    """Return the header of a JPEG 2000 or HTJ2K codestream (ISO 15444-1 A.5.1)."""
    siz = data[4:42]
    if bytes(data[:4]) != b"\xff\x4f\xff\x51" or len(siz) < 38:
        raise InvalidDataset("The frame is not a JPEG 2000 codestream.")
    x_size, y_size, x_offset, y_offset = (int.from_bytes(siz[i : i + 4], "big") for i in (4, 8, 12, 16))
    components = int.from_bytes(siz[36:38], "big")
    parts = bytes(data[42 : 42 + 3 * components])
    if not components or len(parts) < 3 * components:
        raise InvalidDataset("The JPEG 2000 codestream is cut off.")
    if parts != parts[:3] * components or parts[1:3] != b"\1\1":
        raise NotAcceptable("JPEG 2000 frames with unlike or subsampled components are not decoded.")
    return CodestreamHeader(
        rows=y_size - y_offset,
        columns=x_size - x_offset,
        components=components,
        precision=(parts[0] & 0x7F) + 1,
        is_signed=bool(parts[0] & 0x80),
    )


def jpeg_2000_codestream(data: memoryview) -> memoryview:
    """Return the codestream of a JPEG 2000 frame, taken out of a JP2 file where a writer left it in one."""
    if bytes(data[:12]) != b"\0\0\0\x0cjP  \r\n\x87\n":
        return data
    codestreams = _boxes(data, (b"jp2c",))
    if not codestreams:
        raise InvalidDataset("The JP2 file of the frame has no codestream.")
    return codestreams[0]


def parse_jpeg_xl_size(data: memoryview) -> tuple[int, int]:
    """Return rows and columns of a JPEG XL codestream or file (ISO 18181-1 D.2)."""
    head = bytes(_jpeg_xl_codestream(data)[:16])
    if head[:2] != b"\xff\x0a" or len(head) < 12:
        raise InvalidDataset("The frame is not a JPEG XL codestream.")
    bits = _Bits(int.from_bytes(head[2:], "little"))
    is_small = bits.take(1)
    rows = (bits.take(5) + 1) * 8 if is_small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])
    ratio = bits.take(3)
    if ratio:
        numerator, denominator = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return rows, rows * numerator // denominator
    columns = (bits.take(5) + 1) * 8 if is_small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])
    return rows, columns


class _Bits:
    """Bits of a JPEG XL header, lowest first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken


def _jpeg_xl_codestream(data: memoryview) -> bytes:
    if bytes(data[:12]) != b"\0\0\0\x0cJXL \r\n\x87\n":
        return bytes(data[:16])
    whole = _boxes(data, (b"jxlc",))
    if whole:
        return bytes(whole[0][:16])
    return b"".join(bytes(part[4:20]) for part in _boxes(data, (b"jxlp",))[:16])


def _boxes(data: memoryview, kinds: tuple[bytes, ...]) -> list[memoryview]:
    found: list[memoryview] = []
    offset = 0
    for _ in range(BOXES_MAX):
        if offset + 8 > len(data):
            return found
        length, kind, head = int.from_bytes(data[offset : offset + 4], "big"), bytes(data[offset + 4 : offset + 8]), 8
        if length == 1:
            length, head = int.from_bytes(data[offset + 8 : offset + 16], "big"), 16
        length = length or len(data) - offset
        if length < head or offset + length > len(data):
            raise InvalidDataset("The boxes around the codestream are damaged.")
        if kind in kinds:
            found.append(data[offset + head : offset + length])
        offset += length
    raise LimitExceeded("There are too many boxes around the codestream.")
