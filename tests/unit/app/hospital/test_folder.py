"""What the folder of a hospital keeps, and who may read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.hospital.control import Part
from isocenter.app.hospital.folder import LOG_SIZE_MAX_BYTES, HospitalFolder
from isocenter.domain.errors import InvalidSetting


@pytest.fixture
def folder(tmp_path: Path) -> HospitalFolder:
    made = HospitalFolder(tmp_path / "hospital")
    made.prepare()
    return made


def test_what_was_drawn_once_holds_for_good(folder: HospitalFolder) -> None:
    assert folder.installation() == folder.installation()


def test_two_installations_have_nothing_secret_in_common(folder: HospitalFolder, tmp_path: Path) -> None:
    other = HospitalFolder(tmp_path / "other")
    other.prepare()
    one, two = folder.installation(), other.installation()
    assert one.person.password != two.person.password
    assert one.client_secret != two.client_secret


def test_nobody_else_may_look_into_it(folder: HospitalFolder) -> None:
    folder.installation()
    assert folder.path.stat().st_mode & 0o077 == 0
    for path in (folder.password_file, folder.secret_file):
        assert path.stat().st_mode & 0o077 == 0


def test_a_password_that_was_removed_is_drawn_anew_and_set_where_the_old_one_is_known(folder: HospitalFolder) -> None:
    first = folder.installation()
    folder.note_accounts(Part.CLOUD, first)
    assert folder.knows_accounts(Part.CLOUD, folder.installation())
    folder.password_file.unlink()
    again = folder.installation()
    assert again.person.password != first.person.password
    assert not folder.knows_accounts(Part.CLOUD, again)


def test_an_empty_password_is_no_password(folder: HospitalFolder) -> None:
    folder.password_file.write_text("")
    with pytest.raises(InvalidSetting, match="is empty; remove it"):
        folder.installation()


def test_a_log_that_has_grown_is_put_aside(folder: HospitalFolder) -> None:
    with (folder.logs / "pacs.log").open("wb") as log:
        log.truncate(LOG_SIZE_MAX_BYTES + 1)
    folder.prepare()
    assert not (folder.logs / "pacs.log").exists()
    assert (folder.logs / "pacs.old").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match="cannot be used"):
        HospitalFolder(tmp_path / "file" / "hospital").prepare()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"cloud": "x"}', "\udcff"])
def test_ports_that_cannot_be_read_are_forgotten(folder: HospitalFolder, text: str) -> None:
    (folder.path / "ports.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert folder.remembered_ports() == {}
