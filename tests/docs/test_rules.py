"""What the how-to about rules says is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.support.command_line import CommandLine
from tests.support.dicom_files import EXPLICIT, write_file
from tests.support.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "how-to" / "rules.md").read_text(encoding="utf-8")
CHANNELS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
PROBLEM = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
COMMANDS = re.findall(r"^isocenter (.+)$", PAGE, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "channels.toml").write_text(CHANNELS, encoding="utf-8")
    (tmp_path / "channels-new.toml").write_text(CHANNELS.replace("*chest*", "*thorax*"), encoding="utf-8")
    dataset = Dataset()
    dataset.Modality, dataset.StudyDescription, dataset.AccessionNumber = "CR", "Chest ap", "7"
    (tmp_path / "chest.dcm").write_bytes(write_file(dataset, EXPLICIT))
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "1.dcm").write_bytes(write_file(dataset, EXPLICIT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_has_commands_and_texts() -> None:
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_works(command: str, folder: Path) -> None:
    assert CommandLine(folder / "state").must(*command.split())


def test_a_problem_is_told_as_the_page_shows_it(folder: Path) -> None:
    (folder / "channels.toml").write_text(CHANNELS.replace("Modality in", "Modalty in"), encoding="utf-8")
    answer = CommandLine(folder / "state").run("rule", "check", "channels.toml")
    assert answer.err.removeprefix("Error: ") == PROBLEM


def test_changes_are_shown_before_and_after(folder: Path) -> None:
    out = CommandLine(folder / "state").must("rule", "try", "chest.dcm", "--rules", "channels.toml", "--changes")
    assert "    AccessionNumber: 7 → GH-7\n" in out
