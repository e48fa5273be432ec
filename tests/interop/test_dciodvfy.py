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
from isocenter.modality.device_output import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VENDOR_BLOCKS,
    PerformedStep,
    RequestedStep,
    Writing,
)
from isocenter.modality.encodings import iter_encodings
from isocenter.modality.plans import (
    CtSeriesPlan,
    DxSeriesPlan,
    MgSeriesPlan,
    MrSeriesPlan,
    SeriesPlan,
    StudyPlan,
    UsSeriesPlan,
    XaSeriesPlan,
    reduced,
)
from isocenter.modality.story import StoryMode, StoryStudy, story_studies
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
    assert any(line.endswith(IOD_NAMES) for line in lines), "dciodvfy did not recognise the IOD"
    return [line for line in lines if not line.endswith(IOD_NAMES)]


IOD_NAMES = ("Image", "ImageForPresentation")
"""How the line ends that says what an instance is."""
KNOWN_COMPLAINTS = (
    "Warning - Unrecognized defined term <CC> for value 1 of attribute <View Position>",
    "Warning - Unrecognized defined term <MLO> for value 1 of attribute <View Position>",
    "Warning - Unrecognized defined term <PORT CHEST> for value 1 of attribute <Body Part Examined>",
    "Warning - Missing attribute or value that would be needed to build DICOMDIR - Study ID",
    "Warning - is only permitted to be empty when actually unknown; should be absent (not empty) if an unpaired body"
    " part, and have a value if a paired body part - attribute <Laterality>",
)
"""What mammography devices write since View Position had no terms for them, and what the manual says of one study."""


def _shortened(plan: StudyPlan) -> StudyPlan:
    """Return the study with two instances or frames in each series that has more."""
    return replace(plan, series=tuple(_two_of(series) for series in plan.series))


def _two_of(series: SeriesPlan) -> SeriesPlan:
    match series:
        case CtSeriesPlan() | MrSeriesPlan():
            return replace(series, slices=2)
        case UsSeriesPlan() | XaSeriesPlan():
            return replace(series, frames=2)
        case MgSeriesPlan():
            return replace(series, views=series.views[1:3])
        case _:
            return series


def _first_of_each_kind() -> list[StoryStudy]:
    """Return one study for each description in the whole story, and the one that the manual shows."""
    by_description = {study.plan.description: study for study in story_studies(StoryMode.EXTENDED)}
    jule = next(study for study in story_studies() if study.plan.accession_number == "ACC0000978")
    return [*by_description.values(), jule]


@pytest.mark.parametrize("plan", demo_plans(TODAY), ids=lambda plan: plan.accession_number)
def test_dciodvfy_finds_nothing_to_say_about_a_study_of_the_demo(plan: StudyPlan, tmp_path: Path) -> None:
    for part10 in iter_study(_shortened(reduced(plan, 4)), 1):
        assert _complaints(part10, tmp_path / "instance.dcm") == []


def test_dciodvfy_finds_nothing_to_say_about_the_encodings_that_it_knows(tmp_path: Path) -> None:
    looked_at = 0
    for encoded in iter_encodings(1, started_at=TODAY, edge=64):
        if encoded.encoding.transfer_syntax_uid in KNOWN_TO_DCIODVFY:
            assert _complaints(encoded.part10, tmp_path / "instance.dcm") == [], encoded.encoding.name
            looked_at += 1
    assert looked_at >= 12


@pytest.mark.parametrize("study", _first_of_each_kind(), ids=lambda study: study.file_name)
def test_dciodvfy_finds_no_error_in_the_studies_of_the_story(study: StoryStudy, tmp_path: Path) -> None:
    for part10 in iter_study(_shortened(reduced(study.plan, 4)), 1):
        complaints = _complaints(part10, tmp_path / "instance.dcm")
        assert [line for line in complaints if line not in KNOWN_COMPLAINTS] == []


@pytest.mark.parametrize("view", ["PA", "AP"])
def test_dciodvfy_finds_nothing_to_say_about_a_digital_radiograph(view: str, tmp_path: Path) -> None:
    plan = reduced(replace(demo_plans(TODAY)[0], series=(DxSeriesPlan(view, view),)), 8)
    for part10 in iter_study(plan, 1):
        assert _complaints(part10, tmp_path / "instance.dcm") == []


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_dciodvfy_finds_no_error_in_what_a_device_adds_for_an_order(transfer_syntax_uid: str, tmp_path: Path) -> None:
    plan = replace(
        _shortened(reduced(demo_plans(TODAY)[1], 8)),
        study_instance_uid="2.25.4711",
        requested=(RequestedStep("RP1", "SPS1", "CT of the head", "Head routine"),),
        performed=PerformedStep("PPS1", TODAY, "Head", "2.25.4712"),
        writing=Writing(transfer_syntax_uid, private_blocks=VENDOR_BLOCKS),
    )
    for part10 in iter_study(plan, 1):
        lines = _complaints(part10, tmp_path / "instance.dcm")
        assert [line for line in lines if line.startswith("Error")] == []
