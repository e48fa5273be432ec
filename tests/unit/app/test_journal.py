from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.journal import Journal, default_journal_path
from isocenter.app.part10_files import FoundFile
from isocenter.domain.errors import InvalidRequest

URL = "http://127.0.0.1:8080/dicom-web"
A = FoundFile("/a/ä\udcff.dcm", 10, 1)
B = FoundFile("/b.dcm", 20, 2)


def test_what_was_acknowledged_is_known_after_opening_it_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    with Journal(path, url=URL) as journal:
        journal.add([(A, "1.2")])
    with Journal(path, url=URL) as journal:
        assert A in journal
        assert B not in journal
        journal.add([(B, None)])
    with Journal(path, url=URL) as journal:
        assert len(journal) == 2


@pytest.mark.parametrize("changed", [FoundFile(A.path, 11, 1), FoundFile(A.path, 10, 2), FoundFile("/c.dcm", 10, 1)])
def test_a_file_that_changed_is_not_known(tmp_path: Path, changed: FoundFile) -> None:
    with Journal(tmp_path / "journal", url=URL) as journal:
        journal.add([(A, "1.2")])
        assert changed not in journal


def test_every_way_of_tearing_the_last_line_keeps_the_others(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with Journal(whole, url=URL) as journal:
        journal.add([(A, "1.2"), (B, "1.3")])
    content = whole.read_bytes()
    first_two_lines = content.index(b"\n", content.index(b"\n") + 1) + 1
    for length in range(first_two_lines, len(content)):
        torn = tmp_path / f"torn{length}"
        torn.write_bytes(content[:length])
        with Journal(torn, url=URL) as journal:
            assert A in journal
            assert (B in journal) is (length == len(content) - 1)
            journal.add([(B, None)])
        with Journal(torn, url=URL) as journal:
            assert A in journal
            assert B in journal


def test_a_journal_of_another_archive_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", url=URL):
        pass
    with pytest.raises(InvalidRequest, match="another archive"):
        Journal(tmp_path / "journal", url="http://127.0.0.1:8081/dicom-web")


@pytest.mark.parametrize("content", ["hello\n", "{}\n", "[1]\n", '{"journal": 99}\n'])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(InvalidRequest, match="no journal"):
        Journal(path, url=URL)
    assert path.read_text() == content


def test_each_archive_and_each_set_of_paths_has_a_journal_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    named = [
        default_journal_path(URL, [Path("/a"), Path("/b")]),
        default_journal_path(URL, [Path("/a")]),
        default_journal_path(URL + "2", [Path("/a")]),
    ]
    assert len(set(named)) == 3
    assert default_journal_path(URL, [Path("/b"), Path("/a")]) == named[0]
    assert all(path.is_relative_to(tmp_path) for path in named)


def test_the_first_and_the_last_instances_are_named_to_be_asked_for(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", url=URL) as journal:
        assert journal.samples == []
        journal.add([(FoundFile(f"/{number}", 1, 1), f"1.{number}") for number in range(100)])
        expected = [f"1.{number}" for number in (0, 1, 2, 3, 4, 95, 96, 97, 98, 99)]
        assert journal.samples == expected
    with Journal(tmp_path / "journal", url=URL) as journal:
        assert journal.samples == expected


def test_a_journal_can_begin_anew(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", url=URL) as journal:
        journal.add([(A, "1.2")])
        journal.forget()
        assert A not in journal
        journal.add([(B, "1.3")])
    with Journal(tmp_path / "journal", url=URL) as journal:
        assert A not in journal
        assert B in journal
        assert journal.samples == ["1.3"]
