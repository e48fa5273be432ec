"""One and the same picture in every transfer syntax that can be written here.

Where an encoding loses information or depth, the instance's own pixels are what a decoder gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from io import BytesIO

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from isocenter.modality.head import Finding, make_head
from isocenter.modality.instances import InstancePlace, ct_dataset
from isocenter.modality.part10 import encode_part10
from isocenter.modality.patients import Patient
from isocenter.modality.phantoms import CT_LOWEST_HU, add_ct_noise, draw_ct_head, stored_ct
from isocenter.modality.plans import CtSeriesPlan, Orientation, Region, StudyPlan
from isocenter.modality.slices import slice_plane
from isocenter.modality.solids import Plane
from isocenter.modality.texture import make_grain

JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
JPEG_XL = "1.2.840.10008.1.2.4.112"
DEFLATED_IMAGE_FRAME = "1.2.840.10008.1.2.8.1"
"""Transfer syntaxes younger than the dictionary of the library that writes the data sets."""
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SLICE_MM = 14.0
"""Height of the picture in the head: where the ventricles are."""
EIGHT_BIT_WINDOW = (0.0, 110.0)
"""Hounsfield units that black and white of the eight-bit pictures stand for."""

Pixels = npt.NDArray[np.uint16] | npt.NDArray[np.uint8]
Encoder = Callable[[Pixels], bytes]


class Sample(Enum):
    """What the pixels of the picture are."""

    GREY_12 = "12-bit grey"
    GREY_8 = "8-bit grey"
    RGB = "colour"


@dataclass(frozen=True, slots=True)
class PictureEncoding:
    """A way to write the picture: a transfer syntax and what becomes of the pixels."""

    name: str
    transfer_syntax_uid: str
    sample: Sample = Sample.GREY_12
    encode_frame: Encoder | None = None
    """None where the pixels stand as they are."""
    photometric_interpretation: str = "MONOCHROME2"
    is_lossless: bool = True
    bits_stored: int | None = None
    """What the stream says, where that is more than the pixels need."""
    is_planar: bool = False


@dataclass(frozen=True, slots=True)
class EncodedInstance:
    """An instance, with what a decoder should find in it."""

    encoding: PictureEncoding
    part10: bytes
    pixels: Pixels
    """The picture before it was encoded; equal to what is decoded where the encoding is lossless."""


def iter_encodings(seed: int, *, started_at: datetime, edge: int = 256) -> Iterator[EncodedInstance]:
    """Yield the picture in every encoding, each as a study of its own."""
    grey = _draw(seed, edge)
    eight_bit = _windowed(grey)
    pictures: dict[Sample, Pixels] = {
        Sample.GREY_12: grey,
        Sample.GREY_8: eight_bit,
        Sample.RGB: _coloured(eight_bit),
    }
    for encoding in ENCODINGS:
        pixels = pictures[encoding.sample]
        dataset = _dataset(encoding, seed, started_at, edge, grey)
        if encoding.sample is not Sample.GREY_12:
            _make_secondary_capture(dataset, encoding, pixels)
        yield EncodedInstance(encoding, _encode(dataset, encoding, pixels), pixels)


def _draw(seed: int, edge: int) -> npt.NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    picture = draw_ct_head(make_head(rng, finding=Finding.HAEMORRHAGE), _plane(edge))
    return stored_ct(add_ct_noise(picture, make_grain(rng), rng, deviation_hu=4.0))


def _plane(edge: int) -> Plane:
    return slice_plane(Orientation.AXIAL, edge=edge, field_of_view_mm=240.0, position_mm=SLICE_MM)


def _windowed(grey: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    low, high = EIGHT_BIT_WINDOW
    shade = (grey.astype(np.float32) + CT_LOWEST_HU - low) / (high - low)
    return np.asarray(np.clip(shade * 255, 0, 255), np.uint8)


def _coloured(shade: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the picture on a scale from blue through red to white, as fused pictures have."""
    level = shade.astype(np.float32) / 255
    red, green = np.clip(level * 2.2 - 0.3, 0, 1), np.clip(level * 2.0 - 0.9, 0, 1)
    blue = np.where(level < 0.45, level * 1.6, np.clip(level * 2.6 - 1.5, 0, 1))
    return np.asarray(np.stack([red, green, blue], axis=-1) * 255, np.uint8)


