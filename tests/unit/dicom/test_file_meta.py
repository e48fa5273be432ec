from __future__ import annotations

import io

import pydicom
import pytest

from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, write_file_head
from isocenter.dicom.part10 import read_encoding


@pytest.mark.parametrize("ae_title", ["", "ODD", "EVEN", "A TITLE OF SIXTEE"[:16]])
@pytest.mark.parametrize("sop_instance_uid", ["1.2.3", "1.2.34"])
def test_pydicom_reads_the_head_as_it_was_meant(ae_title: str, sop_instance_uid: str) -> None:
    head = write_file_head(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        source_ae_title=ae_title,
    )
    meta = pydicom.dcmread(io.BytesIO(head)).file_meta
    assert meta.FileMetaInformationGroupLength == len(head) - 144
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert sop_instance_uid == meta.MediaStorageSOPInstanceUID
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.get("SourceApplicationEntityTitle", "") == ae_title
    assert head[:128] == bytes(128)


def test_our_own_reader_finds_the_data_set_behind_it() -> None:
    head = write_file_head(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid="1.2.840.10008.1.2")
    encoding, offset = read_encoding(head)
    assert (encoding.transfer_syntax_uid, offset) == ("1.2.840.10008.1.2", len(head))
