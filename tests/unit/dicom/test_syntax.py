"""The table of transfer syntaxes against pydicom's."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from isocenter.dicom.syntax import BY_UID, TRANSFER_SYNTAXES, TransferSyntax, transfer_syntax

NOT_FOR_STORAGE = ("JPIP", "RFC 2557", "XML Encoding", "SMPTE", "Papyrus")


@pytest.mark.parametrize(
    "syntax", [one for one in TRANSFER_SYNTAXES if one.uid in UID_dictionary], ids=lambda one: one.name
)
def test_row_says_what_pydicom_says(syntax: TransferSyntax) -> None:
    uid = UID(syntax.uid)
    assert syntax.name == uid.name
    assert syntax.is_implicit_vr == uid.is_implicit_VR
    assert syntax.is_little_endian == uid.is_little_endian
    assert syntax.is_deflated == uid.is_deflated
    assert syntax.is_encapsulated == uid.is_encapsulated


def test_every_syntax_that_an_instance_can_be_stored_in_is_listed() -> None:
    known = {
        uid
        for uid, entry in UID_dictionary.items()
        if entry[1] == "Transfer Syntax" and not entry[0].startswith(NOT_FOR_STORAGE)
    }
    assert known <= set(BY_UID)


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        ("", "application/octet-stream"),
        (".1", "application/octet-stream"),
        (".5", "image/dicom-rle"),
        (".4.50", "image/jpeg"),
        (".4.70", "image/jpeg"),
        (".4.80", "image/jls"),
        (".4.90", "image/jp2"),
        (".4.92", "image/jpx"),
        (".4.110", "image/jxl"),
        (".4.202", "image/jphc"),
        (".4.100", "video/mpeg2"),
        (".4.102", "video/mp4"),
    ],
)
def test_frames_have_the_media_type_of_the_standard(suffix: str, media_type: str) -> None:
    assert transfer_syntax("1.2.840.10008.1.2" + suffix).media_type == media_type


def test_unknown_syntax_is_read_as_explicit_little_endian() -> None:
    unknown = transfer_syntax("1.2.3.4")
    assert (unknown.uid, unknown.is_implicit_vr, unknown.is_little_endian) == ("1.2.3.4", False, True)


def test_uids_are_unique() -> None:
    assert len(BY_UID) == len(TRANSFER_SYNTAXES)
