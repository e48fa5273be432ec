from __future__ import annotations

import errno
from pathlib import Path

import pytest

from isocenter.app.senders.converting import IN_MEMORY_MAX_BYTES, Converter, fault_of_conversion, fault_of_reading
from isocenter.archive.decoding import InProcessFrameDecoder
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import CorruptInstance, NotAcceptable, NotFound, Overloaded, StorageFailed, StorageFull
from isocenter.routing.deliveries.report import LocalFault
from tests.support.instances import identify
from tests.support.senders import outgoing_of
from tests.support.small_instances import make_instance


@pytest.mark.parametrize("size_bytes", [4096, IN_MEMORY_MAX_BYTES + 4096])
def test_an_instance_comes_back_as_it_was(tmp_path: Path, size_bytes: int) -> None:
    """Small ones in memory, large ones in a file that has no name."""
    converter = Converter(InProcessFrameDecoder(), tmp_path)
    original = make_instance(identify(), size_bytes=size_bytes, columns=2048)
    implicit = converter.convert(outgoing_of(original.content), IMPLICIT_VR_LITTLE_ENDIAN)
    content = b"".join(implicit.read())
    assert len(content) == implicit.size_bytes
    assert content == b"".join(implicit.read()), "it can be read again"
    assert read_encoding(content)[0].transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
    explicit = converter.convert(outgoing_of(content), EXPLICIT_VR_LITTLE_ENDIAN)
    again = b"".join(explicit.read())
    assert again[read_encoding(again)[1] :] == original.content[read_encoding(original.content)[1] :]
    assert list(tmp_path.iterdir()) == []
    implicit.close()
    explicit.close()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (CorruptInstance(), LocalFault.INSTANCE_CORRUPT),
        (NotFound(), LocalFault.INSTANCE_GONE),
        (StorageFull(), LocalFault.DISK_FULL),
        (OSError(errno.ENOSPC, "no space"), LocalFault.DISK_FULL),
        (OSError(errno.EIO, "broken"), LocalFault.STORAGE_FAILED),
        (StorageFailed(), LocalFault.STORAGE_FAILED),
        (Overloaded(), LocalFault.STORAGE_FAILED),
    ],
    ids=repr,
)
def test_why_an_instance_cannot_be_read_is_told(error: Exception, fault: LocalFault) -> None:
    assert fault_of_reading(error).fault is fault
    assert fault_of_conversion(error).fault is fault


def test_what_cannot_be_converted_is_told_so() -> None:
    assert fault_of_conversion(NotAcceptable()).fault is LocalFault.CANNOT_TRANSCODE
