"""ARCHITECTURE.md, the folders, their docstrings and the import contract tell one story."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.shared_data import REPOSITORY

PACKAGE = REPOSITORY / "src" / "isocenter"
NOTHING_YET = "nothing yet."
"""What a room says that it holds, when it is a place kept free for a later issue."""
FORBIDDEN_NAMES = frozenset({"utils", "util", "common", "helpers", "helper", "core", "base", "misc", "manager"})
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


@dataclass(frozen=True)
class TableRow:
    """One row of the room table."""

    floor: int
    room: str
    purpose: str
    state: str


def _table() -> list[TableRow]:
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return [TableRow(int(floor), room, purpose, state) for floor, room, purpose, state in rows]


def _docstring_lines(room: str) -> list[str]:
    text = (PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").splitlines()


def _field(room: str, name: str) -> str:
    found = [line.removeprefix(f"{name}: ") for line in _docstring_lines(room) if line.startswith(f"{name}: ")]
    assert len(found) == 1, f"the docstring of {room} needs one line `{name}: …`"
    return found[0]


def _contract_layers() -> list[set[str]]:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    floors = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["id"] == "floors")
    return [set(re.split(r"\s*\|\s*", layer)) for layer in floors["layers"]]


def test_every_room_has_one_row_and_every_row_a_room() -> None:
    assert sorted(row.room for row in _table()) == ROOMS


def test_floors_of_the_table_are_the_floors_of_the_contract() -> None:
    layers = _contract_layers()
    by_room = {room: number for number, layer in enumerate(layers) for room in layer}
    assert sorted(by_room) == ROOMS
    table = sorted(_table(), key=lambda row: -row.floor)
    assert [row.room for row in table] == sorted(
        (row.room for row in table), key=lambda room: _order(by_room, table, room)
    )
    for upper in table:
        for lower in table:
            if upper.floor > lower.floor:
                assert by_room[upper.room] < by_room[lower.room], f"{upper.room} stands above {lower.room}"


def _order(by_room: dict[str, int], table: list[TableRow], room: str) -> tuple[int, int]:
    return by_room[room], [row.room for row in table].index(room)


@pytest.mark.parametrize("room", ROOMS)
def test_purpose_in_the_table_is_the_first_line_of_the_docstring(room: str) -> None:
    purpose = next(row.purpose for row in _table() if row.room == room)
    assert _docstring_lines(room)[0] == purpose


@pytest.mark.parametrize("room", ROOMS)
def test_room_says_what_it_holds_and_never_does(room: str) -> None:
    assert _field(room, "Holds")
    assert _field(room, "Never")


@pytest.mark.parametrize("room", ROOMS)
def test_room_names_a_file_to_start_reading_at(room: str) -> None:
    start = _field(room, "Start reading at")
    name = re.search(r"`(.+?)`", start)
    assert name, f"{room}: the name of the file stands in backquotes"
    is_planned = start.startswith("planned: ")
    assert is_planned == (_field(room, "Holds") == NOTHING_YET)
    assert (PACKAGE / room / name.group(1)).exists() != is_planned, f"{room}/{name.group(1)}"


@pytest.mark.parametrize("room", ROOMS)
def test_table_calls_planned_what_holds_nothing_yet(room: str) -> None:
    state = next(row.state for row in _table() if row.room == room)
    assert state.startswith("planned") == (_field(room, "Holds") == NOTHING_YET)


@pytest.mark.parametrize("room", ROOMS)
def test_room_that_holds_nothing_yet_is_empty(room: str) -> None:
    modules = [path.name for path in (PACKAGE / room).rglob("*.py")]
    assert (modules == ["__init__.py"]) == (_field(room, "Holds") == NOTHING_YET)


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [
        path for path in PACKAGE.rglob("*") if path.stem.strip("_") in FORBIDDEN_NAMES and path.suffix in {"", ".py"}
    ]
    assert [str(path.relative_to(REPOSITORY)) for path in named] == []


def test_every_module_begins_with_a_docstring() -> None:
    paths = [*PACKAGE.rglob("*.py"), *Path(REPOSITORY / "scripts").glob("*.py")]
    assert [str(path) for path in paths if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None] == []


def test_every_folder_of_tests_belongs_to_a_stage_of_the_check() -> None:
    tests = REPOSITORY / "tests"
    folders = {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")}
    stages = set(re.findall(r'_pytest\("tests/(\w+)"', (REPOSITORY / "scripts/check.py").read_text(encoding="utf-8")))
    assert folders <= stages
