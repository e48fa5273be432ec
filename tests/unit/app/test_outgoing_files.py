"""Files on their way out by C-STORE: what they hold, and their data set as it is or in another syntax."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest

from isocenter.app.outgoing_files import PIECE_BYTES, begin, iter_converted, iter_dataset, look_into
from isocenter.app.part10_files import FoundFile, iter_files
from isocenter.archive.decoding import InProcessFrameDecoder
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import InvalidDataset
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.shared_data import shared_data
from tests.support.small_instances import make_instance


def _file(path: Path, content: bytes) -> FoundFile:
    path.write_bytes(content)
    [found] = iter_files([path])
    return found


def test_a_file_tells_its_class_syntax_and_instance(tmp_path: Path) -> None:
    instance = make_instance(identify(1))
    outgoing = look_into(_file(tmp_path / "a.dcm", instance.content))
    assert outgoing.kind.sop_class_uid == CT_IMAGE_STORAGE
    assert outgoing.kind.transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN
    assert outgoing.sop_instance_uid == instance.identifier.sop_instance_uid


@pytest.mark.parametrize("content", [b"x" * 200, bytes(128) + b"DICM"], ids=["no prefix", "nothing behind it"])
def test_what_is_no_instance_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidDataset):
        look_into(_file(tmp_path / "a.dcm", content))


@pytest.mark.parametrize("size_bytes", [4096, PIECE_BYTES * 2 + 1000], ids=["in one piece", "in several"])
def test_a_data_set_goes_out_as_it_is(tmp_path: Path, size_bytes: int) -> None:
    content = make_instance(identify(1), size_bytes=size_bytes).content
    outgoing = look_into(_file(tmp_path / "a.dcm", content))
    dataset = begin(iter_dataset(outgoing))
    assert isinstance(dataset, list) is (size_bytes < PIECE_BYTES)
    assert b"".join(map(bytes, dataset)) == content[read_encoding(content)[1] :]


def test_a_compressed_file_is_converted_with_its_samples_unchanged() -> None:
    path = shared_data() / "transfer-syntax" / "mr-small" / "MR_small_jp2klossless.dcm"
    [file] = iter_files([path])
    pieces = iter_converted(look_into(file), IMPLICIT_VR_LITTLE_ENDIAN, InProcessFrameDecoder())
    content = b"".join(map(bytes, pieces))
    read = pydicom.filereader.read_dataset(io.BytesIO(content), is_implicit_VR=True, is_little_endian=True)
    assert read.PixelData == pydicom.dcmread(path).pixel_array.tobytes()
