from __future__ import annotations

import pytest

from isocenter.dicom.dataset import Attribute
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.codec.performed_step import decode_attributes, encode_attributes
from isocenter.domain.errors import InvalidDataset

ATTRIBUTES = {0x00400252: Attribute("CS", b"IN PROGRESS "), 0x00400340: Attribute("SQ")}


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_attributes_are_read_as_they_were_written(transfer_syntax_uid: str) -> None:
    encoding = encoding_of(transfer_syntax_uid)
    assert decode_attributes(b"".join(encode_attributes(ATTRIBUTES, encoding)), encoding) == ATTRIBUTES


@pytest.mark.parametrize("attribute_list", [None, b""])
def test_a_message_without_a_data_set_has_no_attributes(attribute_list: bytes | None) -> None:
    assert decode_attributes(attribute_list, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)) == {}


def test_bytes_that_are_no_data_set_are_refused() -> None:
    with pytest.raises(InvalidDataset):
        decode_attributes(b"\x40\x00\x52\x02CS\xff\x00IN", encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
