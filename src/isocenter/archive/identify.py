"""From a scanned instance to its identity: what must be there before bytes are kept (dicom-service 2.5)."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.dicom.minimum_rules import INVALID_UID, element_message
from isocenter.dicom.model import ScannedInstance
from isocenter.domain.attributes import BY_TAG, REQUEST_ITEM_TAGS
from isocenter.domain.errors import InvalidDataset
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, is_uid

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
NUMBER_OF_FRAMES = 0x00280008
TRANSFER_SYNTAX_UID = 0x00020010

INTEGER_STRING_LENGTH_MAX = 12
"""PS3.5 table 6.2-1, IS."""

WANTED_TAGS = frozenset(BY_TAG) | frozenset(REQUEST_ITEM_TAGS)
"""What the scanner is asked for on the way in: the indexed attributes, which include the identifying ones."""


def identify(scanned: ScannedInstance, *, partition_name: str = DEFAULT_PARTITION) -> InstanceIdentifier:
    """Return the identity of an instance.

    Raises InvalidDataset, with a comment for each attribute, where an identifying attribute is missing or no UID.
    """
    required = (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID, SOP_CLASS_UID)
    comments = [comment for tag in required if (comment := _objection(scanned.attributes, tag))]
    if not is_uid(scanned.encoding.transfer_syntax_uid):  # it is written into headers of answers
        comments.append(comment_on(TRANSFER_SYNTAX_UID, element_message("TransferSyntaxUID", "UI", INVALID_UID)))
    if comments:
        raise InvalidDataset("; ".join(comments), comments=tuple(comments))
    return InstanceIdentifier(
        study_instance_uid=scanned.attributes[STUDY_INSTANCE_UID],
        series_instance_uid=scanned.attributes[SERIES_INSTANCE_UID],
        sop_instance_uid=scanned.attributes[SOP_INSTANCE_UID],
        partition_name=partition_name,
    )


def _objection(attributes: Mapping[int, str], tag: int) -> str | None:
    value = attributes.get(tag)
    if not value:
        return comment_on(tag, missing(tag))
    return None if is_uid(value) else comment_on(tag, element_message(BY_TAG[tag].keyword, "UI", INVALID_UID))


def comment_on(tag: int, message: str) -> str:
    """Return a comment on an attribute in the service's form (dicom-service 2.4)."""
    return f"DICOM100: ({tag >> 16:04x},{tag & 0xFFFF:04x}) - {message}"


def missing(tag: int) -> str:
    """Return what is said of a required attribute that is not there or has no value."""
    return f"The required tag '({tag >> 16:04x},{tag & 0xFFFF:04x})' is missing."


def number_of_frames(scanned: ScannedInstance) -> int:
    """Return NumberOfFrames, 1 where it is absent or no positive number."""
    text = scanned.attributes.get(NUMBER_OF_FRAMES, "1").split("\\")[0].strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= INTEGER_STRING_LENGTH_MAX
    return max(1, int(text)) if is_number else 1
