"""Put instances into a folder: STUDY/SERIES/INSTANCE.dcm, each whole and durable before it is there under its name.

What lies there already under the same name is compared, and only replaced where the destination says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from isocenter.app.senders.comparing import is_same_instance
from isocenter.app.senders.converting import fault_of_reading, words_of
from isocenter.domain.errors import InvalidDataset, IsocenterError
from isocenter.domain.identifiers import is_uid
from isocenter.routing.configuration.destination import OnConflict
from isocenter.routing.deliveries.report import (
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    LocalFailed,
    LocalFault,
    Report,
)
from isocenter.routing.deliveries.sender import OnReport, Outgoing

SUFFIX = ".dcm"
PARTIAL_SUFFIX = ".partial"
"""Of a file that is being written; whoever watches the folder passes it over."""
PIECE_BYTES = 1024**2
CANNOT_UNDERSTAND = 0xC000


class FolderSender:
    """Writes into one folder."""

    def __init__(self, path: Path, *, on_conflict: OnConflict) -> None:
        self._path = path
        self._on_conflict = on_conflict

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        """Write instances; each is reported when its name is durable too, those of a series together."""
        unsynced: list[Outgoing] = []
        folder: Path | None = None
        for outgoing in batch:
            if folder is not None and folder != self._folder_of(outgoing):
                self._report_stored(folder, unsynced, on_report)
                unsynced = []
            folder = self._folder_of(outgoing)
            report, detail = self._write(folder, outgoing)
            if isinstance(report, InstanceStored):
                unsynced.append(outgoing)
            else:
                on_report(outgoing, report, detail)
                if isinstance(report, LocalFailed) and report.fault is LocalFault.FOLDER_UNUSABLE:
                    break
        if folder is not None:
            self._report_stored(folder, unsynced, on_report)

    def _folder_of(self, outgoing: Outgoing) -> Path:
        identifier = outgoing.identifier
        return self._path / identifier.study_instance_uid / identifier.series_instance_uid

    def _report_stored(self, folder: Path, stored: Iterable[Outgoing], on_report: OnReport) -> None:
        stored = list(stored)
        if not stored:
            return
        try:
            for each in (folder, folder.parent, self._path):
                _sync_folder(each)
        except OSError:
            return  # nothing is sure: they are written again, and found to be the same
        for outgoing in stored:
            on_report(outgoing, InstanceStored(), "")

    def _write(self, folder: Path, outgoing: Outgoing) -> tuple[Report, str]:
        identifier = outgoing.identifier
        if not all(map(is_uid, (identifier.study_instance_uid, identifier.series_instance_uid))):
            return InstanceFailed(CANNOT_UNDERSTAND), "Its UIDs are no names of folders."
        place = folder / (identifier.sop_instance_uid + SUFFIX)
        try:
            if not self._path.is_dir():
                return LocalFailed(LocalFault.FOLDER_UNUSABLE), "There is no such folder."
            folder.mkdir(parents=True, exist_ok=True)
            return self._put(place, outgoing), ""
        except (IsocenterError, OSError) as error:
            fault = fault_of_reading(error)
            is_of_folder = isinstance(error, OSError) and fault.fault is not LocalFault.DISK_FULL
            words = error.strerror or "" if isinstance(error, OSError) else words_of(error)
            return LocalFailed(LocalFault.FOLDER_UNUSABLE) if is_of_folder else fault, words

    def _put(self, place: Path, outgoing: Outgoing) -> Report:
        with NamedTemporaryFile(dir=place.parent, suffix=PARTIAL_SUFFIX, delete=False) as file:
            written = Path(file.name)
            try:
                for piece in outgoing.read():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                written.chmod(0o644)
                return self._name(written, place)
            finally:
                with suppress(FileNotFoundError):
                    written.unlink()

    def _name(self, written: Path, place: Path) -> Report:
        """Give a file its name, unless another one has it."""
        try:
            place.hardlink_to(written)
        except FileExistsError:
            return self._beside(written, place)
        except OSError:  # a file system without links: what comes in between is lost at worst to the same instance
            if place.exists():
                return self._beside(written, place)
            written.replace(place)
        return InstanceStored()

    def _beside(self, written: Path, place: Path) -> Report:
        if _is_same(written, place):
            return InstanceIdentical()
        if self._on_conflict is not OnConflict.REPLACE:
            return InstanceDiffers()
        written.replace(place)
        return InstanceStored()

    def probe(self) -> Report | None:
        """Write an empty file into the folder and remove it; return what came of it, None where that went well."""
        try:
            with NamedTemporaryFile(dir=self._path, suffix=PARTIAL_SUFFIX):
                return None
        except OSError as error:
            fault = fault_of_reading(error)
            is_full = fault.fault is LocalFault.DISK_FULL
            return fault if is_full else LocalFailed(LocalFault.FOLDER_UNUSABLE)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _is_same(one: Path, other: Path) -> bool:
    try:
        return bool(is_same_instance(_pieces(one), _pieces(other)))
    except InvalidDataset:  # what lies there is no instance
        return False


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
