"""Curves of a waveform as points of a drawing: the first group of channels, each with its lane (PS3.3 C.10.9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.archive.archive import Archive
from isocenter.archive.bulk_data import open_bulk_data
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.ports.index import InstanceRow
from isocenter.web.light.attribute_rows import printable
from isocenter.web.light.dataset_json import Dataset, item_of, items_of, number_of, text_of

CHANNELS_MAX = 32
"""Twelve leads, and some more."""
SAMPLES_MAX = 4_000_000
"""An hour of a few channels; a holter of a day is not drawn."""
POINTS_MAX = 900
"""Of one curve; about as many as a screen has columns."""
LANE_HEIGHT, WIDTH = 60, 1_500
"""In units of the drawing."""
CONTENT_SIZE_MAX_BYTES = SAMPLES_MAX * 4
"""Read at once: as many samples of the widest type; what is longer than what it says of itself is not drawn."""
_TYPES = {("SS", 16): "<i2", ("US", 16): "<u2", ("SB", 8): "i1", ("UB", 8): "u1", ("SL", 32): "<i4"}
WAVEFORM_DATA_PATH = "54000100/0/54001010"


@dataclass(frozen=True, slots=True)
class Curve:
    """One channel."""

    label: str
    points: str
    """As `<polyline>` has them."""
    baseline: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """The curves of a waveform, one above the other."""

    curves: tuple[Curve, ...]
    height: int
    seconds: float
    width: int = WIDTH


def draw_waveform(archive: Archive, row: InstanceRow, dataset: Dataset) -> Drawing | None:
    """Return the first group of channels as curves; None where it cannot be drawn."""
    group = item_of(dataset, "WaveformSequence")
    channels = int(number_of(group, "NumberOfWaveformChannels") or 0)
    samples = int(number_of(group, "NumberOfWaveformSamples") or 0)
    frequency = number_of(group, "SamplingFrequency") or 0
    coded = _TYPES.get(
        (text_of(group, "WaveformSampleInterpretation"), int(number_of(group, "WaveformBitsAllocated") or 0))
    )
    if not (0 < channels <= CHANNELS_MAX and 0 < samples * channels <= SAMPLES_MAX and frequency > 0 and coded):
        return None
    content = _content(archive, row)
    dtype = np.dtype(coded)
    if len(content) < channels * samples * dtype.itemsize:
        return None
    values = np.frombuffer(content, dtype, channels * samples).reshape(samples, channels)
    labels = [_label(channel) for channel in items_of(group, "ChannelDefinitionSequence")]
    curves = [
        _curve(values[:, number].astype(np.float64), labels[number] if number < len(labels) else "", number)
        for number in range(channels)
    ]
    return Drawing(tuple(curves), channels * LANE_HEIGHT, samples / frequency)


def _content(archive: Archive, row: InstanceRow) -> bytes:
    try:
        (value,) = open_bulk_data(archive, row, WAVEFORM_DATA_PATH)
    except (NotFound, InvalidRequest):
        return b""
    if value.length is None or value.length > CONTENT_SIZE_MAX_BYTES:
        return b""
    return b"".join(value.read())


def _label(channel: Dataset) -> str:
    source = item_of(channel, "ChannelSourceSequence")
    return printable(text_of(channel, "ChannelLabel") or text_of(source, "CodeMeaning"))


def _curve(values: npt.NDArray[np.float64], label: str, lane: int) -> Curve:
    """Return a curve in its lane, with the extremes of what falls on one point."""
    baseline = (lane + 0.5) * LANE_HEIGHT
    step = max(1, -(-len(values) * 2 // POINTS_MAX))
    whole = values[: len(values) // step * step].reshape(-1, step)
    pairs = np.stack([whole.min(axis=1), whole.max(axis=1)], axis=1).ravel() if step > 1 else values
    centred = pairs - np.median(values)
    largest = float(np.abs(centred).max()) or 1.0
    heights = baseline - centred / largest * (LANE_HEIGHT * 0.45)
    across = np.linspace(0, WIDTH, len(pairs))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True))
    return Curve(label, points, baseline)
