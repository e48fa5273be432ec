"""What the bytes of a frame mean: the image pixel attributes, checked once, before anything is decoded.

Never trust a size that the data set states: every product of sizes is bounded here (S30), so that the
codecs behind allocate no more than `FRAME_SIZE_MAX_BYTES` for a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.model import ScannedInstance
from isocenter.domain.errors import InvalidDataset, LimitExceeded

Buffer = bytes | bytearray | memoryview
PixelArray = npt.NDArray[Any]
"""Rows × columns, or rows × columns × samples."""

FRAME_SIZE_MAX_BYTES = 512 * 1024 * 1024
"""Ten times the largest radiograph in use (5,000 × 6,000 × 16 bit); a decoded frame beyond this is refused."""
DIMENSION_MAX = 65_535
"""Rows and Columns are US (PS3.3 C.7.6.3); a larger number came from another VR and is a lie."""
NUMBER_OF_FRAMES_MAX = 2**31 - 1
"""PS3.5 6.2: the range of IS."""

SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
PLANAR_CONFIGURATION = 0x00280006
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
BITS_STORED = 0x00280101
HIGH_BIT = 0x00280102
PIXEL_REPRESENTATION = 0x00280103
PIXEL_TAGS = frozenset(
    {
        SAMPLES_PER_PIXEL,
        PHOTOMETRIC_INTERPRETATION,
        PLANAR_CONFIGURATION,
        NUMBER_OF_FRAMES,
        ROWS,
        COLUMNS,
        BITS_ALLOCATED,
        BITS_STORED,
        HIGH_BIT,
        PIXEL_REPRESENTATION,
    }
)
"""The attributes that `PixelDescription.of` reads: ask the scanner for them."""

FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009
PIXEL_DATA = 0x7FE00010

_ALLOCATIONS = {PIXEL_DATA: (1, 8, 16, 32, 64), FLOAT_PIXEL_DATA: (32,), DOUBLE_FLOAT_PIXEL_DATA: (64,)}
_SUBSAMPLED = {"YBR_FULL_422", "YBR_PARTIAL_422"}


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """The image pixel attributes of an instance; inconsistent ones cannot be constructed."""

    rows: int
    columns: int
    samples_per_pixel: int
    photometric_interpretation: str
    planar_configuration: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    number_of_frames: int
    transfer_syntax_uid: str
    pixel_tag: int = PIXEL_DATA
    pixel_vr: str = "OW"

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(
        cls,
        attributes: Mapping[int, str],
        *,
        transfer_syntax_uid: str,
        pixel_tag: int = PIXEL_DATA,
        pixel_vr: str = "OW",
    ) -> PixelDescription:
        """Return the description that decoded attributes (`PIXEL_TAGS`, by tag) give."""
        allocation = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}.get(pixel_tag)
        bits_allocated = allocation or _integer(attributes, BITS_ALLOCATED)
        bits_stored = allocation or _integer(attributes, BITS_STORED, bits_allocated)
        samples_per_pixel = _integer(attributes, SAMPLES_PER_PIXEL, 1)
        default_interpretation = "MONOCHROME2" if samples_per_pixel == 1 else "RGB"
        return cls(
            rows=_integer(attributes, ROWS),
            columns=_integer(attributes, COLUMNS),
            samples_per_pixel=samples_per_pixel,
            photometric_interpretation=attributes.get(PHOTOMETRIC_INTERPRETATION, "").strip() or default_interpretation,
            planar_configuration=_integer(attributes, PLANAR_CONFIGURATION, 0),
            bits_allocated=bits_allocated,
            bits_stored=bits_stored,
            high_bit=bits_stored - 1 if allocation else _integer(attributes, HIGH_BIT, bits_stored - 1),
            pixel_representation=0 if allocation else _integer(attributes, PIXEL_REPRESENTATION, 0),
            number_of_frames=_integer(attributes, NUMBER_OF_FRAMES, 1) or 1,
            transfer_syntax_uid=transfer_syntax_uid,
            pixel_tag=pixel_tag,
            pixel_vr=pixel_vr,
        )

    @classmethod
    def of_scanned(cls, scanned: ScannedInstance) -> PixelDescription:
        """Return the description of a scanned instance, whose `PIXEL_TAGS` were asked for."""
        if scanned.pixel_element is None:
            raise InvalidDataset("The instance has no pixel data.")
        return cls.of(
            scanned.attributes,
            transfer_syntax_uid=scanned.encoding.transfer_syntax_uid,
            pixel_tag=scanned.pixel_element.tag,
            pixel_vr=scanned.pixel_element.vr,
        )

    @classmethod
    def of_values(cls, values: Mapping[str, int | str]) -> PixelDescription:
        """Return the description that `as_values` gave, checked again."""
        try:
            return cls(**values)  # type: ignore[arg-type]  # each field is looked at below
        except TypeError as error:
            raise InvalidDataset("The image pixel attributes are not complete.") from error

    def as_values(self) -> dict[str, int | str]:
        """Return plain values by name, to be handed to another process."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of a decoded sample, in the byte order of this machine."""
        if self.pixel_tag != PIXEL_DATA:
            return np.dtype(f"f{self.bits_allocated // 8}")
        return np.dtype(f"{'i' if self.pixel_representation else 'u'}{max(1, self.bits_allocated // 8)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of a decoded frame."""
        plane = (self.rows, self.columns)
        return plane if self.samples_per_pixel == 1 else (*plane, self.samples_per_pixel)

    @property
    def samples_per_frame(self) -> int:
        """Return how many samples a decoded frame has."""
        return self.rows * self.columns * self.samples_per_pixel

    @property
    def is_subsampled(self) -> bool:
        """Tell whether native pixels share chrominance two by two (PS3.3 C.7.6.3.1.2)."""
        return self.photometric_interpretation in _SUBSAMPLED and self.samples_per_pixel == 3

    @property
    def native_frame_bits(self) -> int:
        """Return the bits that one frame takes uncompressed; frames follow each other without padding."""
        samples = self.rows * self.columns * 2 if self.is_subsampled else self.samples_per_frame
        return samples * self.bits_allocated


def frame_bit_offset(description: PixelDescription, frame_number: int) -> int:
    """Return how many bits of its first byte belong to the frame before; frames count from 1."""
    return (frame_number - 1) * description.native_frame_bits % 8


def _integer(attributes: Mapping[int, str], tag: int, default: int | None = None) -> int:
    text = attributes.get(tag, "").split("\\", 1)[0].strip()
    if not text and default is not None:
        return default
    try:
        return int(text)
    except ValueError:
        raise InvalidDataset(f"The attribute {tag:08X} of the image pixel module is missing or not a number.") from None


def _check(description: PixelDescription) -> None:
    if not (0 < description.rows <= DIMENSION_MAX and 0 < description.columns <= DIMENSION_MAX):
        raise InvalidDataset("Rows and Columns must be between 1 and 65535.")
    if description.samples_per_pixel not in (1, 3, 4):
        raise InvalidDataset("Samples per Pixel must be 1, 3 or 4.")
    if description.pixel_tag not in _ALLOCATIONS:
        raise InvalidDataset("There is no pixel data under that tag.")
    if description.bits_allocated not in _ALLOCATIONS[description.pixel_tag]:
        raise InvalidDataset("Bits Allocated must be 1, 8, 16, 32 or 64, as the pixel data element allows.")
    if not 0 < description.bits_stored <= description.bits_allocated:
        raise InvalidDataset("Bits Stored must be between 1 and Bits Allocated.")
    if not description.bits_stored - 1 <= description.high_bit < description.bits_allocated:
        raise InvalidDataset("High Bit must lie between Bits Stored - 1 and Bits Allocated.")
    if description.pixel_representation not in (0, 1) or description.planar_configuration not in (0, 1):
        raise InvalidDataset("Pixel Representation and Planar Configuration must be 0 or 1.")
    if not 0 < description.number_of_frames <= NUMBER_OF_FRAMES_MAX:
        raise InvalidDataset("Number of Frames is out of range.")
    if description.samples_per_frame * max(8, description.bits_allocated) // 8 > FRAME_SIZE_MAX_BYTES:
        raise LimitExceeded("A frame exceeds the largest size that is decoded.")
