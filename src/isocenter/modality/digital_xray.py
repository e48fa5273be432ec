"""Radiographs from flat detectors: the Digital X-Ray Image IOD for presentation, and what mammograms share with it.

PS3.3 A.26, C.8.11.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalXRayImageStorageForPresentation

from isocenter.modality.instances import InstancePlace, StoredPixels, put_pixels, start_dataset
from isocenter.modality.plans import DxSeriesPlan, StudyPlan

_VIEWS = {
    "AP": ("399348003", "antero-posterior"),
    "PA": ("272479007", "postero-anterior"),
}
_CHEST = ("43799004", "Chest")


def dx_dataset(plan: StudyPlan, series: DxSeriesPlan, place: InstancePlace, pixels: StoredPixels) -> Dataset:
    """Return a digital radiograph of a chest for presentation."""
    dataset = start_dataset(plan, place, DigitalXRayImageStorageForPresentation, "DX")
    dataset.ImageType, dataset.PresentationIntentType = ["DERIVED", "PRIMARY"], "FOR PRESENTATION"
    dataset.SeriesDescription, dataset.BodyPartExamined = series.description, "CHEST"
    dataset.ViewPosition, dataset.PatientOrientation = series.view_position, ["L", "F"]
    dataset.ImageLaterality = "U"
    put_pixels(dataset, pixels, bits_stored=12)
    put_presentation(dataset)
    dataset.DetectorType, dataset.DetectorID = "SCINTILLATOR", "SYNTHETIC2"
    dataset.ImagerPixelSpacing = [f"{series.pixel_mm:g}"] * 2
    dataset.KVP, dataset.Exposure, dataset.ExposureTime, dataset.XRayTubeCurrent = "125", 2, 6, 320
    dataset.DistanceSourceToDetector, dataset.Grid = "1800", "FOCUSED"
    dataset.PositionerType = "COLUMN"
    value, meaning = _VIEWS[series.view_position]
    dataset.ViewCodeSequence = Sequence([code(value, "SCT", meaning)])
    dataset.AnatomicRegionSequence = Sequence([code(_CHEST[0], "SCT", _CHEST[1])])
    dataset.BurnedInAnnotation = "YES" if plan.writing.burned_in_text else "NO"
    return dataset


def put_presentation(dataset: Dataset) -> None:
    """Add the DX image module, and the acquisition context that every IOD with it has (PS3.3 C.8.11.3, C.7.6.14)."""
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape, dataset.LossyImageCompression = "IDENTITY", "00"
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.AcquisitionContextSequence = Sequence([])


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
