from __future__ import annotations

from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.domain.identifiers import is_uid
from isocenter.modality.chest import Build
from isocenter.modality.patients import JAPANESE_PATIENT, STORY_PATIENTS, UNICODE_PATIENT, Patient
from isocenter.modality.plans import (
    CrSeriesPlan,
    CtSeriesPlan,
    MrSeriesPlan,
    MrWeighting,
    Orientation,
    Region,
    SeriesPlan,
    StudyPlan,
)
from isocenter.modality.studies import iter_study

BEGUN = datetime(2026, 3, 2, 10, 15)
CT = CtSeriesPlan(Region.HEAD, "Head", 4, 2.5, 0.0, 240.0, (40, 90), edge=64)
CHEST = CtSeriesPlan(Region.CHEST, "Chest", 2, 5.0, 0.0, 390.0, (40, 400), edge=64)
MR = MrSeriesPlan(MrWeighting.T2, "T2", 3, 5.0, -5.0, edge=64)
SAGITTAL = MrSeriesPlan(MrWeighting.T1, "T1", 3, 5.0, -5.0, Orientation.SAGITTAL, edge=64)
CORONAL = MrSeriesPlan(MrWeighting.FLAIR, "FLAIR", 3, 5.0, -5.0, Orientation.CORONAL, edge=64)
ONE = MrSeriesPlan(MrWeighting.T2, "T2", 1, 5.0, -5.0, edge=64)
CR = CrSeriesPlan("PA", rows=160, columns=128, pixel_mm=2.72)
INVERTED = CrSeriesPlan("PA", photometric_interpretation="MONOCHROME1", rows=160, columns=128, pixel_mm=2.72)


def _plan(*series: SeriesPlan, patient: Patient = STORY_PATIENTS[0]) -> StudyPlan:
    return StudyPlan(patient, BEGUN, "ACC1", "Test", series, build=Build(arms_raised=False))


def _read(plan: StudyPlan, seed: int = 7) -> list[FileDataset]:
    return [dcmread(BytesIO(part10)) for part10 in iter_study(plan, seed)]


def test_the_same_seed_makes_the_same_bytes() -> None:
    plan = _plan(CT, CHEST, MR, CR)
    assert list(iter_study(plan, 7)) == list(iter_study(plan, 7))


def test_another_seed_makes_other_uids_and_other_pixels() -> None:
    for first, second in zip(_read(_plan(CT, MR)), _read(_plan(CT, MR), seed=8), strict=True):
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            assert first[keyword].value != second[keyword].value
        assert first.PixelData != second.PixelData


def test_every_instance_has_uids_of_its_own_and_shares_those_of_its_study_and_series() -> None:
    instances = _read(_plan(CT, MR))
    assert len({i.SOPInstanceUID for i in instances}) == len(instances) == 7
    assert len({i.SeriesInstanceUID for i in instances}) == 2
    assert len({i.StudyInstanceUID for i in instances}) == 1
    assert all(is_uid(i.SOPInstanceUID) and i.SOPInstanceUID.startswith("2.25.") for i in instances)


def test_the_plan_knows_how_many_instances_there_will_be() -> None:
    plan = _plan(CT, MR)
    assert plan.number_of_instances == len(list(iter_study(plan, 7)))


@pytest.mark.parametrize(("series", "spacing"), [(CT, 2.5), (CHEST, 5.0), (MR, 5.0), (SAGITTAL, 5.0), (CORONAL, 5.0)])
def test_slices_lie_at_equal_distances_along_their_normal(series: SeriesPlan, spacing: float) -> None:
    instances = _read(_plan(series))
    cosines = np.array([float(v) for v in instances[0].ImageOrientationPatient])
    normal = np.cross(cosines[:3], cosines[3:])
    positions = np.array([[float(v) for v in i.ImagePositionPatient] for i in instances])
    steps = np.diff(positions, axis=0)
    assert np.allclose(np.abs(steps @ normal), spacing)
    assert np.allclose(np.cross(steps, normal), 0, atol=1e-5)
    assert [i.InstanceNumber for i in instances] == list(range(1, len(instances) + 1))


def test_the_series_of_a_study_share_their_frame_of_reference() -> None:
    assert len({i.FrameOfReferenceUID for i in _read(_plan(MR, SAGITTAL))}) == 1


@pytest.fixture(scope="module")
def one_of_each() -> list[FileDataset]:
    return _read(_plan(CT, CHEST, MR, CR, INVERTED))


def test_pixel_values_fit_the_bits_that_are_declared(one_of_each: list[FileDataset]) -> None:
    for instance in one_of_each:
        pixels = instance.pixel_array
        assert pixels.shape == (instance.Rows, instance.Columns)
        assert pixels.max() < 1 << instance.BitsStored
        assert pixels.std() > 20


def test_a_monochrome1_radiograph_is_dark_where_a_monochrome2_one_is_bright(one_of_each: list[FileDataset]) -> None:
    bright, dark = one_of_each[-2:]
    assert (bright.PhotometricInterpretation, dark.PhotometricInterpretation) == ("MONOCHROME2", "MONOCHROME1")
    difference = dark.pixel_array.astype(float) - (4095 - bright.pixel_array.astype(float))
    assert np.abs(difference).mean() < 60


@pytest.mark.parametrize("patient", [*STORY_PATIENTS, JAPANESE_PATIENT, UNICODE_PATIENT])
def test_the_name_of_every_patient_survives_its_character_set(patient: Patient) -> None:
    instance = _read(_plan(ONE, patient=patient))[0]
    assert str(instance.PatientName) == patient.name
    assert instance.PatientID == patient.patient_id


def test_the_japanese_name_has_three_groups() -> None:
    name = _read(_plan(ONE, patient=JAPANESE_PATIENT))[0].PatientName
    assert (name.alphabetic, name.ideographic, name.phonetic) == tuple(JAPANESE_PATIENT.name.split("="))


def test_age_counts_completed_years() -> None:
    patient = STORY_PATIENTS[0]
    assert patient.age_years_on(datetime(2025, 8, 27).date()) == 39
    assert patient.age_years_on(datetime(2025, 8, 28).date()) == 40
