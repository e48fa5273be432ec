"""Every module is reached from the command line or from a test, and every test of a pure room from its module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.shared_data import REPOSITORY

SOURCE = REPOSITORY / "src"
PURE_ROOMS = ("domain", "dicom", "deid")
ENTRY_PACKAGES = ("isocenter.app.cli", "isocenter.__main__")
TEST_FOLDERS = ("tests", "scripts", "bench")


def _module_name(path: Path) -> str:
    parts = list(path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module_name(path): path for path in SOURCE.rglob("*.py")}


def _imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _is_entry(module: str) -> bool:
    return any(module == entry or module.startswith(entry + ".") for entry in ENTRY_PACKAGES)


def _reached() -> set[str]:
    waiting = [name for name in MODULES if _is_entry(name)]
    for folder in TEST_FOLDERS:
        for path in (REPOSITORY / folder).rglob("*.py"):
            waiting.extend(_imported_names(path) & MODULES.keys())
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_imported_names(MODULES[name]) & MODULES.keys())
    return reached


def test_no_module_is_imported_by_nothing() -> None:
    reached = _reached()
    lonely = [name for name, path in MODULES.items() if path.name != "__init__.py" and name not in reached]
    assert lonely == [], "neither the command line nor a test reaches these"


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_unit_tests_of_a_pure_room_mirror_its_modules(room: str) -> None:
    modules = {
        path.relative_to(SOURCE / "isocenter").with_suffix("") for path in (SOURCE / "isocenter" / room).rglob("*.py")
    }
    tests = (REPOSITORY / "tests" / "unit" / room).rglob("test_*.py")
    mirrored = {path.relative_to(REPOSITORY / "tests" / "unit").with_suffix("") for path in tests}
    wanted = {path.with_name("test_" + path.name.lstrip("_")) for path in modules if path.name != "__init__"}
    assert sorted(map(str, mirrored - wanted)) == [], "tests whose module is gone or named otherwise"