def _dataset(
    encoding: PictureEncoding, seed: int, started_at: datetime, edge: int, grey: npt.NDArray[np.uint16]
) -> Dataset:
    patient = Patient(f"Encoding^{encoding.name}", f"ENC-{encoding.name}"[:64], date(1970, 1, 1), "O")
    series = CtSeriesPlan(Region.HEAD, encoding.name, 1, 1.0, SLICE_MM, 240.0, (40, 90), edge=edge)
    plan = StudyPlan(patient, started_at, f"ENC{ENCODINGS.index(encoding):05d}", encoding.name, (series,))
    dataset = ct_dataset(plan, series, InstancePlace(seed, 1, 1, started_at), _plane(edge), grey)
    if encoding.bits_stored is not None:
        dataset.BitsStored, dataset.HighBit = encoding.bits_stored, encoding.bits_stored - 1
    return dataset


_CT_ONLY = (
    "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth", "KVP", "ImagePositionPatient",
    "ImageOrientationPatient", "SliceThickness", "SliceLocation", "FrameOfReferenceUID", "PositionReferenceIndicator",
    "PixelSpacing", "DataCollectionDiameter", "ReconstructionDiameter", "GantryDetectorTilt", "RotationDirection",
    "ExposureTime", "XRayTubeCurrent", "Exposure", "ConvolutionKernel", "PatientPosition", "AcquisitionNumber",
)  # fmt: skip


def _make_secondary_capture(dataset: Dataset, encoding: PictureEncoding, pixels: Pixels) -> None:
    """Turn a CT data set into a secondary capture of eight bits, which a CT image may not have (PS3.3 A.8.1)."""
    for keyword in _CT_ONLY:
        delattr(dataset, keyword)
    dataset.SOPClassUID, dataset.Modality, dataset.ConversionType = SECONDARY_CAPTURE, "OT", "WSD"
    dataset.ImageType, dataset.PatientOrientation = ["DERIVED", "SECONDARY"], ["L", "P"]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = encoding.photometric_interpretation
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = int(encoding.is_planar)
    native = pixels.transpose(2, 0, 1) if encoding.is_planar else pixels
    dataset.PixelData = native.tobytes()
    dataset["PixelData"].VR = "OB"
    if encoding.photometric_interpretation == "PALETTE COLOR":
        _add_palette(dataset)


def _add_palette(dataset: Dataset) -> None:
    table = _coloured(np.arange(256, dtype=np.uint8)).astype("<u2") * 257
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{name}PaletteColorLookupTableData", table[:, channel].tobytes())


def _encode(dataset: Dataset, encoding: PictureEncoding, pixels: Pixels) -> bytes:
    if not encoding.is_lossless:
        dataset.LossyImageCompression = "01"
    if encoding.transfer_syntax_uid == RLELossless:
        return _encode_rle(dataset)
    if encoding.encode_frame is not None:
        frame = encoding.encode_frame(pixels)
        if not encoding.is_lossless:
            dataset.LossyImageCompressionRatio = f"{len(dataset.PixelData) / len(frame):.3f}"
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    elif encoding.transfer_syntax_uid == ExplicitVRBigEndian and pixels.itemsize == 2:
        dataset.PixelData = pixels.astype(">u2").tobytes()
        dataset["PixelData"].VR = "OW"
    return encode_part10(dataset, encoding.transfer_syntax_uid)


def _encode_rle(dataset: Dataset) -> bytes:
    encode_part10(dataset)
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    return encode_part10(dataset, RLELossless)


def _jpeg_baseline(pixels: Pixels) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=92, subsampling="4:2:2")
    return out.getvalue()


def _jpeg_extended(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, level=96, bitspersample=12))


def _jpeg_lossless(predictor: int) -> Encoder:
    def encode(pixels: Pixels) -> bytes:
        return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=12))

    return encode


def _jpeg_ls(near: int) -> Encoder:
    return lambda pixels: bytes(imagecodecs.jpegls_encode(pixels, level=near))


def _jpeg_2000(level: int, *, bits: int = 12) -> Encoder:
    """Return an encoder; the level is a signal-to-noise ratio in dB, 0 is lossless."""

    def encode(pixels: Pixels) -> bytes:
        return bytes(
            imagecodecs.jpeg2k_encode(pixels, level=level, codecformat="J2K", reversible=level == 0, bitspersample=bits)
        )

    return encode


