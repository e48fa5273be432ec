"""A header that is recalled by its shape gives what a walk of it gives, and any other header is walked."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from isocenter.dicom.model import ScannedInstance
from isocenter.dicom.scan import ScannedHeader, scan_header, scan_instance, scan_known_header
from isocenter.dicom.shapes import HeaderShapes
from isocenter.dicom.validation import find_flaws
from isocenter.dicom.validation_plan import Flaw
from isocenter.domain.attributes import BY_TAG
from isocenter.domain.errors import InvalidDataset
from isocenter.modality.workload import WORKLOADS, write_workload
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

WANTED = frozenset(BY_TAG)
MUTATIONS = 60
MANUFACTURER, PATIENT_AGE = 0x00080070, 0x00101010


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


def _flaws(header: ScannedHeader) -> list[Flaw]:
    return find_flaws(header.buffer, header.everything or header.elements, end=header.end, plan=header.plan)


@pytest.mark.parametrize("takes_all", [False, True])
def test_a_header_is_scanned_the_same_whoever_looks_at_its_values(series: list[bytes], takes_all: bool) -> None:
    shapes = HeaderShapes()
    for content in series:
        header = scan_header(content, wanted=WANTED, shapes=shapes, takes_all=takes_all)
        assert header.scanned == scan_instance(content, wanted=WANTED)
        assert (header.plan is not None) is (takes_all and content not in series[:2])


@pytest.mark.parametrize("takes_all", [False, True])
def test_what_is_only_located_is_not_read_though_the_header_is_known(series: list[bytes], takes_all: bool) -> None:
    shapes = HeaderShapes()
    located = frozenset({MANUFACTURER, PATIENT_AGE})
    for content in series:
        header = scan_header(content, wanted=WANTED, shapes=shapes, takes_all=takes_all, located=located)
        assert header.scanned.attributes == scan_instance(content, wanted=WANTED).attributes
        assert located <= {element[0] for element in header.elements}
    assert shapes.recall(series[0], WANTED) is None


def test_an_invalid_value_is_found_though_the_header_is_known(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    for content in series[:2]:
        assert not _flaws(scan_header(content, wanted=WANTED, shapes=shapes, takes_all=True))
    broken = series[2].replace(b"MONOCHROME2", b"monochrome2", 1)
    header = scan_header(broken, wanted=WANTED, shapes=shapes, takes_all=True)
    assert header.plan is not None
    assert [flaw.path for flaw in _flaws(header)] == ["00280004"]


def test_the_beginning_of_a_known_header_suffices(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    content = series[2]
    size_bytes = len(content)
    for other in series[:2]:
        scan_header(other, wanted=WANTED, shapes=shapes, takes_all=True)
    header = scan_known_header(content[:8192], size_bytes=size_bytes, wanted=WANTED, shapes=shapes, takes_all=True)
    assert header is not None
    assert header.scanned == scan_instance(content, wanted=WANTED)
    assert not _flaws(header)
    fresh = HeaderShapes()
    assert scan_known_header(content[:8192], size_bytes=size_bytes, wanted=WANTED, shapes=fresh, takes_all=True) is None


def test_a_shape_that_was_learned_without_its_values_is_learned_again_with_them(series: list[bytes]) -> None:
    shapes = HeaderShapes()
    for content in series[:2]:
        scan_instance(content, wanted=WANTED, shapes=shapes)
    assert shapes.recall(series[2], WANTED, has_plan=True) is None
    scan_header(series[2], wanted=WANTED, shapes=shapes, takes_all=True)
    assert shapes.recall(series[3], WANTED, has_plan=True) is not None
