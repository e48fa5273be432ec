"""The tables of what the DICOM service and the router are held to name tests that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.shared_data import REPOSITORY

HEADINGS = ("| behaviour", "| what |", "| limit |", "| promise |")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, with what letters stand for on its page."""

    cells: tuple[str, ...]
    letters: Mapping[str, str]


def _rows_of(name: str) -> list[Row]:
    page = (REPOSITORY / "docs/conformance" / name).read_text(encoding="utf-8")
    letters = dict(re.findall(r"\b([A-Z]) = `([\w/]+\.py)`", page))
    return [
        Row(tuple(cell.strip() for cell in line.strip("|").split("|")), letters)
        for line in page.splitlines()
        if line.startswith("| ") and not line.startswith(HEADINGS)
    ]


ROWS = [*_rows_of("dicom-service.md"), *_rows_of("router.md")]


@cache
def _tests_of(file: str) -> frozenset[str]:
    path = Path(REPOSITORY, "tests", file)
    return frozenset(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def _named(row: Row) -> list[tuple[str, str]]:
    """Return file and name of each test of a row; a file counts until the next one is named."""
    found: list[tuple[str, str]] = []
    file = ""
    for letter, name in re.findall(r"\b([A-Z]) (?=`)|`([\w/.]+)`", row.cells[1]):
        if letter:
            file = row.letters[letter]
        elif name.endswith(".py"):
            file = name
        else:
            found.append((file, name))
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cells[0][:60])
def test_every_behaviour_has_its_tests(row: Row) -> None:
    named = _named(row)
    assert named or row.cells[-1].startswith("differs"), "name the test that holds it"
    assert [name for file, name in named if name not in _tests_of(file)] == []


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.cells) > 2], ids=lambda row: row.cells[0][:60])
def test_every_behaviour_says_whether_it_is_the_same(row: Row) -> None:
    assert re.match(r"done\b|differs\b.*: \S|differs from .+: \S", row.cells[2]), row.cells[2]
