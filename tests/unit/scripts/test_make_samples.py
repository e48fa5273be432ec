from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from scripts.make_samples import EDGE, SAMPLES, STUDY_INSTANCE_UID, main, make_samples


def test_the_files_are_one_study_in_two_series(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples")
    found = [pydicom.dcmread(tmp_path / "samples" / sample.file_name) for sample in SAMPLES]
    assert {dataset.StudyInstanceUID for dataset in found} == {STUDY_INSTANCE_UID}
    triangle, square, circle = (dataset.SeriesInstanceUID for dataset in found)
    assert triangle == square != circle
    assert len({dataset.SOPInstanceUID for dataset in found}) == len(SAMPLES)
    assert all(UID(dataset.SOPInstanceUID).is_valid for dataset in found)


def test_each_shows_its_shape_in_its_colour(tmp_path: Path) -> None:
    make_samples(tmp_path)
    colours = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255)}
    areas = {}
    for sample in SAMPLES:
        pixels = pydicom.dcmread(tmp_path / sample.file_name).pixel_array
        assert tuple(pixels[EDGE // 2, EDGE // 2]) == colours[sample.colour]
        assert tuple(pixels[0, 0]) == (0, 0, 0)
        areas[sample.shape] = np.count_nonzero(pixels.any(axis=2))
    assert areas["triangle"] < areas["circle"] < areas["square"]


def test_the_files_are_the_same_every_time_and_their_identifiers_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        main([str(tmp_path / name)])
    for sample in SAMPLES:
        assert (tmp_path / "one" / sample.file_name).read_bytes() == (tmp_path / "two" / sample.file_name).read_bytes()
    told = capsys.readouterr().out
    assert f"STUDY={STUDY_INSTANCE_UID}\n" in told
    assert f"CIRCLE={SAMPLES[2].sop_instance_uid}\n" in told
