from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import find_instance
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.web.light.reading import read_dataset
from isocenter.web.light.waveform import CONTENT_SIZE_MAX_BYTES, LANE_HEIGHT, POINTS_MAX, WIDTH, Drawing, draw_waveform
from tests.support.dicom_files import EXPLICIT, write_file
from tests.support.memory_archive import memory_archive, store

SAMPLES = 5_000


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        yield opened


def _drawn(archive: Archive, **changes: Any) -> Drawing | None:
    """Store a waveform of two channels, a ramp and a flat line, and return what is drawn of it."""
    group = pydicom.Dataset()
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples, group.SamplingFrequency = 2, SAMPLES, 500
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    channels = [pydicom.Dataset(), pydicom.Dataset()]
    channels[0].ChannelLabel, channels[1].ChannelLabel = "I", "II"
    group.ChannelDefinitionSequence = channels
    ramp = np.arange(SAMPLES, dtype="<i2")
    group.WaveformData = np.stack([ramp, np.full_like(ramp, 7)], axis=1).tobytes()
    for keyword, value in changes.items():
        setattr(group, keyword, value)
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = "1.2.3", "1.2.3.1", "W"
    dataset.Modality, dataset.WaveformSequence = "ECG", [group]
    store(archive, write_file(dataset, EXPLICIT))
    row = find_instance(archive, LOCAL_OWNER, Scope("1.2.3", "1.2.3.1", "1.2.3.4"))
    return draw_waveform(archive, row, read_dataset(archive, LOCAL_OWNER, row))


def test_each_channel_is_a_curve_in_its_lane(archive: Archive) -> None:
    drawing = _drawn(archive)
    assert drawing is not None
    assert (drawing.height, drawing.seconds) == (2 * LANE_HEIGHT, 10.0)
    assert [curve.label for curve in drawing.curves] == ["I", "II"]
    ramp, flat = ([tuple(map(float, point.split(","))) for point in curve.points.split()] for curve in drawing.curves)
    assert len(ramp) <= POINTS_MAX
    assert (ramp[0][0], ramp[-1][0]) == (0, WIDTH)
    assert ramp[0][1] > ramp[-1][1]
    assert {y for _, y in flat} == {1.5 * LANE_HEIGHT}


@pytest.mark.parametrize(
    "changes",
    [
        {"NumberOfWaveformChannels": 0},
        {"NumberOfWaveformChannels": 3},
        {"NumberOfWaveformSamples": 4_000_000_000},
        {"SamplingFrequency": 0},
        {"WaveformSampleInterpretation": "MB"},
        {"WaveformData": b"\0\0"},
        {"WaveformData": bytes(CONTENT_SIZE_MAX_BYTES + 2)},
    ],
)
def test_what_does_not_add_up_is_not_drawn(archive: Archive, changes: dict[str, Any]) -> None:
    assert _drawn(archive, **changes) is None
