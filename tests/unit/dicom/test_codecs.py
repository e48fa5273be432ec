"""Frames of every transfer syntax decode to the samples that other people's decoders give."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest

from isocenter.dicom.codecs import (
    DECODED_SYNTAXES,
    can_decode,
    decode_frame,
    decoded_photometric_interpretation,
    needs_codec,
)
from isocenter.dicom.pixels import PIXEL_DATA, PixelDescription, frame_bit_offset
from isocenter.domain.errors import InvalidDataset, LimitExceeded, NotAcceptable
from tests.support.hostile_frames import ENCODERS, GREY
from tests.support.hostile_frames import describe as describe_hostile
from tests.support.peers import require
from tests.support.pydicom_pixels import decode_all, expected_pixels, has_pixels, read_dataset
from tests.support.shared_data import REPOSITORY, ManifestRow, manifest_params, path_of, shared_data

Pixels = npt.NDArray[Any]

DAMAGED = "JPEG2000-embedded-sequence-delimiter"
"""The bytes of a delimiter stand where the codestream has its size."""
EXTENDED = {f"1.2.840.10008.1.2.4.{ending}" for ending in (51, 53, 55)}


NOT_READ_BY_PYDICOM = {*EXTENDED, "1.2.840.10008.1.2.8.1"}
"""Their twins are compared below, and those of 12 bits with DCMTK."""


def _is_image(row: ManifestRow) -> bool:
    return row.folder in ("transfer-syntax", "sop-classes") and bool(row.rows) and DAMAGED not in row.path


def _is_read_by_pydicom(row: ManifestRow) -> bool:
    is_packed_run_length = row.path.startswith("sop-classes/seg/") and row.path.endswith("rle.dcm")
    return _is_image(row) and row.transfer_syntax_uid not in NOT_READ_BY_PYDICOM and not is_packed_run_length


def describe(pixels: Pixels, transfer_syntax: str, **changes: Any) -> PixelDescription:
    bits = 8 * pixels.dtype.itemsize
    values: dict[str, Any] = {
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "samples_per_pixel": 1 if pixels.ndim == 2 else pixels.shape[2],
        "photometric_interpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "planar_configuration": 0,
        "bits_allocated": bits,
        "bits_stored": bits,
        "high_bit": bits - 1,
        "pixel_representation": int(pixels.dtype.kind == "i"),
        "number_of_frames": 1,
        "transfer_syntax_uid": f"1.2.840.10008.1.2.{transfer_syntax}",
        "pixel_tag": PIXEL_DATA,
        **changes,
    }
    if "bits_stored" in changes and "high_bit" not in changes:
        values["high_bit"] = values["bits_stored"] - 1
    return PixelDescription(**values)


@pytest.fixture
def grey() -> Pixels:
    y, x = np.mgrid[0:48, 0:64]
    values: Pixels = 1000 + 900 * np.sin(x / 9) * np.cos(y / 7) + (x * y) % 13
    return values.astype(np.uint16)


@pytest.fixture
def colours() -> Pixels:
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 3, y * 4, (x + y) * 2], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("row", manifest_params(_is_read_by_pydicom))
def test_every_shared_image_decodes_to_what_pydicom_decodes(row: ManifestRow) -> None:
    dataset = read_dataset(path_of(row))
    if not has_pixels(dataset):
        pytest.skip("rows and columns without pixels")
    decoded = decode_all(dataset)
    expected = expected_pixels(dataset)
    assert expected is not None, "pydicom decodes this with pyjpegls, pylibjpeg-openjpeg and python-gdcm"
    assert decoded.dtype == expected.dtype
    np.testing.assert_array_equal(decoded, expected)


CT = "transfer-syntax/ctimage/CTImage.dcm"
# The last number is the largest difference: nothing for lossless encodings, the loss of the encoder for the others
# (8 of 4,400 values of the CT; JPEG-LS was given 2).
TWINS = [
    (f"{CT}_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm", f"{CT}", 0),
    (f"{CT}_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm", f"{CT}", 0),
    (f"{CT}_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm", f"{CT}", 0),
    (f"{CT}_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm", f"{CT}", 8),
    (f"{CT}_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm", f"{CT}", 0),
    (f"{CT}_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm", f"{CT}", 2),
    (f"{CT}_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm", f"{CT}", 0),
    (f"{CT}_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm", f"{CT}", 0),
    (f"{CT}_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm", f"{CT}", 0),
    *(
        (f"transfer-syntax/emri-small/emri_small_{name}.dcm", "transfer-syntax/emri-small/emri_small.dcm", 0)
        for name in ("RLE", "big_endian", "jpeg_2k_lossless", "jpeg_ls_lossless")
    ),
    *(
        (f"transfer-syntax/mr-small/MR_small_{name}.dcm", "transfer-syntax/mr-small/MR_small.dcm", 0)
        for name in ("RLE", "bigendian", "implicit", "jp2klossless", "jpeg_ls_lossless")
    ),
    ("sop-classes/seg/liver_rle.dcm", "sop-classes/seg/liver.dcm", 0),
    ("sop-classes/seg/liver_deflate.dcm", "sop-classes/seg/liver.dcm", 0),
    *(
        (f"sop-classes/seg/liver_nonbyte_aligned_{name}.dcm", "sop-classes/seg/liver_nonbyte_aligned.dcm", 0)
        for name in ("rle", "deflate", "j2k")
    ),
    ("sop-classes/rt/rtdose_rle.dcm", "sop-classes/rt/rtdose.dcm", 0),
    ("sop-classes/rt/rtdose_expb.dcm", "sop-classes/rt/rtdose.dcm", 0),
    ("transfer-syntax/sc-rgb/SC_rgb_jpeg_gdcm.dcm", "transfer-syntax/sc-rgb/SC_rgb_rle.dcm", 0),
    ("transfer-syntax/other/color-pl.dcm", "transfer-syntax/other/color-px.dcm", 0),
    (
        f"{CT}_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm",
        f"{CT}_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
        8,
    ),
    (
        f"{CT}_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm",
        f"{CT}_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
        8,
    ),
]


@pytest.mark.parametrize(
    ("encoded", "uncompressed", "tolerance"), TWINS, ids=[Path(twin[0]).stem.rsplit("_1.2.8")[0] for twin in TWINS]
)
def test_encodings_of_one_image_decode_to_the_same_samples(encoded: str, uncompressed: str, tolerance: int) -> None:
    ours = decode_all(read_dataset(shared_data() / encoded))
    twin = decode_all(read_dataset(shared_data() / uncompressed))
    assert ours.shape == twin.shape
    assert int(np.abs(ours.astype(np.int64) - twin).max()) <= tolerance


def _signed_codestream_of(pixels: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True, bitspersample=bits))


@pytest.mark.parametrize("transfer_syntax", ["4.201", "4.202", "4.203"])
def test_high_throughput_jpeg_2000_decodes_without_loss(grey: Pixels, transfer_syntax: str) -> None:
    data = imagecodecs.htj2k_encode(grey, reversible=True)
    np.testing.assert_array_equal(decode_frame(data, describe(grey, transfer_syntax)), grey)


@pytest.mark.parametrize("container", [True, False])
def test_jpeg_xl_decodes_without_loss(colours: Pixels, container: bool) -> None:
    data = imagecodecs.jpegxl_encode(colours, lossless=True, usecontainer=container)
    np.testing.assert_array_equal(decode_frame(data, describe(colours, "4.110")), colours)


def test_grey_jpeg_xl_of_16_bits_decodes_without_loss(grey: Pixels) -> None:
    data = imagecodecs.jpegxl_encode(grey, lossless=True)
    np.testing.assert_array_equal(decode_frame(data, describe(grey, "4.110")), grey)


def test_deflated_frames_decode(grey: Pixels) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflater.compress(grey.tobytes()) + deflater.flush()
    np.testing.assert_array_equal(decode_frame(data, describe(grey, "8.1")), grey)


def test_a_sign_that_the_codestream_lacks_is_extended(grey: Pixels) -> None:
    signed = (grey.astype(np.int16) - 1000).astype(np.int16)
    unsigned = (signed & 0x0FFF).astype(np.uint16)
    data = _signed_codestream_of(unsigned, 12)
    np.testing.assert_array_equal(decode_frame(data, describe(signed, "4.90", bits_stored=12)), signed)


def test_a_sign_that_the_data_set_lacks_is_dropped(grey: Pixels) -> None:
    signed = (grey.astype(np.int16) - 1000).astype(np.int16)
    data = _signed_codestream_of(signed, 12)
    decoded = decode_frame(data, describe(grey, "4.90", bits_stored=12))
    np.testing.assert_array_equal(decoded, (signed & 0x0FFF).astype(np.uint16))


def test_bits_above_the_stored_ones_are_dropped() -> None:
    """PS3.5 8.1.1: they may hold anything, overlays for instance."""
    words = np.array([[0xF123, 0x8FFF]], dtype=np.uint16)
    decoded = decode_frame(words.tobytes(), describe(words, "1", bits_stored=12))
    np.testing.assert_array_equal(decoded, [[0x123, 0xFFF]])


def test_stored_bits_that_do_not_begin_at_the_lowest_are_moved_down() -> None:
    words = np.array([[0x7FF0, -16]], dtype=np.int16)
    decoded = decode_frame(words.tobytes(), describe(words, "1", bits_stored=12, high_bit=15))
    np.testing.assert_array_equal(decoded, [[0x7FF, -1]])


def test_planes_are_interleaved(colours: Pixels) -> None:
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1)).tobytes()
    np.testing.assert_array_equal(decode_frame(planes, describe(colours, "1", planar_configuration=1)), colours)


def test_big_endian_bytes_written_as_words_come_in_order() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    swapped = pixels.view(">u2").astype("<u2").tobytes()
    np.testing.assert_array_equal(decode_frame(swapped, describe(pixels, "2", pixel_vr="OW")), pixels)
    np.testing.assert_array_equal(decode_frame(pixels.tobytes(), describe(pixels, "2", pixel_vr="OB")), pixels)


def test_frames_of_one_bit_begin_where_the_one_before_ended() -> None:
    bits = np.random.default_rng(3).integers(0, 2, (4, 5, 3), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    description = describe(bits[0], "1", bits_allocated=1, bits_stored=1, number_of_frames=4)
    for number in range(1, 5):
        start = (number - 1) * 15 // 8
        offset = frame_bit_offset(description, number)
        np.testing.assert_array_equal(decode_frame(packed[start:], description, bit_offset=offset), bits[number - 1])


@pytest.mark.parametrize(
    ("adobe_transform", "stated"), [(1, "RGB"), (0, "YBR_FULL")], ids=["transformed", "not-transformed"]
)
def test_a_jpeg_that_names_its_colours_otherwise_than_the_data_set_is_converted(
    colours: Pixels, adobe_transform: int, stated: str
) -> None:
    kept = "YCBCR" if adobe_transform else "RGB"
    data = imagecodecs.jpeg8_encode(colours, 100, colorspace="RGB", outcolorspace=kept, subsampling="444")
    if adobe_transform:  # libjpeg marks YCbCr as JFIF; the mark in question is Adobe's
        segment = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01"
        data = data[:2] + segment + data[2:]
    decoded = decode_frame(data, describe(colours, "4.50", photometric_interpretation=stated))
    expected = (
        colours
        if stated == "RGB"
        else imagecodecs.jpeg8_decode(
            imagecodecs.jpeg8_encode(colours, 100, subsampling="444"), colorspace="YCBCR", outcolorspace="YCBCR"
        )
    )
    assert np.abs(decoded.astype(int) - expected).max() <= 4


@pytest.mark.parametrize(
    ("transfer_syntax", "stated", "decoded"),
    [
        ("4.90", "YBR_RCT", "RGB"),
        ("4.91", "YBR_ICT", "RGB"),
        ("4.50", "YBR_FULL_422", "YBR_FULL"),
        ("4.110", "YBR_FULL", "RGB"),
        ("4.50", "RGB", "RGB"),
    ],
)
def test_what_decoded_colours_stand_for(colours: Pixels, transfer_syntax: str, stated: str, decoded: str) -> None:
    description = describe(colours, transfer_syntax, photometric_interpretation=stated)
    assert decoded_photometric_interpretation(description) == decoded


def test_a_transfer_syntax_that_is_not_decoded_is_refused(grey: Pixels) -> None:
    assert not can_decode("1.2.840.10008.1.2.4.100")
    with pytest.raises(NotAcceptable):
        decode_frame(grey.tobytes(), describe(grey, "4.100"))


def test_a_codestream_of_another_size_is_refused_before_it_is_decoded(grey: Pixels) -> None:
    data = imagecodecs.jpegls_encode(grey)
    with pytest.raises(InvalidDataset):
        decode_frame(data, describe(grey[:-1], "4.80"))


def test_a_frame_with_many_more_bytes_than_it_can_need_is_refused() -> None:
    pixel = np.zeros((1, 1), dtype=np.uint8)
    with pytest.raises(LimitExceeded):
        decode_frame(bytes(2 << 20), describe(pixel, "5"))


@pytest.mark.parametrize("transfer_syntax", sorted(uid.removeprefix("1.2.840.10008.1.2.") for uid in DECODED_SYNTAXES))
def test_no_bytes_at_all_are_refused_in_every_syntax(transfer_syntax: str) -> None:
    pixels = np.zeros((8, 8), dtype=np.uint16)
    uid = f"1.2.840.10008.1.2.{transfer_syntax}" if not transfer_syntax.startswith("1.2.8") else transfer_syntax
    description = describe(pixels, "1", transfer_syntax_uid=uid)
    with pytest.raises(InvalidDataset):
        decode_frame(b"", description)


def test_only_image_codecs_are_not_trusted_with_hostile_frames() -> None:
    trusted = {uid.removeprefix("1.2.840.10008.1.2") for uid in DECODED_SYNTAXES if not needs_codec(uid)}
    assert trusted == {"", ".1", ".1.99", ".2", ".5", ".8.1"}


@pytest.mark.parametrize("codec", sorted(set(ENCODERS) - {"jpeg-ls"}))  # CharLS may take half a minute for one
def test_damaged_frames_give_a_value_or_a_domain_error_and_leave_the_process_alive(codec: str) -> None:
    count = 400
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_frames", codec, str(count), "11"],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=REPOSITORY,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    decoded, refused = map(int, ended.stdout.split())
    assert decoded + refused == count
    assert refused > count // 10


@pytest.mark.parametrize("codec", sorted(set(ENCODERS) - {"deflated", "rle"}))
def test_a_codestream_that_is_cut_off_is_never_shown_as_an_image(codec: str) -> None:
    suffix, encode = ENCODERS[codec]
    data = encode(GREY)
    for length in range(0, len(data) - 8, len(data) // 40):
        with pytest.raises(InvalidDataset):
            decode_frame(data[:length], describe_hostile(GREY, suffix))


def test_a_header_that_promises_a_vast_image_is_refused_without_decoding(grey: Pixels) -> None:
    data = bytearray(imagecodecs.jpegls_encode(grey))
    at = data.index(b"\xff\xf7")
    data[at + 5 : at + 9] = b"\xea\x60\xea\x60"
    with pytest.raises(InvalidDataset):
        decode_frame(bytes(data), describe(grey, "4.80"))


@pytest.mark.interop
@pytest.mark.parametrize(
    "row",
    manifest_params(
        lambda row: row.folder == "transfer-syntax" and row.transfer_syntax_uid in EXTENDED and bool(row.rows)
    ),
)
def test_jpeg_of_12_bits_decodes_to_what_dcmtk_decodes(row: ManifestRow, tmp_path: Path) -> None:
    program = require("dcmdjpeg")
    target = tmp_path / "native.dcm"
    subprocess.run([program, str(path_of(row)), str(target)], check=True, capture_output=True)
    np.testing.assert_array_equal(decode_all(read_dataset(path_of(row))), read_dataset(target).pixel_array)
