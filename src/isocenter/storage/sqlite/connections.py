"""Connections: how they are set up, which SQLite is good enough, how its errors read, and the pool of readers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from isocenter.domain.errors import IsocenterError, Overloaded, StorageFailed, StorageFull, Unavailable
from isocenter.domain.fitting import fits_date_and_time, fits_name, fits_words, parse_date_and_time_key
from isocenter.domain.forms import Form, to_form

SQLITE_VERSION_MIN = (3, 51, 3)
"""All versions with WAL up to 3.51.2 can corrupt a database when its log is reset while another connection writes."""
BUSY_TIMEOUT_MS = 10_000
"""A reader never waits in WAL mode; a second writer (a command beside the node) waits for one commit, not for ever."""
WAL_SIZE_LIMIT_BYTES = 64 << 20
"""The log file is cut back to this when it starts anew."""
WRITER_CACHE_KIB = 64 << 10
READER_CACHE_KIB = 8 << 10
STATEMENTS_KEPT = 256
READER_WAIT_S = 30.0
"""A search that waits longer for a connection has lost its caller."""


def require_sqlite(version: str) -> None:
    """Raise StorageFailed where the SQLite library is one that can lose data."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_VERSION_MIN:
        raise StorageFailed(
            f"SQLite {version} can corrupt a database in WAL mode; install apsw with SQLite "
            f"{'.'.join(map(str, SQLITE_VERSION_MIN))} or newer."
        )


def open_writer(path: Path) -> apsw.Connection:
    """Open the one connection that writes, and create the file where there is none, for its owner's eyes alone."""
    path.touch(mode=0o600)
    connection = apsw.Connection(str(path), statementcachesize=STATEMENTS_KEPT)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "wal_autocheckpoint = 0",  # the writer checkpoints between commits
        f"journal_size_limit = {WAL_SIZE_LIMIT_BYTES}",
        f"cache_size = -{WRITER_CACHE_KIB}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """Open a connection that only reads, with the functions that searches call."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=STATEMENTS_KEPT)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}").fetchall()
    connection.execute("PRAGMA temp_store = MEMORY").fetchall()
    connection.create_scalar_function("to_form", _sql_to_form, 2, deterministic=True)
    connection.create_scalar_function("fits_words", _sql_fits_words, 2, deterministic=True)
    connection.create_scalar_function("fits_name", _sql_fits_name, 2, deterministic=True)
    connection.create_scalar_function("fits_date_and_time", _sql_fits_date_and_time, 4, deterministic=True)
    return connection


def _sql_to_form(*arguments: Any) -> str | None:
    form, text = arguments
    return None if text is None else to_form(Form(form), text)


def _sql_fits_words(*arguments: Any) -> bool:
    words, wanted = arguments
    return words is not None and fits_words(words, tuple(wanted.split(" ")))


def _sql_fits_name(*arguments: Any) -> bool:
    folded, key = arguments
    return folded is not None and fits_name(folded, key)


def _sql_fits_date_and_time(*arguments: Any) -> bool:
    date, time, timezone, key = arguments
    match = parse_date_and_time_key(key)
    return date is not None and fits_date_and_time(match, date=date, time=time or "", timezone=timezone or "")


Row = tuple[Any, ...]
"""What SQLite answers; the columns of a STRICT table have the types that the schema says."""


def fetch(connection: apsw.Connection, statement: str, bindings: Sequence[object] | Mapping[str, object]) -> list[Row]:
    """Return all rows of a statement."""
    return connection.execute(statement, bindings).fetchall()


@contextmanager
def index_errors() -> Iterator[None]:
    """Turn errors of SQLite into the domain's."""
    try:
        yield
    except apsw.Error as error:
        raise domain_error(error) from error


def domain_error(error: apsw.Error) -> IsocenterError:
    """Return the domain's error for one of SQLite."""
    if isinstance(error, apsw.FullError):
        return StorageFull("There is no room left for the index; free space and send it again.")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return Unavailable("The index is in use by another process; try again.")
    return StorageFailed("The index answered with an error; nothing was acknowledged.")


class ReaderPool:
    """Lend read-only connections, each to one thread at a time."""

    def __init__(self, path: Path, *, connections_max: int) -> None:
        self._path = path
        self._idle: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        self._slots = threading.BoundedSemaphore(connections_max)
        self._is_closed = False

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """Lend a connection; waits while all are lent, and raises Overloaded where that lasts."""
        if not self._slots.acquire(timeout=READER_WAIT_S):
            raise Overloaded()
        try:
            if self._is_closed:
                raise Unavailable("The index is closed.")
            connection = self._take()
            try:
                with index_errors():
                    yield connection
            finally:
                self._give_back(connection)
        finally:
            self._slots.release()

    def _take(self) -> apsw.Connection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            with index_errors():
                return open_reader(self._path)

    def _give_back(self, connection: apsw.Connection) -> None:
        if self._is_closed:
            connection.close()
        else:
            self._idle.put_nowait(connection)

    def close(self) -> None:
        """Close the idle connections, and those lent when they come back."""
        self._is_closed = True
        while not self._idle.empty():
            self._idle.get_nowait().close()
