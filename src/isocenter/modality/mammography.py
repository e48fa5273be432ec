"""Mammograms: the Digital Mammography X-Ray Image IOD, for presentation (PS3.3 A.27)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from isocenter.modality.breast import MG_MAXIMUM, BreastView, draw_breast
from isocenter.modality.digital_xray import code, put_presentation
from isocenter.modality.instances import SeriesPlace, StoredPixels, put_pixels, start_dataset
from isocenter.modality.lettering import burn, draw_lines, letter_size, put_letters
from isocenter.modality.part10 import encode_instance
from isocenter.modality.plans import MgSeriesPlan, MgView

_SECONDS_BETWEEN_VIEWS = 45
_CRANIO_CAUDAL = ("399162004", "cranio-caudal")
_OBLIQUE = ("399368009", "medio-lateral oblique")
_ORIENTATION = {
    MgView.LEFT_CC: ["A", "R"],
    MgView.RIGHT_CC: ["P", "L"],
    MgView.LEFT_MLO: ["A", "FR"],
    MgView.RIGHT_MLO: ["P", "FL"],
}
"""Of rows and columns: the chest wall is at the left of a left breast and at the right of a right one."""
_MARKER_SHARE = 16
"""The letters of the marker are so many times smaller than the picture is high."""
_TALLEST_MM = 215.0
"""Height of the detector that the shapes of the breasts are made for."""


def iter_mg(place: SeriesPlace, series: MgSeriesPlan) -> Iterator[bytes]:
    """Yield the views of a mammogram as Part 10 files."""
    shape_of_patient = place.anatomy()
    reach = float(shape_of_patient.uniform(86, 104))
    height = float(shape_of_patient.uniform(82, 92))
    for index, view in enumerate(series.views):
        laterality, position = view.value
        rng = np.random.default_rng((int(place.anatomy().integers(1 << 31)), *(ord(c) for c in laterality + position)))
        lies = _lies(series, is_oblique=position == "MLO", reach=reach, height=height)
        picture = draw_breast(
            rng, lies, shape=(series.rows, series.columns), pixel_mm=series.pixel_mm, density=series.density
        )
        facing = picture if laterality == "L" else picture[:, ::-1]
        pixels = np.ascontiguousarray(np.rint(facing), np.uint16)
        _put_marker(pixels, laterality, position)
        yield _encoded(place, series, view, index, pixels)


def _lies(series: MgSeriesPlan, *, is_oblique: bool, reach: float, height: float) -> BreastView:
    """Return how a breast lies on the detector, in proportion to it."""
    scale = series.rows * series.pixel_mm / _TALLEST_MM
    if is_oblique:
        return BreastView(True, reach * 1.08 * scale, height * 1.04 * scale, 132.0 * scale)
    return BreastView(False, reach * scale, height * scale, 106.0 * scale)


def _put_marker(pixels: StoredPixels, laterality: str, position: str) -> None:
    """Put the lead letters beside the breast, on the side of the armpit."""
    rows, columns = pixels.shape
    size = max(letter_size(rows), rows // _MARKER_SHARE)
    text, margin = laterality + position, size // 3
    column = columns - draw_lines([text], size=size).shape[1] - margin if laterality == "L" else margin
    burn(pixels, [text], at=(int(rows * 0.03), column), size=size, value=MG_MAXIMUM)


def _encoded(place: SeriesPlace, series: MgSeriesPlan, view: MgView, index: int, pixels: StoredPixels) -> bytes:
    laterality, position = view.value
    if place.plan.writing.burned_in_text:
        put_letters(pixels, place.plan, MG_MAXIMUM)
    instance = place.instance(index, after_s=index * _SECONDS_BETWEEN_VIEWS)
    dataset = start_dataset(place.plan, instance, DigitalMammographyXRayImageStorageForPresentation, "MG")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.SeriesDescription, dataset.PresentationIntentType = series.description, "FOR PRESENTATION"
    dataset.BodyPartExamined, dataset.ImageLaterality = "BREAST", laterality
    dataset.ViewPosition, dataset.PatientOrientation = position, _ORIENTATION[view]
    put_pixels(dataset, pixels, bits_stored=12)
    put_presentation(dataset)
    _put_acquisition(dataset, series)
    _put_view(dataset, position)
    dataset.BurnedInAnnotation = "YES" if place.plan.writing.burned_in_text else "NO"
    return encode_instance(dataset, place.plan)


def _put_acquisition(dataset: Dataset, series: MgSeriesPlan) -> None:
    """Add detector, dose and positioning (PS3.3 C.8.11.4, C.8.11.5, C.8.11.7)."""
    spacing = [f"{series.pixel_mm:.6g}"] * 2
    dataset.DetectorType, dataset.DetectorID = "DIRECT", "SYNTHETIC1"
    dataset.ImagerPixelSpacing = spacing
    dataset.KVP, dataset.Exposure, dataset.ExposureTime, dataset.XRayTubeCurrent = "29", 92, 920, 100
    dataset.AnodeTargetMaterial, dataset.FilterMaterial = "TUNGSTEN", "RHODIUM"
    dataset.BodyPartThickness, dataset.CompressionForce = "56", "108"
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = "660", "640"
    dataset.PositionerType, dataset.OrganExposed = "MAMMOGRAPHIC", "BREAST"
    dataset.BreastImplantPresent, dataset.PartialView = "NO", "NO"


def _put_view(dataset: Dataset, position: str) -> None:
    """Add view and anatomy (PS3.3 C.8.11.7)."""
    value, meaning = _CRANIO_CAUDAL if position == "CC" else _OBLIQUE
    view = code(value, "SCT", meaning)
    view.ViewModifierCodeSequence = Sequence([])
    dataset.ViewCodeSequence = Sequence([view])
    dataset.AnatomicRegionSequence = Sequence([code("76752008", "SCT", "Breast")])
    dataset.PositionerPrimaryAngle = "0" if position == "CC" else "45"
