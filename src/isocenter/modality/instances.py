"""Data sets of the CT, MR and CR image IODs, and their Part 10 files (PS3.3 A.2, A.3, A.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from isocenter.modality.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, derive_uid
from isocenter.modality.plans import CrSeriesPlan, CtSeriesPlan, MrSeriesPlan, MrWeighting, Orientation, StudyPlan
from isocenter.modality.solids import Plane

StoredPixels = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class InstancePlace:
    """Where an instance stands in its study."""

    seed: int
    series_number: int
    instance_number: int
    acquired_at: datetime


def start_dataset(plan: StudyPlan, place: InstancePlace, sop_class_uid: str, modality: str) -> Dataset:
    """Return the modules that every image has: patient, study, series, equipment, SOP common."""
    study = uid_path(plan)
    dataset = Dataset()
    dataset.SpecificCharacterSet = _one_or_list(plan.patient.character_set)
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = derive_uid(place.seed, *study, place.series_number, place.instance_number)
    dataset.StudyInstanceUID = plan.study_instance_uid or derive_uid(place.seed, *study)
    dataset.SeriesInstanceUID = derive_uid(place.seed, *study, place.series_number)
    _put_times(dataset, plan, place)
    dataset.AccessionNumber = plan.accession_number
    dataset.Modality = modality
    dataset.Manufacturer = "isocenter"
    dataset.InstitutionName = "Isocenter Teaching Hospital"
    dataset.ReferringPhysicianName = plan.referring_physician
    dataset.StationName = f"{modality}01"
    dataset.StudyDescription = plan.description
    dataset.ManufacturerModelName = "Synthetic modality"
    dataset.PatientName = plan.patient.name
    dataset.PatientID = plan.patient.patient_id
    dataset.IssuerOfPatientID = "ISOCENTER"
    dataset.PatientBirthDate = f"{plan.patient.birth_date:%Y%m%d}"
    dataset.PatientSex = plan.patient.sex
    dataset.PatientAge = f"{plan.patient.age_years_on(plan.started_at.date()):03d}Y"
    dataset.PatientComments = "Synthetic: no such patient exists"
    dataset.DeviceSerialNumber = "0001"
    dataset.SoftwareVersions = "1"
    dataset.StudyID = plan.accession_number[-8:]
    dataset.SeriesNumber = place.series_number
    dataset.AcquisitionNumber = 1
    dataset.InstanceNumber = place.instance_number
    return dataset


def uid_path(plan: StudyPlan) -> tuple[str, ...]:
    """Return what the UIDs of a study follow from, besides the seed."""
    if plan.study_instance_uid is not None:
        return (plan.study_instance_uid,)
    return plan.patient.patient_id, plan.accession_number


def _put_times(dataset: Dataset, plan: StudyPlan, place: InstancePlace) -> None:
    dataset.StudyDate = f"{plan.started_at:%Y%m%d}"
    dataset.StudyTime = f"{plan.started_at:%H%M%S}"
    for prefix in ("Series", "Acquisition", "Content"):
        setattr(dataset, prefix + "Date", f"{place.acquired_at:%Y%m%d}")
        setattr(dataset, prefix + "Time", f"{place.acquired_at:%H%M%S}")


def ct_dataset(
    plan: StudyPlan, series: CtSeriesPlan, place: InstancePlace, plane: Plane, pixels: StoredPixels
) -> Dataset:
    """Return a CT image."""
    dataset = start_dataset(plan, place, CTImageStorage, "CT")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesDescription = series.description
    dataset.ProtocolName = series.description
    dataset.BodyPartExamined = series.region.value
    dataset.KVP = "120"
    dataset.DataCollectionDiameter = "500"
    dataset.ReconstructionDiameter = f"{series.field_of_view_mm:g}"
    dataset.GantryDetectorTilt = "0"
    dataset.RotationDirection = "CW"
    dataset.ExposureTime, dataset.XRayTubeCurrent, dataset.Exposure = 500, 220, 110
    dataset.ConvolutionKernel = "STANDARD"
    put_image_plane(dataset, plane, Orientation.AXIAL, series.spacing_mm, frame_of_reference=plan)
    put_pixels(dataset, pixels, bits_stored=12)
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
    dataset.WindowCenter, dataset.WindowWidth = str(series.window[0]), str(series.window[1])
    _finish(dataset, plan, place)
    return dataset


_MR_TIMING = {
    MrWeighting.T1: ("SE", "NONE", "520", "11", None, 1),
    MrWeighting.T2: ("SE", "SK", "4200", "98", None, 13),
    MrWeighting.FLAIR: (["SE", "IR"], "SK", "9000", "114", "2500", 16),
}
"""Scanning sequence, variant, repetition, echo and inversion time in ms, echo train length."""


def mr_dataset(
    plan: StudyPlan, series: MrSeriesPlan, place: InstancePlace, plane: Plane, pixels: StoredPixels
) -> Dataset:
    """Return an MR image."""
    dataset = start_dataset(plan, place, MRImageStorage, "MR")
    sequence, variant, repetition, echo, inversion, train = _MR_TIMING[series.weighting]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.SeriesDescription = series.description
    dataset.ProtocolName = series.description
    dataset.BodyPartExamined = "BRAIN"
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = sequence, variant, ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = repetition, echo, train
    if inversion is not None:
        dataset.InversionTime = inversion
    dataset.MagneticFieldStrength, dataset.ImagingFrequency, dataset.ImagedNucleus = "1.5", "63.87", "1H"
    dataset.FlipAngle, dataset.NumberOfAverages, dataset.PercentSampling = "90", "1", "100"
    put_image_plane(dataset, plane, series.orientation, series.spacing_mm, frame_of_reference=plan)
    dataset.SpacingBetweenSlices = f"{series.spacing_mm:g}"
    put_pixels(dataset, pixels, bits_stored=12)
    dataset.WindowCenter, dataset.WindowWidth = "480", "960"
    _finish(dataset, plan, place)
    return dataset


def cr_dataset(plan: StudyPlan, series: CrSeriesPlan, place: InstancePlace, pixels: StoredPixels) -> Dataset:
    """Return a computed radiography image; pixels are given as MONOCHROME2 and turned round where asked for."""
    dataset = start_dataset(plan, place, ComputedRadiographyImageStorage, "CR")
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SeriesDescription = series.description
    dataset.BodyPartExamined = series.body_part
    if series.series_number is not None:
        dataset.SeriesNumber = series.series_number
    dataset.ViewPosition = series.view_position
    dataset.PatientOrientation = ["L", "F"]
    dataset.KVP, dataset.Exposure, dataset.DistanceSourceToDetector = "117", 2, "1800"
    dataset.PlateType, dataset.ImagerPixelSpacing = "SYNTHETIC", [f"{series.pixel_mm:g}"] * 2
    put_pixels(dataset, pixels, bits_stored=12)
    if series.photometric_interpretation == "MONOCHROME1":
        dataset.PixelData = (4095 - pixels).astype("<u2").tobytes()
        dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.LossyImageCompression = "00"
    _finish(dataset, plan, place)
    return dataset


def put_image_plane(
    dataset: Dataset, plane: Plane, orientation: Orientation, thickness_mm: float, *, frame_of_reference: StudyPlan
) -> None:
    """Add the frame of reference and image plane modules (PS3.3 C.7.4.1, C.7.6.2)."""
    dataset.PatientPosition = "HFS"
    dataset.PositionReferenceIndicator = ""
    dataset.SliceThickness = f"{thickness_mm:g}"
    dataset.ImagePositionPatient = [f"{value:.6g}" for value in plane.origin]
    dataset.ImageOrientationPatient = list(orientation.value)
    dataset.SliceLocation = f"{plane.position_mm:.6g}"
    dataset.PixelSpacing = [f"{abs(plane.row_step_mm):.8g}", f"{abs(plane.column_step_mm):.8g}"]
    dataset.FrameOfReferenceUID = ""


def put_pixels(dataset: Dataset, pixels: StoredPixels, *, bits_stored: int) -> None:
    """Add the image pixel module for one grey frame (PS3.3 C.7.6.3)."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits_stored, bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.BurnedInAnnotation = "NO"
    dataset.PixelData = pixels.astype("<u2", copy=False).tobytes()
    dataset["PixelData"].VR = "OW"


def _finish(dataset: Dataset, plan: StudyPlan, place: InstancePlace) -> None:
    if "FrameOfReferenceUID" in dataset:
        dataset.FrameOfReferenceUID = derive_uid(place.seed, *uid_path(plan), "space")
    for keyword, value in plan.extra.items():
        setattr(dataset, keyword, value)


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


def _one_or_list(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
