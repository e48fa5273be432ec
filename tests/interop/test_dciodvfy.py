"""What we generate, looked at by dciodvfy (Debian dicom3tools)."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from isocenter.modality.demo_studies import demo_plans
from isocenter.modality.encodings import iter_encodings
from isocenter.modality.plans import CrSeriesPlan, StudyPlan
from isocenter.modality.studies import iter_study
from tests.support.peers import require

pytestmark = pytest.mark.interop

TODAY = datetime(2026, 11, 21)
KNOWN_TO_DCIODVFY = {
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
}
"""It cannot inflate, and takes transfer syntaxes younger than itself for native ones."""


def _complaints(part10: bytes, path: Path) -> list[str]:
    path.write_bytes(part10)
    ended = subprocess.run([require("dciodvfy"), str(path)], capture_output=True, check=False, timeout=60)
    lines = (ended.stdout + ended.stderr).decode("utf-8", "replace").splitlines()
    assert any(line.endswith("Image") for line in lines), "dciodvfy did not recognise the IOD"
    return [line for line in lines if not line.endswith("Image")]


def _shortened(plan: StudyPlan) -> StudyPlan:
    """Return the study with two instances in each series of slices."""
    series = (s if isinstance(s, CrSeriesPlan) else replace(s, slices=2) for s in plan.series)
    return replace(plan, series=tuple(series))


@pytest.mark.parametrize("plan", demo_plans(TODAY), ids=lambda plan: plan.accession_number)
def test_dciodvfy_finds_nothing_to_say_about_a_study_of_the_demo(plan: StudyPlan, tmp_path: Path) -> None:
    for part10 in iter_study(_shortened(plan), 1):
        assert _complaints(part10, tmp_path / "instance.dcm") == []


def test_dciodvfy_finds_nothing_to_say_about_the_encodings_that_it_knows(tmp_path: Path) -> None:
    looked_at = 0
    for encoded in iter_encodings(1, started_at=TODAY, edge=64):
        if encoded.encoding.transfer_syntax_uid in KNOWN_TO_DCIODVFY:
            assert _complaints(encoded.part10, tmp_path / "instance.dcm") == [], encoded.encoding.name
            looked_at += 1
    assert looked_at >= 12
