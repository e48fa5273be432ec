"""Angiography runs: the X-Ray Angiographic Image IOD (PS3.3 A.14)."""

from __future__ import annotations

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import XRayAngiographicImageStorage

from isocenter.modality.angiogram import FIELD_MM, Frame, Gantry, make_run
from isocenter.modality.instances import SeriesPlace, start_dataset
from isocenter.modality.lettering import put_letters
from isocenter.modality.part10 import encode_instance
from isocenter.modality.plans import XaSeriesPlan

_FRAME_TIME = Tag(0x0018, 0x1063)
_MAGNIFICATION = 1.32
"""From the heart to the detector."""
_SOURCE_TO_PATIENT_MM = 760.0
_LETTERS = 235


def make_xa(place: SeriesPlace, series: XaSeriesPlan) -> bytes:
    """Return a run as a Part 10 file."""
    gantry = Gantry(series.primary_angle, series.secondary_angle)
    run = make_run(place.anatomy(), gantry, place.plan.build, edge=series.edge, has_stenosis=series.has_stenosis)
    frames = b"".join(
        _lettered(frame, place).tobytes()
        for frame in run.iter_frames(series.frames, series.frame_time_ms / 1000, place.scanner())
    )
    dataset = start_dataset(place.plan, place.instance(0), XRayAngiographicImageStorage, "XA")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    dataset.SeriesDescription, dataset.ProtocolName = series.description, "Coronary 15 fps"
    dataset.BodyPartExamined, dataset.PatientOrientation = "HEART", ""
    dataset.ContrastBolusAgent, dataset.ContrastBolusRoute = "Iopromide 370", "IA"
    _put_acquisition(dataset, series)
    _put_cine(dataset, series)
    _put_frames(dataset, series, frames)
    dataset.BurnedInAnnotation = "YES" if place.plan.writing.burned_in_text else "NO"
    return encode_instance(dataset, place.plan)


def _lettered(frame: Frame, place: SeriesPlace) -> Frame:
    if place.plan.writing.burned_in_text:
        put_letters(frame, place.plan, _LETTERS)
    return frame


def _put_acquisition(dataset: Dataset, series: XaSeriesPlan) -> None:
    """Add the X-ray acquisition and positioner modules (PS3.3 C.8.7.2, C.8.7.5)."""
    dataset.KVP, dataset.XRayTubeCurrent, dataset.ExposureTime = "78", 640, 7
    dataset.AveragePulseWidth, dataset.RadiationMode, dataset.RadiationSetting = "6.8", "PULSED", "GR"
    dataset.TypeOfFilters, dataset.FocalSpots = "STRIP", "0.6"
    dataset.ImageAndFluoroscopyAreaDoseProduct = "3.1"
    imager_mm = FIELD_MM * _MAGNIFICATION
    dataset.FieldOfViewShape, dataset.FieldOfViewDimensions = "ROUND", round(imager_mm)
    dataset.IntensifierSize = round(imager_mm)
    dataset.ImagerPixelSpacing = [f"{imager_mm / series.edge:.6g}"] * 2
    dataset.DistanceSourceToPatient = f"{_SOURCE_TO_PATIENT_MM:g}"
    dataset.DistanceSourceToDetector = f"{_SOURCE_TO_PATIENT_MM * _MAGNIFICATION:.6g}"
    dataset.EstimatedRadiographicMagnificationFactor = f"{_MAGNIFICATION:g}"
    dataset.PositionerMotion = "STATIC"
    dataset.PositionerPrimaryAngle = f"{series.primary_angle:g}"
    dataset.PositionerSecondaryAngle = f"{series.secondary_angle:g}"


def _put_cine(dataset: Dataset, series: XaSeriesPlan) -> None:
    """Add the cine and multi-frame modules (PS3.3 C.7.6.5, C.7.6.6)."""
    rate = round(1000 / series.frame_time_ms)
    dataset.NumberOfFrames = series.frames
    dataset.add(DataElement(0x00280009, "AT", _FRAME_TIME))
    dataset.FrameTime = f"{series.frame_time_ms:g}"
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = rate


def _put_frames(dataset: Dataset, series: XaSeriesPlan, frames: bytes) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = series.edge
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelIntensityRelationship, dataset.LossyImageCompression = "LIN", "00"
    dataset.WindowCenter, dataset.WindowWidth = "128", "256"
    dataset.PixelData = frames + bytes(len(frames) % 2)
    dataset["PixelData"].VR = "OB"
