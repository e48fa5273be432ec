"""What a synthetic study shall be: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from isocenter.modality.chest import Build
from isocenter.modality.device_output import PerformedStep, RequestedStep, Writing
from isocenter.modality.head import Finding
from isocenter.modality.patients import Patient


class Region(Enum):
    """The part of the body that a CT covers."""

    HEAD = "HEAD"
    CHEST = "CHEST"


class MrWeighting(Enum):
    """What makes the contrast of an MR series."""

    T1 = "T1"
    T2 = "T2"
    FLAIR = "FLAIR"


class Orientation(Enum):
    """How slices lie in the patient: direction cosines of rows and columns (PS3.3 C.7.6.2)."""

    AXIAL = (1, 0, 0, 0, 1, 0)
    CORONAL = (1, 0, 0, 0, 0, -1)
    SAGITTAL = (0, 1, 0, 0, 0, -1)


@dataclass(frozen=True, slots=True)
class CtSeriesPlan:
    """Axial slices through a head or a chest, from the feet upwards."""

    region: Region
    description: str
    slices: int
    spacing_mm: float
    first_mm: float
    """Height of the lowest slice in the coordinates of the anatomy."""
    field_of_view_mm: float
    window: tuple[int, int]
    edge: int = 512
    noise_hu: float = 4.0


@dataclass(frozen=True, slots=True)
class MrSeriesPlan:
    """Slices through a brain."""

    weighting: MrWeighting
    description: str
    slices: int
    spacing_mm: float
    first_mm: float
    orientation: Orientation = Orientation.AXIAL
    field_of_view_mm: float = 240.0
    edge: int = 256


@dataclass(frozen=True, slots=True)
class CrSeriesPlan:
    """One frontal radiograph of a chest."""

    description: str
    view_position: str = "PA"
    photometric_interpretation: str = "MONOCHROME2"
    rows: int = 1280
    columns: int = 1024
    pixel_mm: float = 0.34
    body_part: str = "CHEST"
    series_number: int | None = None
    """None for the place that the series has in its study."""


@dataclass(frozen=True, slots=True)
class DxSeriesPlan:
    """One frontal radiograph of a chest from a flat detector, finer than that of a plate."""

    description: str
    view_position: str = "PA"
    rows: int = 2048
    columns: int = 1664
    pixel_mm: float = 0.21


@dataclass(frozen=True, slots=True)
class UsSeriesPlan:
    """One cine loop of a beating heart."""

    description: str
    frames: int = 40
    rows: int = 480
    columns: int = 640
    frame_time_ms: float = 33.3
    heart_rate: int = 72


class MgView(Enum):
    """The views of a screening mammogram: laterality and view position."""

    RIGHT_CC = ("R", "CC")
    LEFT_CC = ("L", "CC")
    RIGHT_MLO = ("R", "MLO")
    LEFT_MLO = ("L", "MLO")


@dataclass(frozen=True, slots=True)
class MgSeriesPlan:
    """Mammograms for presentation, one instance for each view."""

    description: str
    views: tuple[MgView, ...] = tuple(MgView)
    rows: int = 2294
    columns: int = 1914
    pixel_mm: float = 0.094
    density: float = 0.5
    """How much of the breast is glandular tissue, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class XaSeriesPlan:
    """One angiography run: contrast flows through the coronary arteries."""

    description: str
    frames: int = 45
    edge: int = 512
    frame_time_ms: float = 66.7
    primary_angle: float = -30.0
    """Of the gantry, in degrees: right anterior oblique is negative (PS3.3 C.8.7.5)."""
    secondary_angle: float = 0.0
    has_stenosis: bool = False


SeriesPlan = CtSeriesPlan | MrSeriesPlan | CrSeriesPlan | DxSeriesPlan | UsSeriesPlan | MgSeriesPlan | XaSeriesPlan


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study of one patient on one day."""

    patient: Patient
    started_at: datetime
    accession_number: str
    description: str
    series: tuple[SeriesPlan, ...]
    referring_physician: str = "Quill^Ada^^Dr."
    finding: Finding = Finding.NONE
    atrophy: float = 0.2
    build: Build = field(default_factory=Build)
    extra: Mapping[str, str] = field(default_factory=dict)
    """More attributes by keyword, for what a test is about."""
    study_instance_uid: str | None = None
    """As a work list gave it; None for one that follows from the seed, the patient and the accession number."""
    requested: tuple[RequestedStep, ...] = ()
    """What a work list asked for."""
    performed: PerformedStep | None = None
    writing: Writing = field(default_factory=Writing)
    anatomy_seed: int | None = None
    """What the patient looks like inside, the same in all studies of one patient; None for the seed of the study."""

    @property
    def number_of_instances(self) -> int:
        """Return how many instances the study will have."""
        return sum(_number_of_instances(series) for series in self.series)


def _number_of_instances(series: SeriesPlan) -> int:
    match series:
        case CtSeriesPlan() | MrSeriesPlan():
            return series.slices
        case MgSeriesPlan():
            return len(series.views)
        case _:
            return 1


def reduced(plan: StudyPlan, factor: int) -> StudyPlan:
    """Return the same study in pictures of fewer and larger pixels."""
    return replace(plan, series=tuple(_reduced_series(series, factor) for series in plan.series))


def _reduced_series(series: SeriesPlan, factor: int) -> SeriesPlan:
    match series:
        case CtSeriesPlan() | MrSeriesPlan() | XaSeriesPlan():
            return replace(series, edge=series.edge // factor)
        case UsSeriesPlan():
            return replace(series, rows=series.rows // factor, columns=series.columns // factor)
        case CrSeriesPlan() | DxSeriesPlan() | MgSeriesPlan():
            rows, columns = series.rows // factor, series.columns // factor
            return replace(series, rows=rows, columns=columns, pixel_mm=series.pixel_mm * factor)
