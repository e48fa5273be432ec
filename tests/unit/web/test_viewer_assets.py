from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.domain.errors import Broken
from isocenter.web.viewer_assets import Member, ViewerArchive, accepts_gzip, open_viewer_archive
from tests.support.viewer_archives import MAIN_SCRIPT, PICTURE, SCRIPT, make_viewer_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[ViewerArchive]:
    with ViewerArchive(make_viewer_archive(tmp_path)) as opened:
        yield opened


def _find(archive: ViewerArchive, path: str) -> Member:
    member = archive.find(path)
    assert member is not None
    return member


def test_a_deflated_member_is_a_whole_gzip_stream(archive: ViewerArchive) -> None:
    member = _find(archive, MAIN_SCRIPT)
    assert member.is_deflated
    assert gzip.decompress(archive.read_gzip(member)) == SCRIPT


def test_a_member_is_read_as_it_was_packed(archive: ViewerArchive) -> None:
    assert archive.read(_find(archive, MAIN_SCRIPT)) == SCRIPT
    assert archive.read(_find(archive, "assets/icon.png")) == PICTURE


def test_only_names_with_a_content_hash_are_immutable(archive: ViewerArchive) -> None:
    immutable = {path for path in archive.paths() if _find(archive, path).is_immutable}
    assert immutable == {MAIN_SCRIPT, "37fa160cc3a47cfd.wasm"}


def test_content_types_are_those_that_browsers_insist_on(archive: ViewerArchive) -> None:
    assert _find(archive, MAIN_SCRIPT).content_type == "text/javascript; charset=utf-8"
    assert _find(archive, "37fa160cc3a47cfd.wasm").content_type == "application/wasm"


def test_the_two_encodings_have_different_entity_tags(archive: ViewerArchive) -> None:
    member = _find(archive, MAIN_SCRIPT)
    assert member.etag(gzip=True) != member.etag(gzip=False)


def test_a_name_outside_the_archive_is_not_found(archive: ViewerArchive) -> None:
    assert archive.find("../viewer.zip") is None


def test_an_archive_that_is_not_there_is_no_viewer(tmp_path: Path) -> None:
    assert open_viewer_archive(tmp_path / "none.zip") is None


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = make_viewer_archive(tmp_path)
    content = bytearray(path.read_bytes())
    content[0:4] = b"XXXX"
    path.write_bytes(content)
    with ViewerArchive(path) as archive, pytest.raises(Broken, match=r"vendor_viewer\.py"):
        archive.read(_find(archive, "index.html"))


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("gzip, deflate", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, deflate", False),
    ],
)
def test_gzip_goes_out_only_where_it_is_accepted(header: str, *, accepts: bool) -> None:
    assert accepts_gzip(header) is accepts
