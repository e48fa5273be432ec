"""Which instances of which studies are in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.listing_references import references_in_files
from isocenter.domain.commitment import InstanceReference
from isocenter.domain.errors import NotFound
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.small_instances import make_instance

STUDIES = [identify(number).study_instance_uid for number in (1, 2, 3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for study in (1, 2):
        for number in (1, 2):
            (tmp_path / f"{study}-{number}").write_bytes(make_instance(identify(study, 1, number)).content)
    (tmp_path / "again").write_bytes(make_instance(identify(1, 1, 1)).content)
    (tmp_path / "notes.txt").write_text("no instance")
    (tmp_path / "empty").touch()
    return tmp_path


def _reference(study: int, number: int) -> InstanceReference:
    return InstanceReference(CT_IMAGE_STORAGE, identify(study, 1, number).sop_instance_uid)


def test_each_instance_is_named_once_and_other_files_are_counted(folder: Path) -> None:
    references, skipped = references_in_files([folder], ())
    assert sorted(references, key=str) == sorted(
        (_reference(study, number) for study in (1, 2) for number in (1, 2)), key=str
    )
    assert skipped == 2


def test_only_those_of_the_studies_that_are_named(folder: Path) -> None:
    references, _ = references_in_files([folder], STUDIES[1:2])
    assert references == [_reference(2, 1), _reference(2, 2)]


def test_a_study_without_a_file_is_an_error_and_not_a_shorter_list(folder: Path) -> None:
    with pytest.raises(NotFound, match="no instance of study " + STUDIES[2].replace(".", "[.]")):
        references_in_files([folder], STUDIES)
