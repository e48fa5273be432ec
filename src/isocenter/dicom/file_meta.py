"""The head of a file that this program writes: preamble, prefix, file meta information (PS3.10 7.1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache

from isocenter.dicom.part10 import PREAMBLE_LENGTH

IMPLEMENTATION_CLASS_UID = "2.25.338448557706577278102050964349615821063"
"""Made once from the name of the program; says who wrote a file, and who takes part in an association."""
IMPLEMENTATION_VERSION_NAME = "ISOCENTER"
HEADS_KEPT = 256
"""Kinds of instances that come at the same time: sender, SOP class, transfer syntax."""

_SOP_CLASS_UID, _SOP_INSTANCE_UID, _TRANSFER_SYNTAX_UID = 0x0002, 0x0003, 0x0010
_SOURCE_AE_TITLE = 0x0016


def write_file_head(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str = ""
) -> bytes:
    """Return what stands before a data set that came without it, with the AE title of its sender."""
    before, behind = _around_instance(sop_class_uid, transfer_syntax_uid, source_ae_title)
    instance = _element(_SOP_INSTANCE_UID, b"UI", sop_instance_uid.encode("ascii"))
    length = len(before) + len(instance) + len(behind)
    return _PREFIX + struct.pack("<HH2sHI", 2, 0, b"UL", 4, length) + before + instance + behind


_PREFIX = bytes(PREAMBLE_LENGTH) + b"DICM"


@lru_cache(maxsize=HEADS_KEPT)
def _around_instance(sop_class_uid: str, transfer_syntax_uid: str, source_ae_title: str) -> tuple[bytes, bytes]:
    before = struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\0\1"
    before += _element(_SOP_CLASS_UID, b"UI", sop_class_uid.encode("ascii"))
    behind: Mapping[int, tuple[bytes, str]] = {
        _TRANSFER_SYNTAX_UID: (b"UI", transfer_syntax_uid),
        0x0012: (b"UI", IMPLEMENTATION_CLASS_UID),
        0x0013: (b"SH", IMPLEMENTATION_VERSION_NAME),
        _SOURCE_AE_TITLE: (b"AE", source_ae_title),
    }
    return before, b"".join(
        _element(element, vr, text.encode("ascii")) for element, (vr, text) in behind.items() if text
    )


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value
