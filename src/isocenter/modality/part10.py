"""Data sets as Part 10 files, written as the habits of a device ask for."""

from __future__ import annotations

from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from isocenter.modality.device_output import IMPLICIT_VR_LITTLE_ENDIAN, PerformedStep, PrivateBlock, RequestedStep
from isocenter.modality.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.modality.plans import StudyPlan

MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
_CHARACTER_SET = b"\x08\x00\x05\x00"
_PREAMBLE_AND_PREFIX = 132
_META_LENGTH_AT = 140
"""Where the length of the file meta information stands, which is its first element (PS3.10 7.1)."""


def encode_instance(dataset: Dataset, plan: StudyPlan) -> bytes:
    """Return the Part 10 file of an instance of a study, with all that the plan says of orders and of writing."""
    put_steps(dataset, plan)
    for block in plan.writing.private_blocks:
        _put_private_block(dataset, block)
    for keyword, value in plan.extra.items():
        setattr(dataset, keyword, value)
    part10 = encode_part10(dataset, plan.writing.transfer_syntax_uid)
    if plan.writing.declared_character_set is None:
        return part10
    is_implicit = plan.writing.transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
    return declare_character_set(part10, plan.writing.declared_character_set, is_implicit=is_implicit)


def put_steps(dataset: Dataset, plan: StudyPlan) -> None:
    """Add what the work list asked for and what was performed."""
    if plan.requested:
        items = [_request_item(step, plan) for step in plan.requested]
        dataset.RequestAttributesSequence = Sequence(items)
    if plan.performed is not None:
        _put_performed(dataset, plan.performed)


def _request_item(step: RequestedStep, plan: StudyPlan) -> Dataset:
    item = Dataset()
    item.AccessionNumber = plan.accession_number
    if plan.study_instance_uid is not None:
        item.StudyInstanceUID = plan.study_instance_uid
    item.RequestedProcedureID = step.requested_procedure_id
    item.ScheduledProcedureStepID = step.scheduled_procedure_step_id
    if step.requested_procedure_description:
        item.RequestedProcedureDescription = step.requested_procedure_description
    if step.scheduled_procedure_step_description:
        item.ScheduledProcedureStepDescription = step.scheduled_procedure_step_description
    return item


def _put_performed(dataset: Dataset, step: PerformedStep) -> None:
    dataset.PerformedProcedureStepID = step.performed_procedure_step_id
    dataset.PerformedProcedureStepStartDate = f"{step.started_at:%Y%m%d}"
    dataset.PerformedProcedureStepStartTime = f"{step.started_at:%H%M%S}"
    if step.description:
        dataset.PerformedProcedureStepDescription = step.description
    if step.sop_instance_uid is not None:
        item = Dataset()
        item.ReferencedSOPClassUID = MODALITY_PERFORMED_PROCEDURE_STEP
        item.ReferencedSOPInstanceUID = step.sop_instance_uid
        dataset.ReferencedPerformedProcedureStepSequence = Sequence([item])


def _put_private_block(dataset: Dataset, block: PrivateBlock) -> None:
    reserved = dataset.private_block(block.group, block.creator, create=True)
    for element in block.elements:
        reserved.add_new(element.offset, element.vr, element.value)


def encode_part10(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Return the bytes of a Part 10 file; pixel data must already be in the encoding asked for."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = meta
    if meta.TransferSyntaxUID.type != "Transfer Syntax":
        return _encode_unlisted(dataset, meta)
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _encode_unlisted(dataset: Dataset, meta: FileMetaDataset) -> bytes:
    """Encode in a transfer syntax that pydicom's dictionary lacks; all younger ones are explicit little endian."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    out.write(bytes(128) + b"DICM")
    write_file_meta_info(out, meta)
    write_dataset(out, dataset)
    return out.getvalue()


def declare_character_set(part10: bytes, character_set: tuple[str, ...], *, is_implicit: bool) -> bytes:
    """Return a file that says of its texts that they are in a character set, whatever they are in.

    Texts stay the bytes that they are; only the element that speaks of them changes, which comes first.
    """
    meta_length = int.from_bytes(part10[_META_LENGTH_AT : _META_LENGTH_AT + 4], "little")
    start = _META_LENGTH_AT + 4 + meta_length
    assert part10[start : start + 4] == _CHARACTER_SET, "the character set is the first element of what is made here"
    width = slice(start + 4, start + 8) if is_implicit else slice(start + 6, start + 8)
    end = start + 8 + int.from_bytes(part10[width], "little")
    value = "\\".join(character_set).encode("ascii")
    value += b" " * (len(value) % 2)
    head = len(value).to_bytes(4, "little") if is_implicit else b"CS" + len(value).to_bytes(2, "little")
    return part10[:start] + _CHARACTER_SET + head + value + part10[end:]
