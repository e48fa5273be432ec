"""What stands in tracked text files: no loose ends, no dead links, nothing about one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.shared_data import REPOSITORY

TEXT_SIZE_MAX_BYTES = 2_000_000
BINARY_SIZE_MAX_BYTES = 64 * 1024
"""Fixtures are generated; what is larger than this does not belong in the repository."""
LOOSE_ENDS = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
"""Written in two halves, so that this file does not find itself."""
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work)/\w")
INDEX_LINES = re.compile(
    r"(?<![\w-])--(?:extra-)?index-url[ =]\S|--trusted-host[ =]\S|\bresolved\"\s*:|pypi\.org/simple|pythonhosted\.org"
)
"""Which registry or mirror packages come from is the business of the machine that installs them."""
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
STATUSES = ("Proposed", "Accepted", "Rejected", "Replaced by ")


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [REPOSITORY / name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


def _text_of(path: Path) -> str | None:
    data = path.read_bytes()
    return None if b"\0" in data or len(data) > TEXT_SIZE_MAX_BYTES else data.decode("utf-8", errors="replace")


TEXTS = {path: text for path in _tracked() if (text := _text_of(path)) is not None}
DOCUMENTS = sorted(path for path in TEXTS if path.suffix == ".md")
DECISIONS = sorted((REPOSITORY / "docs" / "decisions").glob("[0-9]*.md"))


def _places(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:100]}"
        for path, text in TEXTS.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_do_in_a_file() -> None:
    assert _places(LOOSE_ENDS) == [], "file an issue, or write the limit into the docstring"


def test_no_file_knows_the_paths_of_one_machine() -> None:
    assert _places(MACHINE_PATHS) == []


def test_no_file_names_where_packages_come_from() -> None:
    assert [place for place in _places(INDEX_LINES) if not place.startswith("tests/tidy/test_text.py:")] == []


def test_repository_holds_no_large_binary() -> None:
    large = [path for path in _tracked() if path not in TEXTS and path.stat().st_size > BINARY_SIZE_MAX_BYTES]
    assert [str(path.relative_to(REPOSITORY)) for path in large] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    dead = [target for target in LINK.findall(TEXTS[document]) if not _leads_somewhere(document, target)]
    assert dead == []


def _leads_somewhere(document: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    name, _, fragment = target.partition("#")
    path = (document.parent / name).resolve() if name else document
    if not path.exists():
        return False
    return not fragment or path.suffix != ".md" or fragment in _anchors(path)


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_decision_records_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.stem)
def test_decision_record_has_its_parts(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert re.match(rf"# {record.name[:4]}: \S", text), "the heading is `# 0001: what was decided`"
    status = re.search(r"^Status: (.+)$", text, re.MULTILINE)
    assert status, "a line `Status: …` follows the heading"
    assert status.group(1).startswith(STATUSES)
    for part in ("Context", "Decision", "Consequences"):
        assert f"\n## {part}\n" in text
    successor = re.fullmatch(r"Replaced by (\d{4})\.?", status.group(1))
    if status.group(1).startswith("Replaced"):
        assert successor, "a replaced record names its successor: `Replaced by 0007`"
        assert any(path.name.startswith(successor.group(1)) for path in DECISIONS)
