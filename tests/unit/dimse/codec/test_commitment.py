from __future__ import annotations

from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.codec import commitment as codec
from isocenter.dimse.codec.commitment import (
    decode_commitment_report,
    decode_commitment_request,
    encode_commitment_report,
    encode_commitment_request,
    event_type_of,
)
from isocenter.domain.commitment import CommitmentRequest, CommitmentResult, FailureReason, InstanceReference
from isocenter.domain.errors import (
    InvalidAttributeValue,
    InvalidDataset,
    IsocenterError,
    MissingAttribute,
    MissingAttributeValue,
    TooLarge,
)

A, B = InstanceReference("1.1", "2.1"), InstanceReference("1.1", "2.2")
SYNTAXES = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)
IMPLICIT = encoding_of(IMPLICIT_VR_LITTLE_ENDIAN)


def _bytes(dataset: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = True, True
    write_dataset(out, dataset)
    return out.getvalue()


def _reference(reference: InstanceReference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.sop_class_uid, reference.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item


def _information(*references: InstanceReference, uid: str = "1.9") -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = uid
    dataset.ReferencedSOPSequence = [_reference(reference) for reference in references]
    return dataset


def test_a_request_names_each_instance_once() -> None:
    request = decode_commitment_request(_bytes(_information(A, B, A)), IMPLICIT)
    assert request == CommitmentRequest("1.9", (A, B), 3)


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
def test_a_request_is_read_as_it_was_written(transfer_syntax_uid: str) -> None:
    encoding = encoding_of(transfer_syntax_uid)
    request = CommitmentRequest("1.9", (A, B), 2)
    written = encode_commitment_request(request, encoding)
    assert decode_commitment_request(written, encoding) == request
    assert read_dataset(BytesIO(written), encoding.is_implicit_vr, True) == _information(A, B)


def _without(keyword: str) -> Dataset:
    dataset = _information(A)
    delattr(dataset, keyword)
    return dataset


def _with_class(text: str) -> Dataset:
    dataset = _information(A)
    dataset.ReferencedSOPSequence[0].ReferencedSOPClassUID = text
    return dataset


@pytest.mark.parametrize(
    ("dataset", "kind", "tag"),
    [
        (_without("TransactionUID"), MissingAttribute, codec.TRANSACTION_UID),
        (_without("ReferencedSOPSequence"), MissingAttribute, codec.REFERENCED_SOP_SEQUENCE),
        (_information(), MissingAttributeValue, codec.REFERENCED_SOP_SEQUENCE),
        (_information(A, uid=""), MissingAttributeValue, codec.TRANSACTION_UID),
        (_with_class(""), MissingAttributeValue, codec.REFERENCED_SOP_CLASS_UID),
    ],
)
def test_a_request_that_lacks_something_is_refused_by_name(
    dataset: Dataset, kind: type[IsocenterError], tag: int
) -> None:
    with pytest.raises(kind) as caught:
        decode_commitment_request(_bytes(dataset), IMPLICIT)
    assert getattr(caught.value, "tags", ()) == (tag,)


def test_what_is_no_uid_or_no_data_set_is_refused() -> None:
    with pytest.raises(InvalidAttributeValue):
        decode_commitment_request(_bytes(_information(A)).replace(b"2.1\0", b"2.x\0"), IMPLICIT)
    with pytest.raises(InvalidDataset):
        decode_commitment_request(b"\x08\x00\x95\x11\xff\x00\x00\x00", IMPLICIT)


def test_a_request_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "REFERENCES_MAX", 1)
    with pytest.raises(TooLarge):
        decode_commitment_request(_bytes(_information(A, B)), IMPLICIT)


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
@pytest.mark.parametrize(
    ("result", "event_type"),
    [
        (CommitmentResult((A, B)), 1),
        (CommitmentResult((A,), ((B, FailureReason.NO_SUCH_OBJECT_INSTANCE),)), 2),
        (CommitmentResult((), ((A, 0x0131), (B, 0x0131))), 2),
    ],
)
def test_a_report_is_read_as_it_was_written(
    transfer_syntax_uid: str, result: CommitmentResult, event_type: int
) -> None:
    encoding = encoding_of(transfer_syntax_uid)
    written = encode_commitment_report("1.9", result, encoding)
    assert decode_commitment_report(written, encoding) == ("1.9", result)
    assert event_type_of(result) == event_type
    expected = Dataset()
    expected.TransactionUID = "1.9"
    if result.committed:
        expected.ReferencedSOPSequence = [_reference(one) for one in result.committed]
    if result.failed:
        expected.FailedSOPSequence = [_reference(one, int(reason)) for one, reason in result.failed]
    assert read_dataset(BytesIO(written), encoding.is_implicit_vr, True) == expected


def test_a_report_says_where_the_instances_can_be_had() -> None:
    written = encode_commitment_report("1.9", CommitmentResult((A,)), IMPLICIT, retrieve_ae_title="ISOCENTER")
    assert read_dataset(BytesIO(written), True, True).RetrieveAETitle == "ISOCENTER"


def test_a_failure_without_a_reason_is_a_failure() -> None:
    dataset = Dataset()
    dataset.TransactionUID = "1.9"
    dataset.FailedSOPSequence = [_reference(A)]
    assert decode_commitment_report(_bytes(dataset), IMPLICIT)[1].failed == ((A, FailureReason.PROCESSING_FAILURE),)
