from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.app.instance_files import Written, has_bytes, instance_path, write_instance
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import InstanceIdentifier

IDENTIFIER = InstanceIdentifier("1.2", "1.2.3", "1.2.3.4")


def test_an_instance_becomes_a_file_named_by_its_identifiers(tmp_path: Path) -> None:
    assert write_instance(tmp_path, IDENTIFIER, [b"ab", b"c"]) is Written.WRITTEN
    assert (tmp_path / "1.2" / "1.2.3" / "1.2.3.4.dcm").read_bytes() == b"abc"


def test_the_same_bytes_are_harmless_and_others_are_not_written(tmp_path: Path) -> None:
    write_instance(tmp_path, IDENTIFIER, [b"abc"])
    assert write_instance(tmp_path, IDENTIFIER, [b"a", b"bc"]) is Written.IDENTICAL
    assert write_instance(tmp_path, IDENTIFIER, [b"abd"]) is Written.DIFFERENT
    assert write_instance(tmp_path, IDENTIFIER, [b"abcd"]) is Written.DIFFERENT
    assert instance_path(tmp_path, IDENTIFIER).read_bytes() == b"abc"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["1.2.3.4.dcm"]


def test_a_source_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"abc"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        write_instance(tmp_path, IDENTIFIER, breaking())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["..", ".", "", "../1.2", "/etc/passwd", "1/2", "1.2\0", "1" * 65, "a.b"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_name_that_is_no_uid_never_becomes_a_path(tmp_path: Path, name: str, place: int) -> None:
    names = ["1.2", "1.2.3", "1.2.3.4"]
    names[place] = name
    with pytest.raises(InvalidRequest):
        instance_path(tmp_path, InstanceIdentifier(*names))


@pytest.mark.parametrize(
    ("chunks", "has"),
    [([b"abc"], True), ([b"a", b"bc"], True), ([b"ab"], False), ([b"abcd"], False), ([b"abd"], False)],
)
def test_a_file_is_compared_whole(tmp_path: Path, chunks: list[bytes], has: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert has_bytes(path, chunks) is has
