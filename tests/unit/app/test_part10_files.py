from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.part10_files import is_instance_file, iter_files


def _part10(sop_class_uid: bytes) -> bytes:
    padded = sop_class_uid + b"\0" * (len(sop_class_uid) % 2)
    meta = b"\x02\x00\x02\x00UI" + len(padded).to_bytes(2, "little") + padded
    return bytes(128) + b"DICM" + meta + b"\x02\x00\x03\x00UI\x04\x001.2\0"


@pytest.mark.parametrize(
    ("content", "is_instance"),
    [
        (_part10(b"1.2.840.10008.5.1.4.1.1.2"), True),
        (_part10(b"1.2.840.10008.1.3.10"), False),
        (_part10(b"1.2.840.10008.1.3.101"), True),
        (bytes(128) + b"DICM", True),
        (bytes(128) + b"DICX" + bytes(100), False),
        (b"DICM", False),
        (b"", False),
    ],
)
def test_instances_are_known_by_content(tmp_path: Path, content: bytes, is_instance: bool) -> None:
    path = tmp_path / "whatever"
    path.write_bytes(content)
    assert is_instance_file(str(path)) is is_instance


def test_files_and_folders_are_walked_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a/x/1", "c"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    found = [Path(file.path).relative_to(tmp_path).as_posix() for file in iter_files([tmp_path / "c", tmp_path])]
    assert found == ["c", "c", "a/x/1", "b/10", "b/2"]
    assert [file.size_bytes for file in iter_files([tmp_path / "b"])] == [4, 3]


def test_a_walk_ends_where_links_go_round(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1").write_bytes(b"1")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "gone").symlink_to(tmp_path / "nothing")
    assert [Path(file.path).name for file in iter_files([tmp_path])] == ["1"]
