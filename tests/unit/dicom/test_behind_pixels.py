from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from isocenter.dicom.amend import open_dataset
from isocenter.dicom.behind_pixels import look_behind_pixels
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_files import BIG_ENDIAN, EXPLICIT, IMPLICIT, JPEG_BASELINE, element, file_of, write_file

PADDING = 0xFFFCFFFC


def _dataset(*, is_compressed: bool = False, has_more: bool = True) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.BitsAllocated = "1.2", "1.2.3", 8
    dataset.PixelData = encapsulate([b"\xff\xd8frame!", b"\xff\xd8other!"]) if is_compressed else bytes(64)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = is_compressed
    if has_more:
        dataset.private_block(0x7FE1, "ACME", create=True).add_new(1, "LO", "secret")
        dataset.add_new(PADDING, "OB", bytes(6))
    return dataset


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, BIG_ENDIAN, JPEG_BASELINE])
def test_elements_behind_the_pixels_are_seen(transfer_syntax_uid: str) -> None:
    content = write_file(_dataset(is_compressed=transfer_syntax_uid == JPEG_BASELINE), transfer_syntax_uid)
    behind = look_behind_pixels(open_dataset(content)[1])
    assert [one[0] for one in behind.elements] == [0x7FE10010, 0x7FE11001, PADDING]
    alone = _dataset(is_compressed=transfer_syntax_uid == JPEG_BASELINE, has_more=False)
    assert content[: behind.start] == write_file(alone, transfer_syntax_uid)


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, JPEG_BASELINE])
def test_where_nothing_stands_there_it_ends_with_the_file(transfer_syntax_uid: str) -> None:
    content = write_file(
        _dataset(is_compressed=transfer_syntax_uid == JPEG_BASELINE, has_more=False), transfer_syntax_uid
    )
    behind = look_behind_pixels(open_dataset(content)[1])
    assert (behind.start, behind.elements) == (len(content), [])


def test_without_pixels_there_is_nothing_behind_them() -> None:
    content = write_file(Dataset(), EXPLICIT)
    assert look_behind_pixels(open_dataset(content)[1]).elements == []


@pytest.mark.parametrize("fragments", [b"", bytes.fromhex("feff00e0ff000000"), b"\0" * 16])
def test_fragments_without_an_end_are_told(fragments: bytes) -> None:
    pixels = element(0x7FE00010, "OB", b"")[:-4] + b"\xff" * 4 + fragments
    content = file_of(element(0x00080018, "UI", b"1.2.3\0") + pixels, JPEG_BASELINE)
    with pytest.raises(InvalidDataset, match="no end"):
        look_behind_pixels(open_dataset(content)[1])
