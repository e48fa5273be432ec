"""The page on the simulated modality says what the program does."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO

import pytest

from isocenter.app.cli import main
from isocenter.modality.devices.misbehaviour import SWITCHES
from isocenter.modality.devices.profile import PROFILES
from isocenter.modality.devices.scripts import SCRIPT_LINES, StoryAddresses
from tests.support.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs/how-to/modality.md").read_text(encoding="utf-8")


def _first_cells(heading: str) -> list[str]:
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [cell.strip("` ") for cell in re.findall(r"^\| (.+?) \|", table, re.MULTILINE)]


def test_every_profile_misbehaviour_and_script_stands_in_its_table() -> None:
    assert _first_cells("profile") == list(PROFILES)
    assert _first_cells("switch") == [f"{switch.flag} {switch.metavar}".strip() for switch in SWITCHES]
    assert _first_cells("script") == [script.value for script in SCRIPT_LINES]


def test_scripts_go_where_the_page_says() -> None:
    for script in SCRIPT_LINES:
        assert f"| {script.value} | `{StoryAddresses().of(script).ae_title}` |" in PAGE


@pytest.mark.parametrize("line", re.findall(r"^isocenter modality (.+)$", PAGE, re.MULTILINE))
def test_every_command_line_of_the_page_is_understood(line: str) -> None:
    name, *_ = line.split()
    out = StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(["modality", name, "--help"])
    assert ended.value.code == 0
    assert [option for option in re.findall(r"(?<=\s)--[a-z-]+", line) if option not in out.getvalue()] == []
