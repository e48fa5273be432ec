"""Files to import that others put into a folder of this machine, or into folders below it.

A file is ready when its size and time have stood still for a while: senders write where they will be read, and give no
sign when they are done. Whoever writes under another name (`x.dcm.part`, `.x.dcm`) and renames it then is safe without
that. Every folder on the way to a file is opened one by one without following links, so that nobody can lead out.

    waiting ─▶ read ─▶ claimed (another name, by one rename) ─▶ still what was read? ─▶ removed, or moved aside
                                                                └─ no: given back

The claim makes sure that a file which comes under the same name meanwhile is never taken for the one that was read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

import structlog

from isocenter.domain.errors import InvalidRequest, NotFound, StorageFailed
from isocenter.ports.import_source import ImportFile
from isocenter.storage.folders import make_folder, sync_folder
from isocenter.storage.packs.volume import storage_errors

_log = structlog.get_logger()

PATTERN = "*.dcm"
CLAIM_SUFFIX = ".claimed"
"""What a name ends in between the claim and the removal; one that a crash left is imported again."""
NAME_LENGTH_MAX_BYTES = 200
"""Of longer names only the end is kept where something is put behind them: file systems take 255 bytes."""
MESSAGE_SUFFIX = ".error.json"
DEPTH_MAX = 16
"""Folders below folders; patient, study and series make three."""
WATCHED_MAX = 100_000
"""Files that one look takes note of, some 30 MB; the others wait until these are gone."""
CHUNK_BYTES = 1024**2

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class _Watched:
    file: ImportFile
    since_s: float


class FolderSource:
    """Take files from one folder and move refused ones to another."""

    name = "folder"

    def __init__(
        self,
        folder: Path,
        errors: Path,
        *,
        settle_s: float,
        monotonic_s: Callable[[], float],
        pattern: str = PATTERN,
    ) -> None:
        """Watch a folder; a file counts as whole when it has not changed for `settle_s` seconds.

        `pattern` is of file names, with `*` and `?`, whatever their case.
        """
        self._folder = folder.absolute()
        self._errors = errors.absolute()
        self._pattern = pattern.lower()
        self._settle_s = settle_s
        self._monotonic_s = monotonic_s
        self._watched: dict[str, _Watched] = {}
        self._unreadable: set[str] = set()

    def check(self) -> None:
        """Make both folders, and find out whether files can be moved out of the one and into the other."""
        with storage_errors():
            for folder in (self._folder, self._errors):
                make_folder(folder)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise InvalidRequest("The folders of bulk import cannot be read and written to.")

    def iter_waiting(self) -> Iterator[ImportFile]:
        """Yield the files that have not changed for a while, as far as one look goes."""
        now = self._monotonic_s()
        watched: dict[str, _Watched] = {}
        for file in self._look():
            before = self._watched.get(file.path)
            since_s = before.since_s if before is not None and before.file == file else now
            watched[file.path] = _Watched(file, since_s)
            if len(watched) >= WATCHED_MAX:
                break
        self._watched = watched
        yield from (one.file for one in watched.values() if now - one.since_s >= self._settle_s)

    def _look(self) -> Iterator[ImportFile]:
        with storage_errors():
            root = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # the operator's may be a link
            try:
                yield from self._look_into(root, "", DEPTH_MAX)
            finally:
                os.close(root)

    def _look_into(self, folder: int, prefix: str, depth: int) -> Iterator[ImportFile]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth:
                        yield from self._look_below(folder, entry.name, prefix, depth)
                elif fnmatchcase(_bare_name(entry.name).lower(), self._pattern):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(found.st_mode):
                            yield ImportFile(prefix + entry.name, found.st_size, _version(found))

    def _look_below(self, folder: int, name: str, prefix: str, depth: int) -> Iterator[ImportFile]:
        try:
            below = os.open(name, _OPEN_FOLDER, dir_fd=folder)
        except PermissionError:
            self._note_unreadable(prefix + name)
            return
        except OSError as error:
            if error.errno in _GONE:
                return
            raise
        try:
            yield from self._look_into(below, f"{prefix}{name}/", depth - 1)
        finally:
            os.close(below)

    def _note_unreadable(self, path: str) -> None:
        """Say once that a folder is passed over; its name may be a patient's."""
        if path not in self._unreadable and len(self._unreadable) < WATCHED_MAX:
            self._unreadable.add(path)
            _log.warning("bulk_import.folder_unreadable", unreadable=len(self._unreadable))

    def iter_chunks(self, file: ImportFile) -> Iterator[bytes]:
        """Yield the content of a file, as long as it is the one that was seen."""
        with self._parent(file) as (folder, name), _lost_or_failed():
            descriptor = os.open(name, _OPEN_FILE, dir_fd=folder)
        with os.fdopen(descriptor, "rb", buffering=0) as content:
            _require_same(descriptor, file)
            with storage_errors():
                while chunk := content.read(CHUNK_BYTES):
                    yield chunk
            _require_same(descriptor, file)

    def remove(self, file: ImportFile) -> None:
        """Remove a file, unless another has come in its place."""
        with suppress(NotFound), self._claimed(file) as (folder, claim), storage_errors():
            os.unlink(claim, dir_fd=folder)

    def put_aside(self, file: ImportFile, message: bytes) -> None:
        """Move a file to the folder of refused ones, the message first: a file there always has its message."""
        with suppress(NotFound), self._claimed(file) as (folder, claim), storage_errors():
            target = _target(file, self._errors)
            _write_durably(target.with_name(target.name + MESSAGE_SUFFIX), message)
            self._move(folder, claim, target)
            sync_folder(target.parent)

    def move(self, file: ImportFile, folder: Path) -> None:
        """Move a file to another folder, unless another has come in its place; harmless where it is gone.

        Raises InvalidRequest where that is denied, Unavailable.
        """
        with suppress(NotFound), self._claimed(file) as (own_folder, claim), storage_errors():
            target = _target(file, folder.absolute())
            self._move(own_folder, claim, target)
            sync_folder(target.parent)

    def href(self, file: ImportFile) -> str:
        """Return the address of a file."""
        return "file://" + quote(os.fsencode(self._folder / file.path))

    def _move(self, folder: int, claim: str, target: Path) -> None:
        try:
            os.rename(claim, target, src_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(folder, claim, target)
            os.unlink(claim, dir_fd=folder)

    def _copy(self, folder: int, claim: str, target: Path) -> None:
        """Copy a file to another volume; it appears there when it is whole and durable."""
        partial = target.with_name(f".{target.name}.part")
        with open(os.open(claim, _OPEN_FILE, dir_fd=folder), "rb") as source, partial.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
            copy.flush()
            os.fsync(copy.fileno())
        partial.replace(target)

    @contextmanager
    def _parent(self, file: ImportFile) -> Iterator[tuple[int, str]]:
        """Open the folder that a file lies in, without following a link below the watched folder.

        Raises NotFound where it is not there any more.
        """
        *folders, name = file.path.split("/")
        with _lost_or_failed():
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                with _lost_or_failed():
                    below = os.open(folder, _OPEN_FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor, name
        finally:
            os.close(descriptor)

    @contextmanager
    def _claimed(self, file: ImportFile) -> Iterator[tuple[int, str]]:
        """Give a file a name that nobody else uses. Raises NotFound where it is gone or another is in its place."""
        with self._parent(file) as (folder, name):
            claim = name if name.endswith(CLAIM_SUFFIX) else f"{_short(name)}.{secrets.token_hex(4)}{CLAIM_SUFFIX}"
            with _lost_or_failed():
                os.rename(name, claim, src_dir_fd=folder, dst_dir_fd=folder)
                found = os.stat(claim, dir_fd=folder, follow_symlinks=False)
            if _version(found) != file.version:  # it waits under the claim's name, and is imported like any other
                raise NotFound("Another file came in its place.")
            yield folder, claim


def _target(file: ImportFile, folder: Path) -> Path:
    """Return where a file goes in another folder: under its own name, unless another one is there already."""
    path = Path(file.path)
    target = folder / path.with_name(_short(_bare_name(path.name)))
    make_folder(target.parent)
    if target.exists():
        digest = hashlib.sha256(file.version.encode()).hexdigest()[:8]
        target = target.with_name(f"{target.stem}~{digest}{target.suffix}")
    return target


def _bare_name(name: str) -> str:
    """Return a name without what a claim put behind it."""
    return name.removesuffix(CLAIM_SUFFIX).rpartition(".")[0] if name.endswith(CLAIM_SUFFIX) else name


def _short(name: str) -> str:
    return name if len(os.fsencode(name)) <= NAME_LENGTH_MAX_BYTES else name[-NAME_LENGTH_MAX_BYTES // 4 :]


def _version(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def _require_same(descriptor: int, file: ImportFile) -> None:
    with storage_errors():
        found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or _version(found) != file.version:
        raise NotFound("The file was changed while it was read.")


@contextmanager
def _lost_or_failed() -> Iterator[None]:
    """Turn errors of the operating system into the tree's: gone, or not to be had at the moment."""
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise NotFound("The file is not there any more.") from error
        raise StorageFailed("A file to import cannot be read or moved; check who may do what in its folder.") from error


def _write_durably(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
