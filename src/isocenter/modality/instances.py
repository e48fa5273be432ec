"""Data sets of the CT, MR and CR image IODs (PS3.3 A.2, A.3, A.4), and what all images have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, CTImageStorage, MRImageStorage

from isocenter.modality.identifiers import derive_uid
from isocenter.modality.plans import CrSeriesPlan, CtSeriesPlan, MrSeriesPlan, MrWeighting, Orientation, StudyPlan
from isocenter.modality.solids import Plane

StoredPixels = npt.NDArray[np.uint16]


_ANATOMY, _SCANNER = 0, 1
"""Sub-seeds: every series of a study shows the same anatomy, each with noise of its own."""
_SECONDS_BETWEEN_SERIES = 180


@dataclass(frozen=True, slots=True)
class InstancePlace:
    """Where an instance stands in its study."""

    seed: int
    series_number: int
    instance_number: int
    acquired_at: datetime


@dataclass(frozen=True, slots=True)
class SeriesPlace:
    """A series to be made: of which study, in which place, from which seed."""

    plan: StudyPlan
    number: int
    seed: int

    def instance(self, index: int, *, after_s: int = 0) -> InstancePlace:
        """Return the place of an instance, counted from 0, that was acquired so long after the series began."""
        begun = series_started_at(self.plan, self.number)
        return InstancePlace(self.seed, self.number, index + 1, begun + timedelta(seconds=after_s))

    def anatomy(self) -> np.random.Generator:
        """Return what decides on the patient: the same for every series of a study."""
        seed = self.seed if self.plan.anatomy_seed is None else self.plan.anatomy_seed
        return np.random.default_rng((seed, _ANATOMY))

    def scanner(self) -> np.random.Generator:
        """Return what decides on noise: every series has its own, in each study whose UID was given too."""
        named = self.plan.study_instance_uid
        return np.random.default_rng((self.seed, _SCANNER, self.number, *(() if named is None else named.encode())))


def start_dataset(plan: StudyPlan, place: InstancePlace, sop_class_uid: str, modality: str) -> Dataset:
    """Return the modules that every image has: patient, study, series, equipment, SOP common."""
    study = uid_path(plan)
    dataset = Dataset()
    dataset.SpecificCharacterSet = _one_or_list(plan.writing.character_set or plan.patient.character_set)
    dataset.SOPClassUID = sop_class_uid
    dataset.StudyInstanceUID = plan.study_instance_uid or derive_uid(place.seed, *study)
    dataset.SeriesInstanceUID = derive_uid(place.seed, *study, place.series_number)
    for keyword, value in instance_values(plan, place).items():
        setattr(dataset, keyword, value)
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
    return dataset


def instance_values(plan: StudyPlan, place: InstancePlace) -> dict[str, str]:
    """Return, by keyword, what differs between the instances of a series whatever they show."""
    day, time = f"{place.acquired_at:%Y%m%d}", f"{place.acquired_at:%H%M%S}"
    return {
        "SOPInstanceUID": derive_uid(place.seed, *uid_path(plan), place.series_number, place.instance_number),
        "InstanceNumber": str(place.instance_number),
        "AcquisitionDate": day,
        "AcquisitionTime": time,
        "ContentDate": day,
        "ContentTime": time,
    }


def uid_path(plan: StudyPlan) -> tuple[str, ...]:
    """Return what the UIDs of a study follow from, besides the seed."""
    if plan.study_instance_uid is not None:
        return (plan.study_instance_uid,)
    return plan.patient.patient_id, plan.accession_number


def series_started_at(plan: StudyPlan, number: int) -> datetime:
    """Return when a series of a study begins."""
    return plan.started_at + timedelta(seconds=_SECONDS_BETWEEN_SERIES * (number - 1))


def _put_times(dataset: Dataset, plan: StudyPlan, place: InstancePlace) -> None:
    series = series_started_at(plan, place.series_number)
    dataset.StudyDate, dataset.StudyTime = f"{plan.started_at:%Y%m%d}", f"{plan.started_at:%H%M%S}"
    dataset.SeriesDate, dataset.SeriesTime = f"{series:%Y%m%d}", f"{series:%H%M%S}"


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
    for keyword, value in plane_values(plane).items():
        setattr(dataset, keyword, value)
    dataset.ImageOrientationPatient = list(orientation.value)
    dataset.PixelSpacing = [f"{abs(plane.row_step_mm):.8g}", f"{abs(plane.column_step_mm):.8g}"]
    dataset.FrameOfReferenceUID = ""


def plane_values(plane: Plane) -> dict[str, str]:
    """Return, by keyword, what differs between parallel planes."""
    return {
        "ImagePositionPatient": "\\".join(f"{value:.6g}" for value in plane.origin),
        "SliceLocation": f"{plane.position_mm:.6g}",
    }


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
    if plan.writing.burned_in_text:
        dataset.BurnedInAnnotation = "YES"
    if "FrameOfReferenceUID" in dataset:
        dataset.FrameOfReferenceUID = derive_uid(place.seed, *uid_path(plan), "space")


def _one_or_list(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
