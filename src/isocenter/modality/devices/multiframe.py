"""One picture as the frames of a very long multi-frame instance, of which no more than one frame is in memory."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.instance import DeviceInstance, read_instance
from isocenter.modality.identifiers import derive_uid
from isocenter.modality.part10 import encode_part10

FRAME_TIME_MS = "40"
LENGTH_MAX_BYTES = 0xFFFFFFFE
"""The longest value of defined length (PS3.5 7.1.2)."""
_LENGTH_BYTES = 4
_FRAME_TIME = 0x00181063
_KEPT = (
    "SpecificCharacterSet", "InstanceCreationDate", "InstanceCreationTime", "StudyInstanceUID", "SeriesInstanceUID",
    "StudyDate", "SeriesDate", "ContentDate", "StudyTime", "SeriesTime", "ContentTime", "AccessionNumber", "Modality",
    "Manufacturer", "InstitutionName", "ReferringPhysicianName", "StationName", "StudyDescription", "SeriesDescription",
    "ManufacturerModelName", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
    "PatientAge", "DeviceSerialNumber", "SoftwareVersions", "StudyID", "SeriesNumber", "InstanceNumber",
    "RequestAttributesSequence", "ReferencedPerformedProcedureStepSequence", "PerformedProcedureStepID",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "PerformedProcedureStepDescription",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "BurnedInAnnotation",
)  # fmt: skip
"""Modules that a secondary capture has as well."""


def make_multiframe(part10: bytes, frames: int) -> DeviceInstance:
    """Return the first frame of a grey instance, so many times, as a multi-frame secondary capture.

    Raises InvalidRequest where that would be longer than a value may be.
    """
    source = dcmread(BytesIO(part10))
    frame = _first_frame(source)
    if len(frame) * frames > LENGTH_MAX_BYTES:
        most = LENGTH_MAX_BYTES // len(frame)
        raise InvalidRequest(f"Pixel data has less than 4 GiB: at most {most} frames of this size.")
    dataset = Dataset()
    for keyword in _KEPT:
        if keyword in source:
            dataset[keyword] = source[keyword]
    _put_multiframe(dataset, str(source.SOPInstanceUID), frames)
    dataset.PixelData = frame
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    whole = encode_part10(dataset, str(source.file_meta.TransferSyntaxUID))
    head = whole[: -len(frame) - _LENGTH_BYTES] + (len(frame) * frames).to_bytes(_LENGTH_BYTES, "little")
    return replace(read_instance(whole), part10=head, frame=frame, repeats=frames)


def _first_frame(source: Dataset) -> bytes:
    bits = source.Rows * source.Columns * source.SamplesPerPixel * source.BitsAllocated
    frame = bytes(source.PixelData[: bits // 8])
    return frame if len(frame) % 2 == 0 else frame + b"\0"


def _put_multiframe(dataset: Dataset, source_uid: str, frames: int) -> None:
    dataset.SOPClassUID = _class_of(dataset)
    dataset.SOPInstanceUID = derive_uid(frames, source_uid)
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.ConversionType, dataset.PatientOrientation, dataset.Laterality = "WSD", "", ""
    dataset.NumberOfFrames = frames
    dataset.FrameTime, dataset.FrameIncrementPointer = FRAME_TIME_MS, _FRAME_TIME
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape = "IDENTITY"


def _class_of(dataset: Dataset) -> str:
    if dataset.BitsAllocated > 8:
        return MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    return MultiFrameGrayscaleByteSecondaryCaptureImageStorage
