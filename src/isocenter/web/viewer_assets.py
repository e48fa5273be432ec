"""The viewer's archive: one zip whose members are sent as they lie in it.

A deflated member becomes a gzip stream by a head and a tail, both known from the zip's directory; so nothing is
unpacked, compressed or copied twice. Never writes, and never serves a name that the directory does not hold.
"""

from __future__ import annotations

import mmap
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType

from isocenter.domain.errors import Broken

DEFAULT_ARCHIVE = Path(__file__).resolve().parent / "viewer" / "ohif.zip"
"""Where `scripts/vendor_viewer.py` puts it, in a checkout and in the wheel."""

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
OTHER_CONTENT_TYPE = "application/octet-stream"

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LOCAL_HEADER_MAGIC = b"PK\x03\x04"
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
_CONTENT_HASH = re.compile(r"(?:\.bundle\.[0-9a-f]{16}\.js|(?:^|/)[0-9a-f]{16}\.(?:wasm|woff2))$")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the viewer."""

    path: str
    header_offset: int
    packed_size_bytes: int
    size_bytes: int
    crc: int
    is_deflated: bool

    @property
    def content_type(self) -> str:
        """Return the media type that a browser needs to be told."""
        return CONTENT_TYPES.get(PurePosixPath(self.path).suffix, OTHER_CONTENT_TYPE)

    @property
    def is_immutable(self) -> bool:
        """Tell whether the name changes with the content, so that a browser may keep it for good."""
        return _CONTENT_HASH.search(self.path) is not None

    def etag(self, *, gzip: bool) -> str:
        """Return the entity tag; the two encodings are two entities (RFC 9110 8.8.3.3)."""
        return f'"{self.crc:08x}-gzip"' if gzip else f'"{self.crc:08x}"'


class ViewerArchive:
    """An open archive; safe to read from several threads."""

    def __init__(self, path: Path = DEFAULT_ARCHIVE) -> None:
        with path.open("rb") as file:
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            try:
                with zipfile.ZipFile(file) as directory:
                    self._members = {entry.filename: _member(entry) for entry in directory.infolist()}
            except BaseException:
                self._content.close()
                raise

    def __enter__(self) -> ViewerArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._content.close()

    def find(self, path: str) -> Member | None:
        """Return a member by its path, or None where there is none."""
        return self._members.get(path)

    def paths(self) -> list[str]:
        """Return what the archive holds."""
        return sorted(self._members)

    def read_gzip(self, member: Member) -> bytes:
        """Return a deflated member as a gzip stream (RFC 1952)."""
        tail = struct.pack("<II", member.crc, member.size_bytes & 0xFFFFFFFF)
        return b"".join((_GZIP_HEAD, self._packed(member), tail))

    def read(self, member: Member) -> bytes:
        """Return the content of a member."""
        packed = self._packed(member)
        return (
            zlib.decompress(packed, wbits=-zlib.MAX_WBITS, bufsize=member.size_bytes) if member.is_deflated else packed
        )

    def _packed(self, member: Member) -> bytes:
        head = self._content[member.header_offset : member.header_offset + _LOCAL_HEADER.size]
        magic, *_, name_length, extra_length = _LOCAL_HEADER.unpack(head)
        if magic != _LOCAL_HEADER_MAGIC:
            raise Broken("The viewer's archive is damaged; run `scripts/vendor_viewer.py --force`.")
        start = member.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        return self._content[start : start + member.packed_size_bytes]


def open_viewer_archive(path: Path = DEFAULT_ARCHIVE) -> ViewerArchive | None:
    """Open the archive, or return None where the viewer was not installed."""
    return ViewerArchive(path) if path.is_file() else None


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip (RFC 9110 12.5.3)."""
    for item in accept_encoding.split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        if coding in {"gzip", "x-gzip", "*"}:
            return not any(re.fullmatch(r"q=0(?:\.0{0,3})?", parameter) for parameter in parameters)
    return False


def _member(entry: zipfile.ZipInfo) -> Member:
    return Member(
        path=entry.filename,
        header_offset=entry.header_offset,
        packed_size_bytes=entry.compress_size,
        size_bytes=entry.file_size,
        crc=entry.CRC,
        is_deflated=entry.compress_type == zipfile.ZIP_DEFLATED,
    )
