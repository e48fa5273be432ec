"""What a data set says of its rendering is found where it stands: top level, lookup tables, functional groups."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from isocenter.dicom._lookup_table import expand_segments
from isocenter.dicom.rendering import RENDERING_TAGS, RenderingAttributes, Window, rendering_attributes
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import InvalidDataset
from tests.support.shared_data import shared_data


def make_dataset(**changes: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = generate_uid()
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 2, 2, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = bytes(8)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def encode(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def read(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian, *, frame: int = 1) -> RenderingAttributes:
    data = encode(dataset, transfer_syntax_uid)
    return rendering_attributes(data, scan_instance(data, wanted=RENDERING_TAGS), frame_number=frame)


def lookup_item(entries: list[int], *, first_value: int = 0, bits: int = 16) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(entries), first_value, bits])
    item.add_new(0x00283006, "US", entries)
    return item


def frame_group(**values: float) -> Dataset:
    voi, transformation, group = Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = values["center"], values["width"]
    transformation.RescaleSlope, transformation.RescaleIntercept = values["slope"], -10
    transformation.RescaleType = "US"
    group.FrameVOILUTSequence = Sequence([voi])
    group.PixelValueTransformationSequence = Sequence([transformation])
    return group


def test_a_plain_image_gives_rescale_first_window_and_padding() -> None:
    found = read(
        make_dataset(
            RescaleSlope=2,
            RescaleIntercept=-1024,
            WindowCenter=[40, 300],
            WindowWidth=[400, 1500],
            PixelPaddingValue=63,
        )
    )
    assert (found.slope, found.intercept, found.padding_value) == (2.0, -1024.0, 63)
    assert found.window == Window(40.0, 400.0, "LINEAR")


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_function_of_a_window_is_kept(function: str) -> None:
    found = read(make_dataset(WindowCenter=40, WindowWidth=400, VOILUTFunction=function))
    assert found.window == Window(40.0, 400.0, function)


@pytest.mark.parametrize(("center", "width"), [(40, 0), (40, -3), (40, 0.5)])
def test_a_window_that_makes_no_sense_is_passed_over(center: float, width: float) -> None:
    assert read(make_dataset(WindowCenter=center, WindowWidth=width)).window is None


def test_each_frame_has_its_own_functional_groups() -> None:
    dataset = make_dataset(NumberOfFrames=2, PixelData=bytes(16))
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [frame_group(center=10, width=20, slope=1), frame_group(center=30, width=40, slope=3)]
    )
    second = read(dataset, frame=2)
    assert (second.slope, second.intercept) == (3.0, -10.0)
    assert second.window == Window(30.0, 40.0)
    assert read(dataset, frame=1).window == Window(10.0, 20.0)


def test_shared_functional_groups_serve_frames_without_their_own() -> None:
    dataset = make_dataset(NumberOfFrames=2, PixelData=bytes(16))
    dataset.SharedFunctionalGroupsSequence = Sequence([frame_group(center=50, width=60, slope=4)])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), Dataset()])
    assert read(dataset, frame=2).window == Window(50.0, 60.0)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_lookup_tables_are_read_in_every_encoding(syntax: str) -> None:
    dataset = make_dataset()
    dataset.ModalityLUTSequence = Sequence([lookup_item([5, 6, 700], first_value=2)])
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    dataset.VOILUTSequence = Sequence([lookup_item([0, 65535])])
    found = read(dataset, syntax)
    assert found.modality_table is not None
    assert found.voi_table is not None
    assert found.modality_table.first_value == 2
    np.testing.assert_array_equal(found.modality_table.array(), [5, 6, 700])
    np.testing.assert_array_equal(found.voi_table.array(), [0, 65535])


def test_a_first_value_below_zero_is_read_with_its_sign() -> None:
    data = (shared_data() / "sop-classes/lut-overlay/mlut_18.dcm").read_bytes()
    found = rendering_attributes(data, scan_instance(data, wanted=RENDERING_TAGS))
    sequence = dcmread(BytesIO(data)).ModalityLUTSequence[0]
    assert found.modality_table is not None
    assert found.modality_table.first_value == sequence.LUTDescriptor[1]


def test_values_outside_of_a_table_have_its_first_and_last_entry() -> None:
    dataset = make_dataset()
    dataset.VOILUTSequence = Sequence([lookup_item([10, 20, 30], first_value=100)])
    table = read(dataset).voi_table
    assert table is not None
    np.testing.assert_array_equal(table.look_up(np.array([0, 100, 101, 102, 900])), [10, 10, 20, 30, 30])


def test_a_segmented_palette_is_expanded() -> None:
    """PS3.3 C.7.9.2: two discrete entries, a line of four, and the two discrete ones again."""
    words = [0, 2, 10, 20, 1, 4, 60, 2, 1, 0, 0]
    data = b"".join(word.to_bytes(2, "little") for word in words)
    expanded = np.frombuffer(expand_segments(data, bits=16, count=256, is_little_endian=True), "<u2")
    np.testing.assert_array_equal(expanded, [10, 20, 30, 40, 50, 60, 10, 20])


@pytest.mark.parametrize("words", [[1, 4, 60], [9, 9, 9], [2, 1, 0, 0], [0, 1, 5, 2, 1, 6, 0, 2, 1, 0, 0]])
def test_a_segmented_palette_that_makes_no_sense_is_refused(words: list[int]) -> None:
    data = b"".join(word.to_bytes(2, "little") for word in words)
    with pytest.raises(InvalidDataset):
        expand_segments(data, bits=16, count=256, is_little_endian=True)