def _htj2k_lossless(pixels: Pixels) -> bytes:
    """Encode in RPCL order, which is all that the encoder knows, and with TLM: what .202 asks for (PS3.5 10.18)."""
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True, tlm=True))


def _htj2k_lossy(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.htj2k_encode(pixels, level=0.0002, reversible=False))


def _jpeg_xl(distance: float | None) -> Encoder:
    """Return an encoder to a bare codestream; a distance of None is lossless."""

    def encode(pixels: Pixels) -> bytes:
        options = {"lossless": True} if distance is None else {"lossless": False, "distance": distance}
        return bytes(imagecodecs.jpegxl_encode(pixels, usecontainer=False, bitspersample=12, **options))

    return encode


def _deflate(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.deflate_encode(pixels.astype("<u2").tobytes(), raw=True))


ENCODINGS: tuple[PictureEncoding, ...] = (
    PictureEncoding("implicit-le", ImplicitVRLittleEndian),
    PictureEncoding("explicit-le", ExplicitVRLittleEndian),
    PictureEncoding("explicit-be", ExplicitVRBigEndian),
    PictureEncoding("deflated", DeflatedExplicitVRLittleEndian),
    PictureEncoding("rle", RLELossless),
    PictureEncoding("jpeg-extended", JPEGExtended12Bit, encode_frame=_jpeg_extended, is_lossless=False),
    PictureEncoding("jpeg-lossless-57", JPEGLossless, encode_frame=_jpeg_lossless(4)),
    PictureEncoding("jpeg-lossless-70", JPEGLosslessSV1, encode_frame=_jpeg_lossless(1)),
    PictureEncoding("jpeg-ls", JPEGLSLossless, encode_frame=_jpeg_ls(0), bits_stored=16),
    PictureEncoding("jpeg-ls-near", JPEGLSNearLossless, encode_frame=_jpeg_ls(2), is_lossless=False, bits_stored=16),
    PictureEncoding("j2k-lossless", JPEG2000Lossless, encode_frame=_jpeg_2000(0)),
    PictureEncoding("j2k-lossy", JPEG2000, encode_frame=_jpeg_2000(60), is_lossless=False),
    PictureEncoding("htj2k-lossless", HTJ2KLossless, encode_frame=_htj2k_lossless, bits_stored=16),
    PictureEncoding("htj2k-lossless-rpcl", HTJ2KLosslessRPCL, encode_frame=_htj2k_lossless, bits_stored=16),
    PictureEncoding("htj2k-lossy", HTJ2K, encode_frame=_htj2k_lossy, is_lossless=False, bits_stored=16),
    PictureEncoding("jpeg-xl-lossless", JPEG_XL_LOSSLESS, encode_frame=_jpeg_xl(None)),
    PictureEncoding("jpeg-xl-lossy", JPEG_XL, encode_frame=_jpeg_xl(0.5), is_lossless=False),
    PictureEncoding("deflated-frame", DEFLATED_IMAGE_FRAME, encode_frame=_deflate),
    PictureEncoding("grey-8-explicit-le", ExplicitVRLittleEndian, Sample.GREY_8),
    PictureEncoding("grey-8-jpeg-baseline", JPEGBaseline8Bit, Sample.GREY_8, _jpeg_baseline, is_lossless=False),
    PictureEncoding("palette-explicit-le", ExplicitVRLittleEndian, Sample.GREY_8, None, "PALETTE COLOR"),
    PictureEncoding("rgb-explicit-le", ExplicitVRLittleEndian, Sample.RGB, None, "RGB"),
    PictureEncoding("rgb-planar-explicit-le", ExplicitVRLittleEndian, Sample.RGB, None, "RGB", is_planar=True),
    PictureEncoding("rgb-rle", RLELossless, Sample.RGB, None, "RGB"),
    PictureEncoding(
        "ybr-422-jpeg-baseline", JPEGBaseline8Bit, Sample.RGB, _jpeg_baseline, "YBR_FULL_422", is_lossless=False
    ),
    PictureEncoding("ybr-rct-j2k-lossless", JPEG2000Lossless, Sample.RGB, _jpeg_2000(0, bits=8), "YBR_RCT"),
)
"""Every encoding, native ones first."""
