"""The synthetic image that a connection test stores where it is asked to, flagged wherever people look."""

from __future__ import annotations

import uuid
from datetime import datetime
from struct import pack

from isocenter.dicom.dataset import Attribute, Dataset, encode_dataset, text_attribute
from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.identifiers import InstanceIdentifier

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SIDE = 16
"""Rows and columns: 256 bytes of pixels."""
FLAG = "CONNECTION-TEST"


def make_test_image(now: datetime) -> tuple[InstanceIdentifier, bytes]:
    """Return an image that nobody can take for one of a patient, and its identifiers, which are new each time."""
    study, series, instance = (f"2.25.{uuid.uuid4().int}" for _ in range(3))
    identifier = InstanceIdentifier(study, series, instance)
    day, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    texts = {
        0x00080008: ("CS", "DERIVED", "SECONDARY"),
        0x00080016: ("UI", SECONDARY_CAPTURE),
        0x00080018: ("UI", instance),
        0x00080020: ("DA", day),
        0x00080030: ("TM", time),
        0x00080060: ("CS", "OT"),
        0x00080064: ("CS", "SYN"),
        0x00081030: ("LO", "Connection test, may be deleted"),
        0x0008103E: ("LO", "Connection test, may be deleted"),
        0x00100010: ("PN", "CONNECTION^TEST"),
        0x00100020: ("LO", FLAG),
        0x0020000D: ("UI", study),
        0x0020000E: ("UI", series),
        0x00200010: ("SH", FLAG),
        0x00200011: ("IS", "1"),
        0x00200013: ("IS", "1"),
        0x00280004: ("CS", "MONOCHROME2"),
    }
    dataset = {tag: text_attribute(vr, *values) for tag, (vr, *values) in texts.items()}
    numbers = {
        0x00280002: 1,
        0x00280010: SIDE,
        0x00280011: SIDE,
        0x00280100: 8,
        0x00280101: 8,
        0x00280102: 7,
        0x00280103: 0,
    }
    dataset |= {tag: Attribute("US", pack("<H", number)) for tag, number in numbers.items()}
    dataset[0x7FE00010] = Attribute("OB", bytes(range(SIDE * SIDE)))
    head = write_file_head(
        sop_class_uid=SECONDARY_CAPTURE, sop_instance_uid=instance, transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN
    )
    ordered: Dataset = dict(sorted(dataset.items()))
    return identifier, head + encode_dataset(ordered, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
