"""Modality performed procedure steps: attribute lists (PS3.4 F.7, F.8)."""

from __future__ import annotations

from isocenter.dicom.dataset import Dataset, decode_dataset, encode_dataset
from isocenter.dicom.model import Encoding

MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.4"

MAY_NO_LONGER_BE_UPDATED = 0xA710
"""The error id of an N-SET that comes too late (PS3.4 table F.7.2-2)."""


def decode_attributes(attribute_list: bytes | None, encoding: Encoding) -> Dataset:
    """Return the attributes of an N-CREATE or N-SET, none where the message has no data set. Raises InvalidDataset."""
    return decode_dataset(attribute_list, encoding) if attribute_list else {}


def encode_attributes(attributes: Dataset, encoding: Encoding) -> list[bytes]:
    """Return the attribute list of a response or request."""
    return [encode_dataset(attributes, encoding)]
