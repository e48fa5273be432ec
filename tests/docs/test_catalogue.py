"""The table of what the DICOM service is held to names tests that are there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs/conformance/dicom-service.md").read_text(encoding="utf-8")
LETTERS = dict(re.findall(r"\b([A-Z]) = `([\w/]+\.py)`", PAGE))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| behaviour", "| what |"))
]


@cache
def _tests_of(file: str) -> frozenset[str]:
    path = Path(REPOSITORY, "tests", file)
    return frozenset(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def _named(cell: str) -> list[tuple[str, str]]:
    """Return file and name of each test of a cell; a file counts until the next one is named."""
    found: list[tuple[str, str]] = []
    file = ""
    for letter, name in re.findall(r"\b([A-Z]) (?=`)|`([\w/.]+)`", cell):
        if letter:
            file = LETTERS[letter]
        elif name.endswith(".py"):
            file = name
        else:
            found.append((file, name))
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_every_behaviour_has_its_tests(row: list[str]) -> None:
    named = _named(row[1])
    assert named or row[-1].startswith("differs"), "name the test that holds it"
    assert [name for file, name in named if name not in _tests_of(file)] == []


@pytest.mark.parametrize("row", [row for row in ROWS if len(row) > 2], ids=lambda row: row[0][:60])
def test_every_behaviour_says_whether_it_is_the_same(row: list[str]) -> None:
    assert re.match(r"done\b|differs\b.*: \S|differs from .+: \S", row[2]), row[2]
