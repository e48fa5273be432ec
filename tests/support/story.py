"""The images of the walk-through as files: eight patients with a prior, a recent and a new study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from isocenter.modality.story import StudyKind, iter_instances, story_studies

REDUCTION = 16
"""Coarse pictures: the tests are about their ways."""


@dataclass(frozen=True, slots=True)
class StoryImage:
    """One study of one image."""

    patient: int
    """From 1 to 8."""
    kind: StudyKind
    patient_id: str
    study: str
    series: str
    sop: str
    path: Path


def write_story(folder: Path) -> list[StoryImage]:
    """Write the 24 studies below a folder, one folder for each kind, and return them."""
    return list(_iter_written(folder))


def _iter_written(folder: Path) -> Iterator[StoryImage]:
    for study in story_studies():
        (folder / study.kind).mkdir(parents=True, exist_ok=True)
        path = folder / study.kind / study.file_name
        (part10,) = iter_instances(study.reduced(REDUCTION))
        path.write_bytes(part10)
        dataset = dcmread(BytesIO(part10), stop_before_pixels=True)
        yield StoryImage(
            study.patient_number,
            study.kind,
            study.plan.patient.patient_id,
            study.study_instance_uid,
            dataset.SeriesInstanceUID,
            dataset.SOPInstanceUID,
            path,
        )
