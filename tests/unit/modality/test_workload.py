from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from isocenter.modality.workload import WORKLOADS, WorkloadShape, write_workload

SMALL = WorkloadShape("A", 2, 2, 4, 80, 80)
LARGE = WorkloadShape("C", 1, 2, 1, 1100, 40, 3)


def _elements(dataset: Dataset) -> int:
    return sum(1 + (sum(_elements(item) for item in e.value) if e.VR == "SQ" else 0) for e in dataset)


def test_the_list_says_what_the_files_hold(tmp_path: Path) -> None:
    write_workload(tmp_path, SMALL)
    entries = json.loads((tmp_path / "A.json").read_text())
    assert len(entries) == 16
    for entry in entries:
        dataset = dcmread(tmp_path / entry["path"])
        assert entry == {
            "path": entry["path"],
            "study": dataset.StudyInstanceUID,
            "series": dataset.SeriesInstanceUID,
            "sop": dataset.SOPInstanceUID,
            "class": dataset.SOPClassUID,
            "pid": dataset.PatientID,
            "name": str(dataset.PatientName),
            "acc": dataset.AccessionNumber,
            "date": dataset.StudyDate,
            "size": (tmp_path / entry["path"]).stat().st_size,
        }


def test_a_header_is_as_rich_as_a_scanners(tmp_path: Path) -> None:
    (first, *_) = write_workload(tmp_path, SMALL)
    assert 110 <= _elements(dcmread(tmp_path / first.path)) <= 160
    assert first.size == pytest.approx(16_384, rel=0.02)


def test_slices_of_a_series_lie_a_millimetre_apart(tmp_path: Path) -> None:
    written = write_workload(tmp_path, SMALL)[:4]
    heights = [float(dcmread(tmp_path / i.path).ImagePositionPatient[2]) for i in written]
    assert heights == [-100.0, -99.0, -98.0, -97.0]


def test_the_same_seed_writes_the_same_bytes_and_another_seed_other_uids(tmp_path: Path) -> None:
    first, again, other = (
        write_workload(tmp_path / folder, SMALL, seed=seed) for folder, seed in (("1", 1), ("2", 1), ("3", 2))
    )
    assert first == again
    assert all((tmp_path / "1" / i.path).read_bytes() == (tmp_path / "2" / i.path).read_bytes() for i in first)
    assert not {i.sop for i in first} & {i.sop for i in other}


def test_four_senders_get_equal_shares_of_the_same_files(tmp_path: Path) -> None:
    written = write_workload(tmp_path, SMALL)
    shares = [sorted((tmp_path / "A.split4" / str(share)).iterdir()) for share in range(4)]
    assert [len(share) for share in shares] == [4, 4, 4, 4]
    linked = [path.stat().st_ino for share in shares for path in share]
    assert linked == [(tmp_path / i.path).stat().st_ino for i in written]


def test_writing_again_leaves_nothing_of_the_set_before(tmp_path: Path) -> None:
    write_workload(tmp_path, SMALL)
    write_workload(tmp_path, SMALL.scaled(0.5))
    assert len(list((tmp_path / "A").rglob("*.dcm"))) == 8


def test_a_large_instance_has_all_its_frames(tmp_path: Path) -> None:
    (first, second) = write_workload(tmp_path, LARGE)
    dataset = dcmread(tmp_path / first.path)
    assert dataset.pixel_array.shape == (3, 1100, 40)
    assert len(dataset.PerFrameFunctionalGroupsSequence) == 3
    assert first.study == second.study
    assert first.series != second.series


def test_the_sets_have_the_sizes_that_the_benchmark_speaks_of() -> None:
    assert {name: shape.number_of_instances for name, shape in WORKLOADS.items()} == {
        "A": 2000,
        "B": 500,
        "C": 4,
        "D": 2000,
        "E": 20000,
    }
    large = WORKLOADS["C"]
    assert large.rows * large.columns * large.frames * 2 == pytest.approx(204e6, rel=0.01)
