"""Storage commitment: action information, event information (PS3.4 tables J.3-1 and J.3-2)."""

from __future__ import annotations

import struct

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET
from isocenter.dicom.dataset import (
    Attribute,
    Dataset,
    decode_dataset,
    encode_dataset,
    text_attribute,
    text_of,
    texts_of,
)
from isocenter.dicom.model import Encoding
from isocenter.domain.commitment import (
    REFERENCES_MAX,
    CommitmentRequest,
    CommitmentResult,
    FailureReason,
    InstanceReference,
    unique_references,
)
from isocenter.domain.errors import InvalidAttributeValue, MissingAttribute, MissingAttributeValue, TooLarge
from isocenter.domain.identifiers import is_uid

STORAGE_COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The well-known SOP instance that every request names (PS3.4 J.3.5)."""
REQUEST_STORAGE_COMMITMENT = 1
"""The one action type."""
ALL_COMMITTED = 1
FAILURES_EXIST = 2
"""The event types."""

TRANSACTION_UID = 0x00081195
REFERENCED_SOP_SEQUENCE = 0x00081199
FAILED_SOP_SEQUENCE = 0x00081198
REFERENCED_SOP_CLASS_UID = 0x00081150
REFERENCED_SOP_INSTANCE_UID = 0x00081155
FAILURE_REASON = 0x00081197


def decode_commitment_request(information: bytes, encoding: Encoding) -> CommitmentRequest:
    """Return what an N-ACTION asks for.

    Raises InvalidDataset, MissingAttribute, MissingAttributeValue, InvalidAttributeValue, or TooLarge.
    """
    dataset = decode_dataset(information, encoding)
    named = _references(dataset, REFERENCED_SOP_SEQUENCE)
    if REFERENCED_SOP_SEQUENCE not in dataset:
        raise MissingAttribute("ReferencedSOPSequence is missing.", tags=(REFERENCED_SOP_SEQUENCE,))
    if not named:
        raise MissingAttributeValue("ReferencedSOPSequence has no item.", tags=(REFERENCED_SOP_SEQUENCE,))
    return CommitmentRequest(_transaction_uid(dataset), unique_references(named), len(named))


def encode_commitment_request(request: CommitmentRequest, encoding: Encoding) -> bytes:
    """Return the action information of an N-ACTION."""
    dataset = {
        TRANSACTION_UID: text_attribute("UI", request.transaction_uid),
        REFERENCED_SOP_SEQUENCE: _sequence(request.references),
    }
    return encode_dataset(dataset, encoding)


def decode_commitment_report(information: bytes, encoding: Encoding) -> tuple[str, CommitmentResult]:
    """Return transaction UID and result of an N-EVENT-REPORT.

    Raises InvalidDataset, MissingAttribute, MissingAttributeValue, InvalidAttributeValue, or TooLarge.
    """
    dataset = decode_dataset(information, encoding)
    failed = dataset.get(FAILED_SOP_SEQUENCE, Attribute("SQ")).items
    reasons = [_reason(item) for item in failed]
    return _transaction_uid(dataset), CommitmentResult(
        committed=unique_references(_references(dataset, REFERENCED_SOP_SEQUENCE)),
        failed=tuple(zip(_references(dataset, FAILED_SOP_SEQUENCE), reasons, strict=True)),
    )


def encode_commitment_report(
    transaction_uid: str, result: CommitmentResult, encoding: Encoding, *, retrieve_ae_title: str | None = None
) -> bytes:
    """Return the event information of an N-EVENT-REPORT; its event type is `event_type_of` the result."""
    dataset: dict[int, Attribute] = {TRANSACTION_UID: text_attribute("UI", transaction_uid)}
    if result.committed:
        dataset[REFERENCED_SOP_SEQUENCE] = _sequence(result.committed)
        if retrieve_ae_title:
            dataset[0x00080054] = text_attribute("AE", retrieve_ae_title)
    if result.failed:
        items = tuple(
            {**_item(reference), FAILURE_REASON: Attribute("US", struct.pack("<H", reason))}
            for reference, reason in result.failed
        )
        dataset[FAILED_SOP_SEQUENCE] = Attribute("SQ", items=tuple(dict(sorted(item.items())) for item in items))
    return encode_dataset(dict(sorted(dataset.items())), encoding)


def event_type_of(result: CommitmentResult) -> int:
    """Return the event type of a report."""
    return ALL_COMMITTED if result.is_success else FAILURES_EXIST


def _transaction_uid(dataset: Dataset) -> str:
    if TRANSACTION_UID not in dataset:
        raise MissingAttribute("TransactionUID is missing.", tags=(TRANSACTION_UID,))
    return _uid(dataset, TRANSACTION_UID, "TransactionUID")


def _references(dataset: Dataset, tag: int) -> list[InstanceReference]:
    items = dataset.get(tag, Attribute("SQ")).items
    if len(items) > REFERENCES_MAX:
        raise TooLarge(f"A commitment names at most {REFERENCES_MAX} instances.")
    return [
        InstanceReference(
            _uid(item, REFERENCED_SOP_CLASS_UID, "ReferencedSOPClassUID"),
            _uid(item, REFERENCED_SOP_INSTANCE_UID, "ReferencedSOPInstanceUID"),
        )
        for item in items
    ]


def _uid(dataset: Dataset, tag: int, keyword: str) -> str:
    uid = text_of(dataset, tag)
    if not uid:
        raise MissingAttributeValue(f"{keyword} has no value.", tags=(tag,))
    if not is_uid(uid):
        raise InvalidAttributeValue(f"{keyword} is no UID.", tags=(tag,))
    return uid


def _reason(item: Dataset) -> int:
    texts = texts_of(item[FAILURE_REASON], DEFAULT_CHARACTER_SET) if FAILURE_REASON in item else ()
    return int(texts[0]) if texts else FailureReason.PROCESSING_FAILURE


def _sequence(references: tuple[InstanceReference, ...]) -> Attribute:
    return Attribute("SQ", items=tuple(_item(reference) for reference in references))


def _item(reference: InstanceReference) -> dict[int, Attribute]:
    return {
        REFERENCED_SOP_CLASS_UID: text_attribute("UI", reference.sop_class_uid),
        REFERENCED_SOP_INSTANCE_UID: text_attribute("UI", reference.sop_instance_uid),
    }
