"""What a page says of a picture beside the picture: its window, its place in the patient, its scale and its rate."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.web.light.dataset_json import (
    Dataset,
    functional_group,
    item_of,
    number_of,
    numbers_of,
    text_of,
    values_of,
)
from isocenter.web.light.geometry import Edges, ScaleBar, edges_of_cosines, edges_of_directions, scale_bar
from isocenter.web.light.place import Window

RATE_DEFAULT = 15.0
"""Pictures a second where the file says nothing."""
RATE_MIN, RATE_MAX = 1.0, 60.0
"""Slower is no film, faster no screen shows."""
MS_PER_S = 1000
CENTIMETRES = 3
"""The unit of a distance between pixels in an ultrasound region (PS3.3 C.8.5.5.1.15)."""
AT_THE_DETECTOR = " at the detector"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the file says about a frame."""

    rows: int
    columns: int
    is_grey: bool
    """Only shades have a window."""
    window: Window | None
    """The first that the file names; None where it leaves that to the viewer."""
    is_inverted: bool
    """High values are dark (MONOCHROME1)."""
    edges: Edges
    bar: ScaleBar | None
    rate: float
    """Pictures a second."""
    was_lossy: bool
    """The file had lost something before it came here."""


def image_facts(dataset: Dataset, frame_number: int = 1) -> ImageFacts:
    """Return what a data set says of one of its frames."""
    columns = int(number_of(dataset, "Columns") or 0)
    photometric_interpretation = text_of(dataset, "PhotometricInterpretation").upper()
    return ImageFacts(
        rows=int(number_of(dataset, "Rows") or 0),
        columns=columns,
        is_grey=photometric_interpretation in ("MONOCHROME1", "MONOCHROME2"),
        window=_window(dataset, frame_number),
        is_inverted=photometric_interpretation == "MONOCHROME1",
        edges=_edges(dataset, frame_number),
        bar=_bar(dataset, frame_number, columns),
        rate=_rate(dataset),
        was_lossy=text_of(dataset, "LossyImageCompression") == "01",
    )


def _window(dataset: Dataset, frame_number: int) -> Window | None:
    group = functional_group(dataset, frame_number, "FrameVOILUTSequence")
    for source in (group, dataset):
        center, width = number_of(source, "WindowCenter"), number_of(source, "WindowWidth")
        if center is not None and width is not None and width > 0:
            return Window(center, width)
    return None


def _edges(dataset: Dataset, frame_number: int) -> Edges:
    group = functional_group(dataset, frame_number, "PlaneOrientationSequence")
    cosines = numbers_of(group, "ImageOrientationPatient") or numbers_of(dataset, "ImageOrientationPatient")
    if cosines:
        return edges_of_cosines(cosines)
    return edges_of_directions([str(value) for value in values_of(dataset, "PatientOrientation")])


def _bar(dataset: Dataset, frame_number: int, columns: int) -> ScaleBar | None:
    group = functional_group(dataset, frame_number, "PixelMeasuresSequence")
    for source, keyword, remark in (
        (group, "PixelSpacing", ""),
        (dataset, "PixelSpacing", ""),
        (dataset, "ImagerPixelSpacing", AT_THE_DETECTOR),
    ):
        spacing = numbers_of(source, keyword)
        if len(spacing) == 2:  # rows, then columns (PS3.3 10.7.1.3)
            bar = scale_bar(spacing[1], columns)
            return bar and ScaleBar(bar.columns, bar.label + remark)
    return scale_bar(_ultrasound_spacing_mm(dataset), columns)


def _ultrasound_spacing_mm(dataset: Dataset) -> float | None:
    region = item_of(dataset, "SequenceOfUltrasoundRegions")
    if number_of(region, "PhysicalUnitsXDirection") != CENTIMETRES:
        return None
    delta = number_of(region, "PhysicalDeltaX")
    return abs(delta) * 10 if delta else None


def _rate(dataset: Dataset) -> float:
    """Return how fast the frames go, by what the file recommends first (PS3.3 C.7.6.5)."""
    vector = [step for step in numbers_of(dataset, "FrameTimeVector")[1:] if step > 0]
    frame_time_ms = number_of(dataset, "FrameTime") or (sum(vector) / len(vector) if vector else None)
    rate = (
        number_of(dataset, "RecommendedDisplayFrameRate")
        or number_of(dataset, "CineRate")
        or (MS_PER_S / frame_time_ms if frame_time_ms and frame_time_ms > 0 else RATE_DEFAULT)
    )
    return round(min(max(rate, RATE_MIN), RATE_MAX), 1)
