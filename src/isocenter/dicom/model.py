"""Values that the scanner yields and that the rest of the room works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the data set's bytes are to be read (PS3.5 section 10, annex A)."""

    transfer_syntax_uid: str
    is_implicit_vr: bool
    is_little_endian: bool
    is_deflated: bool = False
    is_encapsulated: bool = False


@dataclass(frozen=True, slots=True)
class PixelElement:
    """The element that holds the pixels: PixelData, FloatPixelData or DoubleFloatPixelData at top level."""

    tag: int
    vr: str
    value_offset: int
    """First byte of the value in the buffer that was scanned (after inflation, if deflated)."""
    length: int
    """UNDEFINED_LENGTH where encapsulated."""
    bits_per_frame: int = 0
    """What one frame takes uncompressed, by the image pixel attributes; 0 where they do not say."""
    extended_offset_table: tuple[int, int] | None = None
    """Offset and length of the value of (7FE0,0001), where there is one (PS3.3 C.7.6.3.1.8)."""


@dataclass(frozen=True, slots=True)
class ScannedInstance:
    """What one walk over an instance's bytes found."""

    encoding: Encoding
    dataset_offset: int
    """First byte of the data set: behind the preamble, prefix and file meta information."""
    header_length: int
    """`buffer[:header_length]` holds every element before the pixel data; all there is without it, or if deflated."""
    attributes: Mapping[int, str]
    """Wanted elements by tag: decoded to text, unpadded, values joined by backslash; absent and empty ones left out."""
    pixel_element: PixelElement | None
    number_of_elements: int
    """Elements and items at every level, up to the pixel data and with it."""
    size_bytes: int = 0
    """The length of what was scanned, as it came (before inflation)."""
