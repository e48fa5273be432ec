"""dicomweb-client (PyPI), an independent client, stores, searches, retrieves and deletes."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from isocenter.modality.demo_studies import demo_plans
from isocenter.modality.plans import CtSeriesPlan
from isocenter.modality.studies import iter_study
from tests.support.processes import Node, serve

pytestmark = pytest.mark.interop

INSTANCES = 6


@pytest.fixture(scope="module")
def datasets() -> list[pydicom.Dataset]:
    """Return the first instances of a generated CT study."""
    plan = next(plan for plan in demo_plans(datetime(2026, 11, 21)) if isinstance(plan.series[0], CtSeriesPlan))
    found: list[pydicom.Dataset] = []
    for content in iter_study(plan, 7):
        found.append(pydicom.dcmread(io.BytesIO(content)))
        if len(found) == INSTANCES:
            break
    return found


@pytest.fixture(scope="module", params=["dicom-web", "v2"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, datasets: list[pydicom.Dataset]
) -> Iterator[DICOMwebClient]:
    """Return the client at each root of a node that it has stored the study in."""
    started: Node
    with serve(tmp_path_factory.mktemp("node") / "data") as started:
        connected = DICOMwebClient(f"{started.base_url}/{request.param}")
        answer = connected.store_instances(datasets)
        assert len(answer.ReferencedSOPSequence) == INSTANCES
        yield connected


def test_a_stored_study_is_found_by_its_patient(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    [found] = client.search_for_studies(search_filters={"PatientID": datasets[0].PatientID})
    assert found["0020000D"]["Value"] == [datasets[0].StudyInstanceUID]


def test_series_and_instances_of_a_study_are_listed(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    study_instance_uid = datasets[0].StudyInstanceUID
    [series] = client.search_for_series(study_instance_uid)
    assert series["0020000E"]["Value"] == [datasets[0].SeriesInstanceUID]
    instances = client.search_for_instances(study_instance_uid)
    assert {item["00080018"]["Value"][0] for item in instances} == {dataset.SOPInstanceUID for dataset in datasets}


def test_a_series_comes_back_equal(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    first = datasets[0]
    retrieved = client.retrieve_series(
        first.StudyInstanceUID, first.SeriesInstanceUID, media_types=(("application/dicom", "*"),)
    )
    by_uid = {dataset.SOPInstanceUID: dataset for dataset in retrieved}
    assert by_uid == {dataset.SOPInstanceUID: dataset for dataset in datasets}


def test_one_instance_comes_back_equal(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    first = datasets[0]
    retrieved = client.retrieve_instance(first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID)
    assert retrieved == first


def test_frames_are_the_pixels(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    first = datasets[0]
    [frame] = client.retrieve_instance_frames(
        first.StudyInstanceUID,
        first.SeriesInstanceUID,
        first.SOPInstanceUID,
        frame_numbers=[1],
        media_types=(("application/octet-stream", "*"),),
    )
    pixels = np.frombuffer(frame, dtype=first.pixel_array.dtype).reshape(first.pixel_array.shape)
    assert np.array_equal(pixels, first.pixel_array)


def test_frames_come_in_lossless_jpeg_2000_and_are_the_same_pixels(
    client: DICOMwebClient, datasets: list[pydicom.Dataset]
) -> None:
    first = datasets[0]
    [frame] = client.retrieve_instance_frames(
        first.StudyInstanceUID,
        first.SeriesInstanceUID,
        first.SOPInstanceUID,
        frame_numbers=[1],
        media_types=(("image/jp2", "1.2.840.10008.1.2.4.90"),),
    )
    assert np.array_equal(imagecodecs.jpeg2k_decode(frame), first.pixel_array)


def test_metadata_reads_as_the_same_data_set(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    first = datasets[0]
    metadata = client.retrieve_series_metadata(first.StudyInstanceUID, first.SeriesInstanceUID)
    by_uid = {item["00080018"]["Value"][0]: item for item in metadata}
    found = by_uid[first.SOPInstanceUID]
    found.pop("7FE00010", None)
    read = pydicom.Dataset.from_json(found)
    expected = copy.deepcopy(first)
    del expected.PixelData
    assert read.PatientName == expected.PatientName
    assert read.ImagePositionPatient == expected.ImagePositionPatient
    assert {element.tag for element in read} == {element.tag for element in expected}


def test_a_rendered_instance_is_a_picture_of_its_size(client: DICOMwebClient, datasets: list[pydicom.Dataset]) -> None:
    first = datasets[0]
    content = client.retrieve_instance_rendered(
        first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID, media_types=("image/png",)
    )
    assert content.startswith(b"\x89PNG")


def test_a_deleted_instance_is_gone_and_its_siblings_stay(
    client: DICOMwebClient, datasets: list[pydicom.Dataset], tmp_path: Path
) -> None:
    last = datasets[-1]
    client.delete_instance(last.StudyInstanceUID, last.SeriesInstanceUID, last.SOPInstanceUID)
    left = client.search_for_instances(last.StudyInstanceUID)
    assert {item["00080018"]["Value"][0] for item in left} == {item.SOPInstanceUID for item in datasets[:-1]}
    client.store_instances([last])
