"""A folder of files to import: what counts as whole, what is never followed, what happens to one that is replaced."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from isocenter.domain.errors import NotFound, StorageFailed
from isocenter.ports.import_source import ImportFile
from isocenter.storage.sources import folder as folder_module
from isocenter.storage.sources.folder import FolderSource

SETTLE_S = 5.0


class Folder:
    """A watched folder, its place for refused files, and a clock that a test sets."""

    def __init__(self, root: Path) -> None:
        self.path = root / "in"
        self.errors = root / "errors"
        self.now_s = 100.0
        self.source = FolderSource(self.path, self.errors, settle_s=SETTLE_S, monotonic_s=lambda: self.now_s)
        self.source.check()

    def put(self, name: str, content: bytes = b"content") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def look(self, *, after_s: float = 0.0) -> list[ImportFile]:
        self.now_s += after_s
        return sorted(self.source.iter_waiting(), key=lambda file: file.path)

    def settled(self) -> list[ImportFile]:
        self.look()
        return self.look(after_s=SETTLE_S)

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if not path.is_dir())

    def put_aside(self) -> dict[str, bytes]:
        paths = (path for path in self.errors.rglob("*") if path.is_file())
        return {str(path.relative_to(self.errors)): path.read_bytes() for path in paths}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _read(folder: Folder, file: ImportFile) -> bytes:
    return b"".join(folder.source.iter_chunks(file))


def test_a_file_is_ready_when_it_has_stood_still_for_a_while(folder: Folder) -> None:
    folder.put("a.dcm")
    assert folder.look() == []
    assert folder.look(after_s=SETTLE_S - 0.1) == []
    [file] = folder.look(after_s=0.1)
    assert (file.path, file.size_bytes, _read(folder, file)) == ("a.dcm", 7, b"content")


def test_a_file_that_grows_is_not_ready_however_old_its_name_is(folder: Folder) -> None:
    path = folder.put("a.dcm", b"1")
    for _ in range(5):
        assert folder.look(after_s=SETTLE_S - 1) == []
        with path.open("ab") as file:
            file.write(b"more")
    assert folder.look() == []
    assert len(folder.look(after_s=SETTLE_S)) == 1


def test_a_file_that_is_written_anew_with_the_same_size_is_not_ready(folder: Folder) -> None:
    path = folder.put("a.dcm", b"1")
    os.utime(path, ns=(0, 1))
    folder.look()
    path.write_bytes(b"2")
    os.utime(path, ns=(0, 2))
    assert folder.look(after_s=SETTLE_S) == []


def test_the_age_that_a_file_claims_counts_for_nothing(folder: Folder) -> None:
    os.utime(folder.put("a.dcm"), (0, 0))
    assert folder.look() == []


def test_names_under_which_senders_write_are_no_files_to_import(folder: Folder) -> None:
    for name in ("a.dcm.part", ".a.dcm", "a.tmp", "a.DCM.filepart", "notes.txt", ".hidden/a.dcm"):
        folder.put(name)
    assert folder.settled() == []


def test_a_file_that_is_renamed_into_place_is_ready_after_the_same_while(folder: Folder) -> None:
    folder.put("a.dcm.part").rename(folder.path / "a.dcm")
    assert [file.path for file in folder.settled()] == ["a.dcm"]


def test_files_in_folders_below_are_found_whatever_the_case_of_their_suffix(folder: Folder) -> None:
    for name in ("study/series/1.dcm", "study/2.DCM", "3.Dcm"):
        folder.put(name)
    assert [file.path for file in folder.settled()] == ["3.Dcm", "study/2.DCM", "study/series/1.dcm"]


def test_folders_are_looked_into_only_so_deep(folder: Folder) -> None:
    deep = "/".join("d" * (folder_module.DEPTH_MAX + 1)) + "/a.dcm"
    folder.put(deep)
    folder.put(deep.partition("/")[2])
    assert [file.path for file in folder.settled()] == [deep.partition("/")[2]]


def test_one_look_takes_note_of_so_many_files(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "WATCHED_MAX", 3)
    for number in range(5):
        folder.put(f"{number}.dcm")
    assert len(folder.settled()) == 3


def test_links_are_never_followed(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.dcm").write_bytes(b"secret")
    (folder.path / "file.dcm").symlink_to(outside / "a.dcm")
    (folder.path / "folder").symlink_to(outside)
    assert folder.settled() == []


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_takes_the_place_of_what_was_seen_is_not_followed(
    folder: Folder, tmp_path: Path, what: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = folder.put("study/a.dcm")
    [file] = folder.settled()
    os.link(path, outside / "a.dcm")
    if what == "file":
        path.unlink()
        path.symlink_to(outside / "a.dcm")
    else:
        path.unlink()
        path.parent.rmdir()
        path.parent.symlink_to(outside)
    with pytest.raises(NotFound):
        _read(folder, file)
    folder.source.remove(file)
    folder.source.put_aside(file, b"{}")
    assert (outside / "a.dcm").read_bytes() == b"content"
    assert folder.put_aside() == {}


def test_what_is_no_file_is_left_alone(folder: Folder) -> None:
    os.mkfifo(folder.path / "pipe.dcm")
    (folder.path / "folder.dcm").mkdir()
    assert folder.settled() == []


def test_a_pipe_in_the_place_of_a_file_does_not_block(folder: Folder) -> None:
    path = folder.put("a.dcm")
    [file] = folder.settled()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(NotFound):
        _read(folder, file)


def test_a_file_that_changes_while_it_is_read_is_given_up(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "CHUNK_BYTES", 3)
    path = folder.put("a.dcm")
    [file] = folder.settled()
    chunks = folder.source.iter_chunks(file)
    assert next(chunks) == b"con"
    with path.open("ab") as more:
        more.write(b"!")
    with pytest.raises(NotFound):
        list(chunks)


def test_a_file_is_removed(folder: Folder) -> None:
    folder.put("study/a.dcm")
    [file] = folder.settled()
    folder.source.remove(file)
    assert folder.names() == []
    folder.source.remove(file)


def test_a_file_that_came_in_the_place_of_the_one_that_was_read_is_kept_and_imported(folder: Folder) -> None:
    path = folder.put("a.dcm")
    [file] = folder.settled()
    other = folder.put("a.dcm.part", b"other content")
    other.replace(path)
    folder.source.remove(file)
    [kept] = folder.settled()
    assert _read(folder, kept) == b"other content"
    third = folder.put("a.dcm", b"third")
    folder.source.remove(kept)
    assert third.read_bytes() == b"third"
    assert folder.names() == ["a.dcm"]


def test_a_claim_that_a_crash_left_is_imported_and_goes_aside_under_its_own_name(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a.dcm")
    [file] = folder.settled()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail)
        with pytest.raises(StorageFailed):
            folder.source.remove(file)
    [claimed] = folder.settled()
    assert claimed.path.endswith(".claimed")
    assert _read(folder, claimed) == b"content"
    folder.source.put_aside(claimed, b"why")
    assert folder.put_aside() == {"a.dcm": b"content", "a.dcm.error.json": b"why"}
    assert folder.names() == []


def test_a_refused_file_keeps_its_folder_and_has_its_message_beside_it(folder: Folder) -> None:
    folder.put("study/a.dcm")
    [file] = folder.settled()
    folder.source.put_aside(file, b"why")
    assert folder.put_aside() == {"study/a.dcm": b"content", "study/a.dcm.error.json": b"why"}
    assert folder.names() == []


def test_a_second_refused_file_of_a_name_does_not_take_the_place_of_the_first(folder: Folder) -> None:
    for content in (b"first", b"second"):
        folder.put("a.dcm", content)
        [file] = folder.settled()
        folder.source.put_aside(file, content)
    aside = folder.put_aside()
    assert sorted(aside.values()) == [b"first", b"first", b"second", b"second"]
    assert aside["a.dcm"] == aside["a.dcm.error.json"] == b"first"
    assert all((folder.errors / name).suffix == ".dcm" for name in aside if not name.endswith(".json"))


def test_a_refused_file_goes_to_another_volume(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def rename_here(source: Any, target: Any, **how: Any) -> None:
        if str(target).startswith(str(folder.errors)):
            raise OSError(errno.EXDEV, "")
        rename(source, target, **how)

    monkeypatch.setattr(os, "rename", rename_here)
    folder.put("a.dcm")
    [file] = folder.settled()
    folder.source.put_aside(file, b"why")
    assert folder.put_aside() == {"a.dcm": b"content", "a.dcm.error.json": b"why"}
    assert folder.names() == []


def test_names_that_leave_no_room_are_shortened(folder: Folder) -> None:
    name = "ä" * 120 + ".dcm"
    folder.put(name)
    [file] = folder.settled()
    folder.source.put_aside(file, b"why")
    names = [name for name in folder.put_aside() if name.endswith(".dcm")]
    assert len(names) == 1
    assert name.endswith(names[0])


def test_a_name_that_is_no_text_is_imported_and_has_an_address(folder: Folder) -> None:
    path = os.fsencode(folder.path) + b"/\xff.dcm"
    with open(path, "wb") as file:
        file.write(b"content")
    [found] = folder.settled()
    assert _read(folder, found) == b"content"
    assert folder.source.href(found).endswith("/%FF.dcm")
    folder.source.remove(found)
    assert not os.path.exists(path)


def test_a_folder_that_may_not_be_read_is_passed_over(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("closed/a.dcm")
    folder.put("b.dcm")
    open_file = os.open

    def refuse_closed(path: Any, flags: int, *more: Any, **how: Any) -> int:  # nothing is closed to a superuser
        if path == "closed":
            raise PermissionError(errno.EACCES, "")
        return open_file(path, flags, *more, **how)

    monkeypatch.setattr(os, "open", refuse_closed)
    assert [file.path for file in folder.settled()] == ["b.dcm"]
