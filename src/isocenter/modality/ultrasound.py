"""Ultrasound cine loops: multi-frame images with the name of the patient in the picture, as devices make them.

Holds the Ultrasound Multi-frame Image IOD (PS3.3 A.7).
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UltrasoundMultiFrameImageStorage

from isocenter.modality.echo import HeartShape, make_echo
from isocenter.modality.instances import SeriesPlace, start_dataset
from isocenter.modality.lettering import identity_lines
from isocenter.modality.part10 import encode_instance
from isocenter.modality.plans import UsSeriesPlan
from isocenter.modality.ultrasound_screen import Screen, Screen8

_FRAME_TIME = Tag(0x0018, 0x1063)
_TWO_DIMENSIONAL, _TISSUE, _CENTIMETRES = 1, 1, 3
"""Region spatial format, region data type, physical units (PS3.3 C.8.5.5.1)."""
_TRANSPARENT = 0
MILLISECONDS_A_MINUTE = 60_000


def make_us(place: SeriesPlace, series: UsSeriesPlan) -> bytes:
    """Return a cine loop as a Part 10 file."""
    screen = Screen(series.rows, series.columns)
    is_lettered = place.plan.writing.burned_in_text is not False
    identity = identity_lines(place.plan) if is_lettered else []
    settings = ["Adult Echo", "S5-1 / 2.5 MHz", "MI 1.1  TIs 0.8", f"HR {series.heart_rate} bpm"]
    frames = b"".join(_iter_frames(place, series, screen, screen.background(identity, settings)))
    dataset = start_dataset(place.plan, place.instance(0), UltrasoundMultiFrameImageStorage, "US")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "CHEST", "0001"]
    dataset.SeriesDescription, dataset.ProtocolName = series.description, "Adult Echo"
    dataset.BodyPartExamined, dataset.TransducerData = "HEART", "S5-1"
    dataset.PatientOrientation = ""
    _put_cine(dataset, series)
    _put_frames(dataset, series, frames)
    dataset.BurnedInAnnotation = "YES" if is_lettered else "NO"
    dataset.SequenceOfUltrasoundRegions = Sequence([_region(screen)])
    return encode_instance(dataset, place.plan)


def frames_of_a_beat(series: UsSeriesPlan) -> int:
    """Return how many frames differ: after one beat of the heart they come again."""
    return max(1, round(MILLISECONDS_A_MINUTE / series.heart_rate / series.frame_time_ms))


def _iter_frames(place: SeriesPlace, series: UsSeriesPlan, screen: Screen, background: Screen8) -> Iterator[bytes]:
    anatomy, scanner = place.anatomy(), place.scanner()
    shape = HeartShape(float(anatomy.uniform(0.95, 1.06)), float(anatomy.uniform(8.0, 10.5)))
    echo = make_echo(anatomy, shape)
    beat = frames_of_a_beat(series)
    seen: list[Screen8] = []
    for number in range(series.frames):
        phase = number % beat / beat
        if number < beat:
            seen.append(screen.show(echo.frame(phase, scanner), background))
        picture = seen[number % beat].copy()
        screen.add_trace(picture, number / beat)
        yield picture.tobytes()


def _put_cine(dataset: Dataset, series: UsSeriesPlan) -> None:
    """Add the cine and multi-frame modules (PS3.3 C.7.6.5, C.7.6.6)."""
    dataset.NumberOfFrames = series.frames
    dataset.add(DataElement(0x00280009, "AT", _FRAME_TIME))
    dataset.FrameTime = f"{series.frame_time_ms:g}"
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = round(1000 / series.frame_time_ms)
    dataset.StartTrim, dataset.StopTrim = 1, series.frames
    dataset.EffectiveDuration = f"{series.frames * series.frame_time_ms / 1000:.6g}"
    dataset.HeartRate = series.heart_rate
    dataset.NumberOfStages = dataset.NumberOfViewsInStage = 1


def _put_frames(dataset: Dataset, series: UsSeriesPlan, frames: bytes) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = series.rows, series.columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.UltrasoundColorDataPresent = 0
    dataset.LossyImageCompression = "00"
    dataset.PixelData = frames + bytes(len(frames) % 2)
    dataset["PixelData"].VR = "OB"


def _region(screen: Screen) -> Dataset:
    """Return the region calibration of the fan (PS3.3 C.8.5.5)."""
    left, top, right, bottom = screen.fan
    row, column = screen.apex
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = _TWO_DIMENSIONAL, _TISSUE, _TRANSPARENT
    region.RegionLocationMinX0, region.RegionLocationMinY0 = left, top
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = right, bottom
    region.ReferencePixelX0, region.ReferencePixelY0 = column - left, row - top
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CENTIMETRES
    region.PhysicalDeltaX = region.PhysicalDeltaY = round(screen.pixel_mm / 10, 8)
    region.TransducerFrequency = 2500
    return region
