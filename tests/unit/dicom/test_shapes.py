"""A header that is recalled by its shape gives what a walk of it gives, and any other header is walked."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from isocenter.dicom.model import ScannedInstance
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.shapes import HeaderShapes
from isocenter.domain.attributes import BY_TAG
from isocenter.domain.errors import InvalidDataset
from isocenter.modality.workload import WORKLOADS, write_workload
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

WANTED = frozenset(BY_TAG)
MUTATIONS = 60


def _scan(content: bytes, shapes: HeaderShapes | None) -> ScannedInstance | str:
    try:
        return scan_instance(content, wanted=WANTED, shapes=shapes)
    except InvalidDataset as error:
        return str(error)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the instances of a series, whose headers differ in values only."""
    folder: Path = tmp_path_factory.mktemp("series")
    entries = write_workload(folder, WORKLOADS["A"].scaled(0.05))
    return [(folder / entry.path).read_bytes() for entry in entries[:20]]


def test_instances_of_a_series_are_recalled_with_their_own_values(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    for content in series[:2]:
        scan_instance(content, wanted=WANTED, shapes=shapes)
    for content in series[2:]:
        assert shapes.recall(content, WANTED) is not None
        assert scan_instance(content, wanted=WANTED, shapes=shapes) == scan_instance(content, wanted=WANTED)


def test_a_header_seen_once_is_not_worth_learning(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    scan_instance(series[0], wanted=WANTED, shapes=shapes)
    assert shapes.recall(series[1], WANTED) is None


def test_other_wanted_attributes_are_another_shape(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    for content in series[:2]:
        scan_instance(content, wanted=WANTED, shapes=shapes)
    assert shapes.recall(series[2], frozenset({0x00100010})) is None


def test_pixel_data_that_is_cut_off_is_refused_though_the_header_is_known(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    for content in series[:2]:
        scan_instance(content, wanted=WANTED, shapes=shapes)
    with pytest.raises(InvalidDataset):
        scan_instance(series[2][:-2], wanted=WANTED, shapes=shapes)


@pytest.mark.parametrize("row", manifest_params(lambda row: row.is_dicom and row.size_bytes < 4_000_000))
def test_whatever_is_changed_in_a_known_header_the_scan_is_that_of_a_walk(row: ManifestRow) -> None:
    content = read_bytes(row)
    shapes = HeaderShapes()
    for _ in range(2):
        _scan(content, shapes)
    assert _scan(content, shapes) == _scan(content, None)
    end = min(len(content), 20_000)
    dice = random.Random(row.sha256)
    for _ in range(MUTATIONS if end > 132 else 0):
        changed = bytearray(content)
        for _ in range(dice.randint(1, 3)):
            changed[dice.randrange(132, end)] = dice.choice((0, 1, 2, 0x20, 0x41, 0x7F, 0xFE, 0xFF))
        assert _scan(bytes(changed), shapes) == _scan(bytes(changed), None)
