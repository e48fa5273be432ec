"""A folder of DICOM files as source, and the data folder of a node that does not run as target."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from mmap import ACCESS_READ, mmap
from pathlib import Path

from isocenter.app.fetching import FetchReport
from isocenter.app.instance_files import instance_path, write_instance
from isocenter.app.migrating.ends import OnAnswer, Sent, StagedFile
from isocenter.app.migrating.records import FoundInstance, FoundStudy, MovedInstance
from isocenter.app.part10_files import is_instance_file, iter_files
from isocenter.app.settings import Settings
from isocenter.app.wiring import open_archive
from isocenter.archive.delete import delete
from isocenter.archive.identify import (
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)
from isocenter.archive.retrieve import read_instance
from isocenter.archive.store import begin_store
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import (
    CorruptInstance,
    InvalidDataset,
    InvalidRequest,
    IsocenterError,
    StorageFull,
    Unavailable,
)
from isocenter.domain.identifiers import Scope, is_uid
from isocenter.domain.outcome import StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.statuses import statuses_of
from isocenter.routing.deliveries.report import (
    InstanceFailed,
    InstanceStored,
    LocalFailed,
    LocalFault,
    Report,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.migration.slices import Answer, Slice

PATIENT_ID, STUDY_DATE = 0x00100020, 0x00080020
_WANTED = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, PATIENT_ID, STUDY_DATE})
SOURCE = "migration"
"""What the change feed tells of the instances."""
READ_SIZE_BYTES = 1024**2


class FolderSource:
    """A folder of DICOM files. It is walked once; files are sent from where they are, and never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def name(self) -> str:
        """Return its path."""
        return str(self.folder)

    def close(self) -> None:
        """Do nothing: files are opened one by one."""

    def report_of(self, error: IsocenterError) -> Report:
        """Return what an error of it says."""
        return LocalFailed(LocalFault.INSTANCE_GONE)

    def ask(self, one: Slice) -> tuple[Answer, list[FoundStudy]]:
        """Refuse: a folder is walked by `walk`."""
        raise InvalidRequest("A folder is not searched.")

    def list_study(self, study_instance_uid: str) -> list[FoundInstance] | None:
        """Refuse: a folder is walked by `walk`."""
        raise InvalidRequest("A folder is not searched.")

    def fetch(self, scope: Scope, folder: Path, on_answer: OnAnswer) -> FetchReport:
        """Do nothing: the files are there."""
        return FetchReport()

    def walk(self) -> Iterator[tuple[FoundStudy, FoundInstance] | str]:
        """Yield each instance with its study, and the path of each file that begins as DICOM and is none."""
        for file in iter_files([self.folder]):
            try:
                if not is_instance_file(file.path):
                    continue
                yield _look_into(file.path)
            except (InvalidDataset, OSError, ValueError):
                yield file.path


def _look_into(path: str) -> tuple[FoundStudy, FoundInstance]:
    with open(path, "rb") as file:
        # Not closed by hand: an error on its way out still holds views of it. It goes with the last of them.
        content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
        found = scan_instance(content, wanted=_WANTED).attributes
    uids = [found.get(tag, "") for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)]
    if not all(map(is_uid, uids)) or not all(uids):
        raise InvalidDataset()
    study, series, instance = uids
    return (
        FoundStudy(study, found.get(PATIENT_ID, ""), found.get(STUDY_DATE, "")),
        FoundInstance(series, instance, found.get(SOP_CLASS_UID, ""), path),
    )


class DataFolderTarget:
    """The archive of a node that does not run."""

    def __init__(self, settings: Settings) -> None:
        """Open it; raises Conflict where a node holds it, StorageFailed where it cannot be used."""
        self._settings = settings
        self._stack = ExitStack()
        self._archive = self._stack.enter_context(open_archive(settings))

    @property
    def name(self) -> str:
        """Return its path."""
        return str(Path(self._settings.data_dir).resolve())

    def close(self) -> None:
        """Close the archive."""
        self._stack.close()

    def report_of(self, error: IsocenterError) -> Report:
        """Return what an error of it says."""
        if isinstance(error, StorageFull):
            return LocalFailed(LocalFault.DISK_FULL)
        return TransportFailed(TransportFault.CONNECTION_LOST)

    def send(self, files: Sequence[StagedFile]) -> list[Sent]:
        """Store instances; all of them share a commit or a few."""
        begun = [(file, self._begin(file)) for file in files]
        return [one if isinstance(one, Sent) else _settled(file, one) for file, one in begun]

    def _begin(self, file: StagedFile) -> Future[StoreOutcome] | Sent:
        reception = begin_store(self._archive, LOCAL_OWNER, source=SOURCE)
        try:
            with file.path.open("rb") as opened:
                while chunk := opened.read(READ_SIZE_BYTES):
                    reception.write(chunk)
            return reception.finish()
        except OSError:
            reception.abort()
            return Sent(file.sop_instance_uid, LocalFailed(LocalFault.INSTANCE_GONE))
        except Unavailable:
            raise
        except IsocenterError as error:
            return _refused(file, error)

    def list_study(self, study_instance_uid: str) -> set[tuple[str, str]] | None:
        """Return series and instances of what it has of a study."""
        rows = self._archive.index.instances(Scope(study_instance_uid))
        return {(row.identifier.series_instance_uid, row.identifier.sop_instance_uid) for row in rows}

    def read_back(self, study_instance_uid: str, instances: Collection[MovedInstance], folder: Path) -> dict[str, Path]:
        """Write instances to files; one whose bytes are damaged is left out."""
        found: dict[str, Path] = {}
        for one in instances:
            scope = Scope(study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
            for row in self._archive.index.instances(scope):
                path = instance_path(folder, row.identifier)
                try:
                    write_instance(folder, row.identifier, read_instance(self._archive, row))
                except CorruptInstance:
                    continue
                found[one.sop_instance_uid] = path
        return found

    def remove(self, scope: Scope) -> None:
        """Delete one instance."""
        delete(self._archive, LOCAL_OWNER, scope)


def _settled(file: StagedFile, future: Future[StoreOutcome]) -> Sent:
    try:
        future.result()
    except Unavailable:
        raise
    except IsocenterError as error:
        return _refused(file, error)
    return Sent(file.sop_instance_uid, InstanceStored())


def _refused(file: StagedFile, error: IsocenterError) -> Sent:
    return Sent(file.sop_instance_uid, InstanceFailed(statuses_of(error).failure_reason), error.message)


def is_data_folder(path: Path) -> bool:
    """Tell whether a folder is that of a node."""
    return (path / "packs").is_dir() or os.path.isfile(path / "isocenter.toml")
