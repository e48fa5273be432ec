"""Transforms on real files of every transfer syntax and character set change what they name, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.dicom.amend import Copied
from isocenter.dicom.scan import scan_instance
from isocenter.routing.rules.expression import Path, PathStep
from isocenter.routing.transforms.apply import Circumstances, transform_instance
from isocenter.routing.transforms.step import Affix, Recode, Remove, SetValue, Step, Transform
from tests.support.dicom_files import quiet_pydicom
from tests.support.rule_expressions import subject
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

HERE = Circumstances(datetime(2026, 11, 21, 10, 0, tzinfo=UTC), "ROUTER")
ACCESSION, COMMENTS, PATIENT_ID, CHARACTER_SET = 0x00080050, 0x00104000, 0x00100020, 0x00080005
SIZE_MAX_BYTES = 8 * 1024**2
"""pydicom takes a minute for the largest files, and they differ from others in their pixels only."""


def _is_taken(row: ManifestRow) -> bool:
    """Tell whether a file has a preamble: without one an archive does not keep it."""
    return row.is_instance and row.size_bytes <= SIZE_MAX_BYTES and read_bytes(row)[128:132] == b"DICM"


def _path(tag: int) -> Path:
    return Path((PathStep(tag),))


def _made(content: bytes, *steps: Step) -> bytes:
    transform = Transform("morph", steps, keeps_originals=False)
    pieces = transform_instance(content, [transform], subject(), HERE).pieces
    return b"".join(content[piece.start : piece.end] if isinstance(piece, Copied) else piece for piece in pieces)


def _read(content: bytes) -> Dataset:
    with quiet_pydicom():
        return pydicom.dcmread(BytesIO(content), force=True)


def _raw(dataset: Dataset, *left_out: int) -> dict[int, object]:
    """Return the values as they are encoded, but of some attributes and of group lengths."""
    kept = [tag for tag in dataset.keys() if int(tag) not in left_out and tag.element]  # noqa: SIM118 - iterating decodes
    return {int(tag): getattr(dataset.get_item(tag), "value", None) for tag in kept}


@pytest.mark.parametrize("row", manifest_params(_is_taken))
def test_only_what_the_steps_name_is_otherwise(row: ManifestRow) -> None:
    content = read_bytes(row)
    out = _made(
        content,
        Step(SetValue(_path(ACCESSION), ("ACC-1",))),
        Step(Remove(_path(COMMENTS))),
        Step(Affix(_path(PATIENT_ID), prefix="X")),
    )
    before, after = _read(content), _read(out)
    assert after.AccessionNumber == "ACC-1"
    assert "PatientComments" not in after
    if before.get("PatientID"):
        assert str(after.PatientID) == "X" * (not str(before.PatientID).startswith("X")) + str(before.PatientID)
    changed = (ACCESSION, COMMENTS, PATIENT_ID)
    assert _raw(after, *changed) == _raw(before, *changed)
    scanned = scan_instance(out, wanted=frozenset({0x00080018}))
    assert scanned.attributes[0x00080018] == row.sop_instance_uid


@pytest.mark.parametrize("row", manifest_params(lambda row: row.is_instance and row.folder == "charset"))
def test_text_reads_the_same_in_utf_8(row: ManifestRow) -> None:
    content = read_bytes(row)
    out = _made(content, Step(Recode("ISO_IR 192")))
    before, after = _read(content), _read(out)
    assert after.SpecificCharacterSet == "ISO_IR 192"
    with quiet_pydicom():
        assert after.get("PatientName") == before.get("PatientName")
        assert after.get("StudyDescription") == before.get("StudyDescription")
