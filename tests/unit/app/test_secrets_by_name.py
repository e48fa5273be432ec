"""Secrets by name: from the environment, else from a file that nobody else may read, and never shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isocenter.app.secrets_by_name import SECRET_SIZE_MAX_BYTES, SecretsByName, variable_of
from isocenter.domain.errors import InvalidSetting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "secrets"
    path.mkdir()
    return path


def _put(folder: Path, name: str, content: bytes, mode: int = 0o600) -> None:
    (folder / name).write_bytes(content)
    (folder / name).chmod(mode)


def test_a_file_holds_a_secret_without_the_end_of_its_line(folder: Path) -> None:
    _put(folder, "cloud", "hüsch \n".encode())
    assert SecretsByName(folder.parent, {}).read("cloud") == "hüsch "


def test_the_environment_comes_first(folder: Path) -> None:
    _put(folder, "cloud.secret-1", b"file")
    assert variable_of("cloud.secret-1") == "ISOCENTER_SECRET_CLOUD_SECRET_1"
    secrets = SecretsByName(folder.parent, {"ISOCENTER_SECRET_CLOUD_SECRET_1": "variable"})
    assert secrets.read("cloud.secret-1") == "variable"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff", b"x" * (SECRET_SIZE_MAX_BYTES + 1)])
def test_what_is_no_secret_is_refused_and_not_shown(folder: Path, content: bytes) -> None:
    _put(folder, "cloud", content)
    with pytest.raises(InvalidSetting) as refusal:
        SecretsByName(folder.parent, {}).read("cloud")
    assert "lines" not in refusal.value.message


def test_a_missing_secret_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="ISOCENTER_SECRET_CLOUD"):
        SecretsByName(tmp_path, {}).read("cloud")


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes there")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(folder: Path, mode: int) -> None:
    _put(folder, "cloud", b"hush", mode)
    with pytest.raises(InvalidSetting, match="chmod 600") as refusal:
        SecretsByName(folder.parent, {}).read("cloud")
    assert "hush" not in refusal.value.message


@pytest.mark.parametrize("name", ["../cloud", "", "a/b", ".hidden", "x" * 65])
def test_a_name_is_no_path(folder: Path, name: str) -> None:
    with pytest.raises(InvalidSetting, match="named by"):
        SecretsByName(folder.parent, {}).read(name)
