"""A channel whose instances come as files that others put into a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from isocenter.app.channels.gate import Gate
from isocenter.app.channels.planner import ArrivalPlanner, Sender
from isocenter.archive.archive import Archive
from isocenter.archive.bulk_import import BulkImporter, ImportCounts, ImportOptions
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import InvalidDataset, InvalidRequest, InvalidSetting, IsocenterError
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.statuses import statuses_of
from isocenter.ports.import_source import ImportFile
from isocenter.routing.configuration.channel import AfterReading, FolderSource
from isocenter.storage.folders import make_folder
from isocenter.storage.sources import folder as watched

KIND = "folder"
"""As which source instances are stored: they are asked for no more than those of an association."""
POLL_S = 1.0
"""How often the folder is looked at; a look at a thousand files takes some milliseconds."""
REFUSED_FOLDER = "refused"
KEPT_MAX = 100_000
"""Files that were taken in and stay: as many as one look takes note of."""


class FolderChannelSource:
    """The watched folder of one channel."""

    stays_open_paused = False

    def __init__(
        self,
        source: FolderSource,
        gate: Gate,
        archive: Archive,
        *,
        data_dir: Path,
        audit: Callable[[AuditRecord], None] | None = None,
    ) -> None:
        self._source = source
        self._gate = gate
        self._archive = archive
        self._data_dir = data_dir
        self._audit = audit
        self._counts = ImportCounts()
        self._importer: BulkImporter | None = None

    @property
    def address(self) -> str:
        """Return the folder."""
        return self._source.path

    async def open(self) -> None:
        """Begin to watch. Raises InvalidSetting where the folder cannot be used."""
        files = WatchedFiles(self._source, self._archive, refused=self._refused_folder(), name=self._gate.name)
        try:
            await asyncio.to_thread(self._check, files)
        except InvalidRequest as error:
            raise InvalidSetting(f"The folder of channel {self._gate.name}: {error.message}") from error
        options = ImportOptions(
            DEFAULT_PARTITION, POLL_S, kind=KIND, planner=self._planner, note_refusal=self._note_refusal
        )
        importer = BulkImporter(self._archive, files, options, counts=self._counts, audit=self._audit)
        importer.start()
        self._importer = importer

    async def close(self) -> None:
        """Stop after the files that are on their way."""
        importer, self._importer = self._importer, None
        if importer is not None:
            await asyncio.to_thread(importer.close)

    def _check(self, files: WatchedFiles) -> None:
        folder = Path(self._source.path).resolve()
        if self._data_dir.resolve().is_relative_to(folder):
            raise InvalidRequest("The node's own data lie in it; name a folder that holds nothing but files to take.")
        if self._source.moved_to and Path(self._source.moved_to).resolve().is_relative_to(folder):
            raise InvalidRequest("moved_to lies in it, so that files would be taken again; name one outside of it.")
        files.check()

    def _refused_folder(self) -> Path:
        if self._source.after is AfterReading.MOVE:
            return Path(self._source.moved_to) / REFUSED_FOLDER
        return self._data_dir / "routing" / REFUSED_FOLDER / self._gate.name

    def _planner(self) -> ArrivalPlanner:
        return self._gate.planner(Sender())

    def _note_refusal(self, uids: Mapping[str, str], error: IsocenterError) -> None:
        # The words of an invalid data set may hold values, which stand in the message beside the file.
        reason = type(error).__doc__ if isinstance(error, InvalidDataset) else error.message
        self._gate.note_refusal(
            "a file",
            status=f"{statuses_of(error).dimse_status:04X}",
            reason=reason or error.message,
            sop_instance_uid=uids.get("instance", ""),
        )


class WatchedFiles:
    """Files of a folder, and what becomes of them (`ports.import_source.ImportSource`)."""

    def __init__(self, source: FolderSource, archive: Archive, *, refused: Path, name: str) -> None:
        self._source = source
        self._channel = name
        self._refused = refused
        self._folder = watched.FolderSource(
            Path(source.path),
            refused,
            settle_s=source.settle_s,
            monotonic_s=archive.clock.monotonic_s,
            pattern=source.pattern,
        )
        self._kept: dict[str, str] = {}
        """Versions of files that were taken in and stay; after a start they are taken once more, which is harmless."""

    @property
    def name(self) -> str:
        """Return what tells this source from others."""
        return f"channel-{self._channel}"

    def check(self) -> None:
        """Find out whether files can be taken from here and put where they go."""
        self._folder.check()
        if self._source.after is AfterReading.MOVE:
            make_folder(Path(self._source.moved_to).absolute())

    def iter_waiting(self) -> Iterator[ImportFile]:
        """Yield the files that nobody writes to any more."""
        for file in self._folder.iter_waiting():
            if self._kept.get(file.path) != file.version:
                yield file

    def iter_chunks(self, file: ImportFile) -> Iterator[bytes]:
        """Yield the content of a file."""
        return self._folder.iter_chunks(file)

    def remove(self, file: ImportFile) -> None:
        """Do with a file that was taken in what the channel says."""
        match self._source.after:
            case AfterReading.DELETE:
                self._folder.remove(file)
            case AfterReading.MOVE:
                self._folder.move(file, Path(self._source.moved_to))
            case AfterReading.KEEP:
                self._keep(file)

    def put_aside(self, file: ImportFile, message: bytes) -> None:
        """Put a refused file aside; one of a folder whose files stay is left where it is."""
        if self._source.after is AfterReading.KEEP:
            self._keep(file)
        else:
            self._folder.put_aside(file, message)

    def href(self, file: ImportFile) -> str:
        """Return the address of a file."""
        return self._folder.href(file)

    def _keep(self, file: ImportFile) -> None:
        if len(self._kept) >= KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        self._kept[file.path] = file.version
