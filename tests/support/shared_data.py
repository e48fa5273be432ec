"""The real DICOM files that tests run on: where they lie, and what the manifest says of each.

They are found by the variable ISOCENTER_SHARED_DATA, else at `../shared/data` beside the repository.
They are never copied into it. Without them a test is skipped loudly, and fails in CI.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.peers import MISSING_PREFIX, is_ci, missing

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLE = "ISOCENTER_SHARED_DATA"
_NOT_THERE = f"the shared data is not there; set {VARIABLE} or put it at ../shared/data beside the repository"


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One file of the shared data; what the manifest does not know is empty or None."""

    path: str
    """Relative to the folder of the shared data, for example `charset/chrH31.dcm`."""
    sha256: str
    size_bytes: int
    sop_class_uid: str
    sop_class: str
    transfer_syntax_uid: str
    transfer_syntax: str
    modality: str
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    rows: int | None
    columns: int | None
    number_of_frames: int | None
    character_set: str
    source: str
    licence: str
    note: str

    @property
    def folder(self) -> str:
        """Return the first part of the path: what the file is for."""
        return self.path.split("/", 1)[0]

    @property
    def is_broken(self) -> bool:
        """Tell whether the file is malformed: to be refused or warned about, never to crash on."""
        return self.folder == "broken"

    @property
    def is_dicom(self) -> bool:
        """Tell whether the file is meant to be DICOM (the text forms of work-list items are not)."""
        return not self.path.endswith((".dump", ".txt"))

    @property
    def is_instance(self) -> bool:
        """Tell whether this is a sound composite instance, one that an archive must keep."""
        return self.is_dicom and not self.is_broken and bool(self.sop_instance_uid and self.study_instance_uid)


def find_shared_data() -> Path | None:
    """Return the folder of the shared data, or None where there is none."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if (folder / "manifest.tsv").is_file() else None


def shared_data() -> Path:
    """Return the folder of the shared data; skip the test loudly without it, fail it in CI."""
    folder = find_shared_data()
    if folder is None:
        missing(_NOT_THERE)
    return folder


def manifest_rows(wanted: Callable[[ManifestRow], bool] | None = None) -> list[ManifestRow]:
    """Return the rows of the manifest, or those that are wanted; call it inside a test or fixture."""
    return [row for row in _rows(shared_data()) if wanted is None or wanted(row)]


def manifest_params(wanted: Callable[[ManifestRow], bool] | None = None) -> list[ParameterSet]:
    """Return the rows as parameters for `pytest.mark.parametrize`.

    Without the data there is one parameter, skipped loudly; in CI it is not skipped and `path_of` fails it.
    """
    folder = find_shared_data()
    if folder is None:
        marks = () if is_ci() else (pytest.mark.skip(reason=MISSING_PREFIX + _NOT_THERE),)
        return [pytest.param(_NO_ROW, id="no-shared-data", marks=marks)]
    return [pytest.param(row, id=row.path) for row in _rows(folder) if wanted is None or wanted(row)]


def path_of(row: ManifestRow) -> Path:
    """Return where the file of a row lies."""
    return shared_data() / row.path


def read_bytes(row: ManifestRow) -> bytes:
    """Return the bytes of the file of a row."""
    return path_of(row).read_bytes()


@cache
def _rows(folder: Path) -> tuple[ManifestRow, ...]:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as text:
        return tuple(_row(fields) for fields in csv.DictReader(text, delimiter="\t"))


def _row(fields: dict[str, str]) -> ManifestRow:
    return ManifestRow(
        path=fields["path"],
        sha256=fields["sha256"],
        size_bytes=int(fields["bytes"]),
        sop_class_uid=fields["sop_class_uid"],
        sop_class=fields["sop_class"],
        transfer_syntax_uid=fields["transfer_syntax_uid"],
        transfer_syntax=fields["transfer_syntax"],
        modality=fields["modality"],
        patient_id=fields["patient_id"],
        study_instance_uid=fields["study_uid"],
        series_instance_uid=fields["series_uid"],
        sop_instance_uid=fields["sop_instance_uid"],
        rows=_number(fields["rows"]),
        columns=_number(fields["columns"]),
        number_of_frames=_number(fields["frames"]),
        character_set=fields["charset"],
        source=f"{fields['source_repo']}@{fields['source_commit']}:{fields['source_path']}",
        licence=fields["licence"],
        note=fields["note"],
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


_NO_ROW = ManifestRow(
    path="",
    sha256="",
    size_bytes=0,
    sop_class_uid="",
    sop_class="",
    transfer_syntax_uid="",
    transfer_syntax="",
    modality="",
    patient_id="",
    study_instance_uid="",
    series_instance_uid="",
    sop_instance_uid="",
    rows=None,
    columns=None,
    number_of_frames=None,
    character_set="",
    source="",
    licence="",
    note="",
)
