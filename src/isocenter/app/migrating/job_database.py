"""The database of a job: how it is opened, what a change is, what else is known of a job, who may work on it.

What is about to be sent is noted before it goes out, and what came of it after: an instance that a crash caught between
the two is known to have been sent perhaps, and counts one attempt more when it is sent again.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from isocenter.app.migrating import statements as sql
from isocenter.domain.errors import Conflict, InvalidRequest, NotFound, StorageFailed, StorageFull

DATABASE = "job.sqlite3"
LOCK = "job.lock"
SPOOL = "spool"
"""Below it lies what was fetched and not yet stored at the target."""
BUSY_TIMEOUT_MS = 10_000
"""For a reader beside the run: `isocenter migrate report` while images move."""


class JobDatabase:
    """The database of one job, and its facts. Use it as a context manager; threads may share it."""

    def __init__(self, folder: Path, *, may_create: bool = False) -> None:
        """Open a job; raises NotFound where there is none, StorageFailed where it cannot be used."""
        self.folder = folder
        path = folder / DATABASE
        if not path.exists() and not may_create:
            raise NotFound(f"There is no migration in {folder}; `isocenter migrate assess` begins one.")
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            for pragma in ("journal_mode = WAL", "synchronous = FULL"):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            self._migrate()
        except (OSError, apsw.Error) as error:
            raise StorageFailed(f"The job in {folder} cannot be opened: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._connection.close()

    @property
    def spool(self) -> Path:
        """Return where instances lie between source and target."""
        return self.folder / SPOOL

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchall()[0][0]
        if version == 0:
            with self._connection:
                self._connection.execute(sql.SCHEMA)
                self._connection.execute(f"PRAGMA user_version = {sql.SCHEMA_VERSION}")
        elif version != sql.SCHEMA_VERSION:
            raise StorageFailed(f"The job in {self.folder} is of a later version of isocenter.")

    @contextmanager
    def changing(self) -> Iterator[apsw.Connection]:
        """Give the connection for one transaction; raises StorageFull, StorageFailed."""
        with self._lock:
            try:
                with self._connection:
                    yield self._connection
            except apsw.FullError as error:
                raise StorageFull(
                    f"There is no room in {self.folder}; free space and give the command again."
                ) from error
            except (apsw.IOError, apsw.CorruptError, apsw.ReadOnlyError) as error:
                raise StorageFailed(f"The job in {self.folder} cannot be written: {error}.") from error

    def ask(self, statement: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        with self._lock:
            return self._connection.execute(statement, tuple(bindings)).fetchall()

    def iter(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement that may have a million, as they are now, whatever changes meanwhile."""
        reader = apsw.Connection(str(self.folder / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            reader.set_busy_timeout(BUSY_TIMEOUT_MS)
            yield from reader.execute(statement)
        finally:
            reader.close()

    # ---- facts

    def put(self, name: str, value: object) -> None:
        """Keep a fact about the job."""
        with self.changing() as connection:
            connection.execute(sql.PUT_FACT, (name, json.dumps(value)))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact about the job."""
        rows = self.ask(sql.GET_FACT, (name,))
        return json.loads(rows[0][0]) if rows else default


@contextmanager
def working_alone(folder: Path) -> Iterator[None]:
    """Keep other runs from the same job for the length of a block; raises Conflict while one is at work."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"Another run is at work on the migration in {folder}.") from error
        yield
    finally:
        os.close(descriptor)


def require_same(job: JobDatabase, name: str, value: str) -> None:
    """Keep a fact that must not change in the life of a job; raises InvalidRequest where it is another."""
    known = job.get(name)
    if known is None:
        job.put(name, value)
    elif known != value:
        raise InvalidRequest(
            f"The migration in {job.folder} has the {name} {known}, not {value}; name another --job folder."
        )
