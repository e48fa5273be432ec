"""Take a ZIP file apart and store what is in it, entry by entry, within limits.

A ZIP file says of itself what it likes: nothing is believed but the bytes that come out, and those are counted.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from isocenter.archive.archive import Archive
from isocenter.archive.store import Reception, begin_store
from isocenter.domain.errors import InvalidDataset, IsocenterError, TooLarge, Unavailable
from isocenter.domain.outcome import StoreOutcome
from isocenter.domain.principal import Principal
from isocenter.web.pages.upload_report import NOT_DICOM, UploadReport, is_passed_over, reason_of
from isocenter.web.pages.zip_directory import HARMFUL, check_directory

SOURCE = "upload"
ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of the others zipfile unpacks a whole piece at once, whatever it grows to."""
GROWTH_MAX = 250
"""Blank pictures shrink well, but not a whole study; deflate ends at 1,032."""
GROWTH_LOOKED_AT_FROM_BYTES = 64 * 1024**2
"""Little data may grow as it likes."""
UNPACKED_MAX_BYTES = 64 * 1024**3
CHUNK_BYTES = 1024**2
IN_FLIGHT_MAX_BYTES = 32 * 1024**2
"""Two batches of the group commit."""
ON_DISK_COUNTS_AS_BYTES = 8 * 1024**2
"""What an instance that waits on disk counts for: it holds an open file."""
DICOM_PREFIX_AT = 128
_LOCKED = "It is encrypted, or packed in another way than by deflate; unpack it first."
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error)


def is_zip(beginning: bytes) -> bool:
    """Tell whether a file that begins so is a ZIP file and no DICOM file with such a preamble."""
    return beginning.startswith(ZIP_BEGINNINGS) and beginning[DICOM_PREFIX_AT : DICOM_PREFIX_AT + 4] != b"DICM"


def is_dicom(beginning: bytes) -> bool:
    """Tell whether a file that begins so can be a DICOM file: with a preamble, or without, as old ones are."""
    return beginning[DICOM_PREFIX_AT : DICOM_PREFIX_AT + 4] == b"DICM" or beginning[:2] in (b"\x02\x00", b"\x08\x00")


@dataclass(slots=True)
class ZipIntake:
    """Stores the entries of one ZIP file. May wait for the disk."""

    archive: Archive
    principal: Principal
    report: UploadReport
    name: str
    """Of the ZIP file, by which its entries are told."""
    _unpacked_bytes: int = 0
    _in_flight_bytes: int = 0
    _waiting: deque[tuple[str, int, Future[StoreOutcome]]] = field(default_factory=deque)

    def store_all(self, content: memoryview) -> None:
        """Store what the file holds; what goes wrong is in the report. Raises Unavailable where nothing is stored."""
        try:
            with zipfile.ZipFile(_opened(content)) as file:
                self._store_entries(file, len(content))
        except IsocenterError as error:
            if isinstance(error, Unavailable):
                raise
            self.report.note_failure(self.name, reason_of(error))
        except (*_UNREADABLE, NotImplementedError):
            self.report.note_failure(self.name, "The ZIP file is damaged and cannot be read.")
        finally:
            while self._waiting:
                self._settle()

    def _store_entries(self, file: zipfile.ZipFile, packed_bytes: int) -> None:
        for entry in file.infolist():
            if entry.is_dir() or is_passed_over(entry.filename):
                self.report.passed_over += 1
                continue
            name = f"{self.name}: {entry.filename}"
            try:
                self._store_entry(file, entry, name=name, packed_bytes=packed_bytes)
            except (TooLarge, Unavailable):
                raise
            except IsocenterError as error:
                self.report.note_failure(name, reason_of(error))
            except RuntimeError:  # what zipfile raises for a password; NotImplementedError is one of them
                self.report.note_failure(name, _LOCKED)
            except _UNREADABLE:
                self.report.note_failure(name, "It is damaged within the ZIP file.")

    def _store_entry(self, file: zipfile.ZipFile, entry: zipfile.ZipInfo, *, name: str, packed_bytes: int) -> None:
        if entry.compress_type not in METHODS:
            raise InvalidDataset(_LOCKED)
        with file.open(entry) as opened:
            chunk = opened.read(CHUNK_BYTES)
            self._count(len(chunk), packed_bytes)
            if is_zip(chunk):
                raise InvalidDataset("It is a ZIP file within a ZIP file; unpack it first.")
            if not is_dicom(chunk):
                raise InvalidDataset(NOT_DICOM)
            reception = begin_store(self.archive, self.principal, source=SOURCE)
            try:
                while chunk:
                    reception.write(chunk)
                    chunk = opened.read(CHUNK_BYTES)
                    self._count(len(chunk), packed_bytes)
            except BaseException:
                reception.abort()
                raise
        self._submit(name, reception)

    def _submit(self, name: str, reception: Reception) -> None:
        size_bytes = ON_DISK_COUNTS_AS_BYTES if reception.is_on_disk else reception.size_bytes
        self._waiting.append((name, size_bytes, reception.finish()))
        self._in_flight_bytes += size_bytes
        while self._in_flight_bytes > IN_FLIGHT_MAX_BYTES:
            self._settle()

    def _settle(self) -> None:
        name, size_bytes, future = self._waiting.popleft()
        self._in_flight_bytes -= size_bytes
        try:
            self.report.note_outcome(future.result())
        except IsocenterError as error:
            self.report.note_failure(name, reason_of(error))

    def _count(self, size_bytes: int, packed_bytes: int) -> None:
        """Raise TooLarge where more comes out of a file than can honestly be in it."""
        self._unpacked_bytes += size_bytes
        has_grown = self._unpacked_bytes > max(GROWTH_LOOKED_AT_FROM_BYTES, packed_bytes * GROWTH_MAX)
        if has_grown or self._unpacked_bytes > UNPACKED_MAX_BYTES:
            raise TooLarge(HARMFUL)


def _opened(content: memoryview) -> io.BufferedReader:
    """Return a file of bytes after a look at its directory; raises TooLarge."""
    check_directory(content)
    return io.BufferedReader(_View(content))


class _View(io.RawIOBase):
    """Bytes in memory or mapped, as a file that can be read anywhere."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._content)}[whence]
        if start + offset < 0:
            raise ValueError
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return where it is."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Read as much as fits."""
        target = memoryview(buffer)  # type: ignore[arg-type]  # a buffer, as io hands it over
        part = self._content[self._at : self._at + len(target)]
        target[: len(part)] = part
        self._at += len(part)
        return len(part)
