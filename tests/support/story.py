"""The images of the walk-through: eight patients with a prior, a recent and a new study (routing-and-gateway 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from pydicom.dataset import Dataset

from isocenter.modality.patients import STORY_PATIENTS
from tests.support.dicom_files import EXPLICIT, write_file

NEW_DAY = "20221122"
DAYS = {
    "prior": ("19940223", "20040831", "19691116", "20120202", "19900304", "19760525", "19700306", "19831220"),
    "recent": ("20110602", "20121030", "19760721", "20120411", "20110927", "19821029", "19770205", "19891215"),
    "new": (NEW_DAY,) * 8,
}


@dataclass(frozen=True, slots=True)
class StoryImage:
    """One study of one image."""

    patient: int
    """From 1 to 8."""
    kind: str
    """`prior`, `recent` or `new`."""
    patient_id: str
    study: str
    series: str
    sop: str
    path: Path


def write_story(folder: Path) -> list[StoryImage]:
    """Write the 24 studies below a folder, one folder for each kind, and return them."""
    return list(_iter_written(folder))


def _iter_written(folder: Path) -> Iterator[StoryImage]:
    for kind, days in DAYS.items():
        (folder / kind).mkdir(parents=True)
        for number, (patient, day) in enumerate(zip(STORY_PATIENTS, days, strict=True), start=1):
            study, series, sop = (_uid(f"{patient.patient_id} {day} {part}") for part in ("study", "series", "image"))
            path = folder / kind / f"patient{number}-{day}.dcm"
            dataset = _chest(number, study, series, sop)
            dataset.PatientName, dataset.PatientID, dataset.PatientSex = patient.name, patient.patient_id, patient.sex
            dataset.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
            dataset.StudyDate, dataset.AccessionNumber = day, f"A{number}-{day}"
            path.write_bytes(write_file(dataset, EXPLICIT))
            yield StoryImage(number, kind, patient.patient_id, study, series, sop, path)


def _uid(name: str) -> str:
    return f"2.25.{uuid5(NAMESPACE_OID, name).int}"


def _chest(number: int, study: str, series: str, sop: str) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", sop
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.Modality, dataset.StudyDescription, dataset.SeriesDescription = "CR", "CHEST AP PORT", "AP"
    dataset.BodyPartExamined, dataset.SeriesNumber, dataset.InstanceNumber = "CHEST", 3, 1
    dataset.StudyTime, dataset.ReferringPhysicianName, dataset.StudyID = "101500", "", ""
    dataset.PatientOrientation, dataset.Laterality = "", ""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = 64
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    pixels = np.random.default_rng(number).integers(0, 4096, (64, 64), dtype=np.uint16)
    dataset.PixelData = pixels.tobytes()
    return dataset
