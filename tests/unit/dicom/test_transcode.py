"""A transcoded instance is the same image and says the same of itself; a viewer gets what it can read."""

from __future__ import annotations

import warnings
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import DataElement, Dataset, dcmread

from isocenter.dicom.codecs import decode_frame
from isocenter.dicom.frames import FrameTable, build_frame_table
from isocenter.dicom.pixels import PIXEL_TAGS, PixelArray, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicom.transcode import (
    JPEG_2000_LOSSLESS,
    TARGET_SYNTAXES,
    transcode_frame_to_jpeg_2000,
    transcode_frame_to_native,
    transcode_instance,
    viewer_transfer_syntax,
)
from isocenter.domain.errors import InvalidDataset, NotAcceptable
from tests.support.pydicom_pixels import decode_all, expected_pixels, has_pixels, pixel_keyword, read_dataset
from tests.support.shared_data import ManifestRow, manifest_params, path_of, read_bytes, shared_data

REWRITTEN = {0x00280004, 0x00280006, 0x00280102, 0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010}
TRAILING_PADDING = 0xFFFCFFFC
PREFIX = "1.2.840.10008.1.2."


def _is_sound(row: ManifestRow) -> bool:
    return (
        row.folder in ("transfer-syntax", "sop-classes")
        and row.path != "sop-classes/rt/rtstruct.dcm"
        and "embedded-sequence-delimiter" not in row.path
    )


def frame_table(data: bytes) -> FrameTable | None:
    scanned = scan_instance(data, wanted=PIXEL_TAGS)
    count = int(scanned.attributes.get(0x00280008, "1"))
    return build_frame_table(data, scanned, number_of_frames=count)


def transcoded(data: bytes, target: str) -> Dataset:
    pieces = transcode_instance(data, scan_instance(data, wanted=PIXEL_TAGS), frame_table(data), target)
    return dcmread(BytesIO(b"".join(pieces)))


def is_beyond_jpeg_2000(dataset: Dataset) -> bool:
    return bool(pixel_keyword(dataset) != "PixelData" or dataset.BitsStored > 24)


@pytest.mark.parametrize("target", sorted(TARGET_SYNTAXES))
@pytest.mark.parametrize("row", manifest_params(_is_sound))
def test_every_shared_instance_keeps_its_pixels_and_attributes(row: ManifestRow, target: str) -> None:
    source = read_dataset(path_of(row))
    if target == JPEG_2000_LOSSLESS and has_pixels(source) and is_beyond_jpeg_2000(source):
        with pytest.raises(NotAcceptable):
            transcoded(read_bytes(row), target)
        return
    result = transcoded(read_bytes(row), target)
    assert result.file_meta.TransferSyntaxUID == target
    assert result.file_meta.MediaStorageSOPInstanceUID == source.file_meta.MediaStorageSOPInstanceUID
    assert [name for name in unlike(source, result) if target != IMPLICIT_VR_LITTLE_ENDIAN or name not in LUTS] == []
    if has_pixels(source):
        pixels = expected_pixels(result)
        assert pixels is not None
        np.testing.assert_array_equal(pixels, decode_all(source))


LUTS = frozenset(
    {
        "(0028,3000) ModalityLUTSequence",
        "(0028,3010) VOILUTSequence",
        "(0028,3110) SoftcopyVOILUTSequence",
        "(2050,0010) PresentationLUTSequence",
    }
)
"""Data of a lookup table is numbers or words; without a VR a reader decides, and decides otherwise (PS3.5 A.1)."""


def unlike(source: Dataset, result: Dataset) -> list[str]:
    """Return the attributes that are not what they were; those of private groups by their presence alone."""
    names = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for element in source:
            if element.tag in REWRITTEN or element.tag.element == 0 or element.tag == TRAILING_PADDING:
                continue
            if element.tag not in result or not is_alike(element, result[element.tag]):
                names.append(f"{element.tag} {element.keyword}")
        names += [f"{element.tag} is new" for element in result if element.tag not in source]
    return names


def is_alike(element: DataElement, kept: DataElement) -> bool:
    return bool(element.tag.is_private or kept.VR == "UN" or kept.value == element.value)


def test_big_endian_words_are_written_in_little_endian_order() -> None:
    data = (shared_data() / "transfer-syntax/emri-small/emri_small_big_endian.dcm").read_bytes()
    twin = read_dataset(shared_data() / "transfer-syntax/emri-small/emri_small.dcm")
    assert transcoded(data, EXPLICIT_VR_LITTLE_ENDIAN).PixelData == twin.PixelData


def test_colours_of_jpeg_2000_become_rgb_and_go_back() -> None:
    data = (shared_data() / "transfer-syntax/other/examples_jpeg2k.dcm").read_bytes()
    assert transcoded(data, EXPLICIT_VR_LITTLE_ENDIAN).PhotometricInterpretation == "RGB"
    assert transcoded(data, JPEG_2000_LOSSLESS).PhotometricInterpretation == "YBR_RCT"


def test_planes_become_pixels_and_the_data_set_says_so() -> None:
    data = (shared_data() / "transfer-syntax/other/color-pl.dcm").read_bytes()
    assert transcoded(data, JPEG_2000_LOSSLESS).PlanarConfiguration == 0


def test_what_cannot_be_decoded_is_refused_before_the_first_piece() -> None:
    data = (shared_data() / "transfer-syntax/mr-small/MR_small_jp2klossless.dcm").read_bytes()
    at = data.index(b"\xff\x4f\xff\x51")
    damaged = data[: at + 8] + bytes(8) + data[at + 16 :]
    with pytest.raises(InvalidDataset):
        transcode_instance(
            damaged, scan_instance(damaged, wanted=PIXEL_TAGS), frame_table(data), EXPLICIT_VR_LITTLE_ENDIAN
        )


def test_another_target_is_not_acceptable() -> None:
    data = (shared_data() / "transfer-syntax/mr-small/MR_small.dcm").read_bytes()
    with pytest.raises(NotAcceptable):
        transcode_instance(data, scan_instance(data, wanted=PIXEL_TAGS), frame_table(data), PREFIX + "4.50")


def describe(pixels: PixelArray, suffix: str, **changes: int | str) -> PixelDescription:
    bits = 8 * pixels.dtype.itemsize
    values: dict[str, int | str] = {
        "photometric_interpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "planar_configuration": 0,
        **changes,
    }
    return PixelDescription(
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1 if pixels.ndim == 2 else 3,
        photometric_interpretation=str(values["photometric_interpretation"]),
        planar_configuration=int(values["planar_configuration"]),
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=int(values.get("pixel_representation", 0)),
        number_of_frames=1,
        transfer_syntax_uid=PREFIX + suffix,
    )


COLOURS: PixelArray = np.stack(np.meshgrid(np.arange(8), np.arange(6), indexing="ij") * 2, axis=-1)[..., :3].astype(
    np.uint8
)


@pytest.mark.parametrize("stated", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("planar_configuration", [0, 1])
def test_a_native_frame_fits_the_attributes_as_they_are_stated(stated: str, planar_configuration: int) -> None:
    encoded = imagecodecs.jpegls_encode(COLOURS)
    changes: dict[str, int | str] = {
        "photometric_interpretation": stated,
        "planar_configuration": 0 if stated == "YBR_FULL_422" else planar_configuration,
    }
    native = transcode_frame_to_native(encoded, describe(COLOURS, "4.80", **changes))
    decoded = decode_frame(native, describe(COLOURS, "1", **changes))
    expected = COLOURS.copy()
    if stated == "YBR_FULL_422":  # two pixels share the chrominance of the first
        expected[:, 1::2, 1:] = expected[:, 0::2, 1:]
    np.testing.assert_array_equal(decoded, expected)


JPEG_2000_SAMPLES: dict[str, PixelArray] = {
    "grey": np.arange(48, dtype=np.uint16).reshape(6, 8) * 1365,
    "signed": np.arange(-24, 24, dtype=np.int16).reshape(6, 8) * 1365,
    "colours": COLOURS,
}


@pytest.mark.parametrize("samples", JPEG_2000_SAMPLES)
def test_a_frame_becomes_a_jpeg_2000_codestream_of_the_same_samples(samples: str) -> None:
    pixels = JPEG_2000_SAMPLES[samples]
    signed = {"pixel_representation": int(pixels.dtype.kind == "i")}
    codestream = transcode_frame_to_jpeg_2000(pixels.tobytes(), describe(pixels, "1", **signed))
    assert codestream.startswith(b"\xff\x4f\xff\x51")
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(codestream), pixels)
    np.testing.assert_array_equal(decode_frame(codestream, describe(pixels, "4.90", **signed)), pixels)


def test_planes_and_luminance_become_what_the_attributes_state() -> None:
    planes = COLOURS.transpose(2, 0, 1).tobytes()
    description = describe(COLOURS, "1", photometric_interpretation="YBR_FULL", planar_configuration=1)
    codestream = transcode_frame_to_jpeg_2000(planes, description)
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(codestream), COLOURS)


def test_samples_that_jpeg_2000_does_not_hold_are_not_acceptable() -> None:
    pixels = np.zeros((4, 4), np.uint32)
    with pytest.raises(NotAcceptable, match="24 bits"):
        transcode_frame_to_jpeg_2000(pixels.tobytes(), describe(pixels, "1"))


def test_frames_are_decoded_by_who_is_named_for_it() -> None:
    def decode(data: object, description: PixelDescription, *, bit_offset: int = 0) -> PixelArray:
        return np.full(description.shape, 7, description.dtype)

    description = describe(COLOURS, "4.80")
    assert set(transcode_frame_to_native(b"", description, decode=decode)) == {7}
    assert set(imagecodecs.jpeg2k_decode(transcode_frame_to_jpeg_2000(b"", description, decode=decode)).flat) == {7}


def test_a_frame_that_is_native_already_stays_as_it_is() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert transcode_frame_to_native(pixels.tobytes(), describe(pixels, "1")) == pixels.tobytes()


PASSED = ["1", "5", *(f"4.{ending}" for ending in (50, 80, 81, 90, 91, 201, 202, 203))]
CHANGED = ["", "2", "1.99", "8.1", *(f"4.{ending}" for ending in (51, 53, 55, 57, 70, 100, 110, 111, 112))]


@pytest.mark.parametrize("suffix", PASSED)
def test_a_viewer_gets_these_as_stored(suffix: str) -> None:
    assert viewer_transfer_syntax(PREFIX + suffix) == PREFIX + suffix


@pytest.mark.parametrize("suffix", CHANGED)
def test_a_viewer_gets_all_others_uncompressed(suffix: str) -> None:
    assert viewer_transfer_syntax((PREFIX + suffix).rstrip(".")) == EXPLICIT_VR_LITTLE_ENDIAN


@pytest.mark.parametrize("suffix", ["4.57", "4.70"])
@pytest.mark.parametrize("point_transform", [0, 1])
def test_a_viewer_gets_lossless_jpeg_as_stored_only_without_point_transform(suffix: str, point_transform: int) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    frame = bytearray(imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1))
    scan = frame.index(b"\xff\xda")
    frame[scan + 9] = point_transform
    passed = PREFIX + suffix if point_transform == 0 else EXPLICIT_VR_LITTLE_ENDIAN
    assert viewer_transfer_syntax(PREFIX + suffix, bytes(frame)) == passed
