"""The one connection that writes: transactions, what is remembered between them, checkpoints between commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from isocenter.domain.errors import StorageFailed
from isocenter.domain.identifiers import Scope
from isocenter.ports.blobs import BlobPosition
from isocenter.ports.failpoints import Failpoints
from isocenter.ports.index import TIMESTAMP_DIGITS, NewInstance
from isocenter.storage.folders import sync_folder
from isocenter.storage.sqlite.connections import domain_error, index_errors, open_writer
from isocenter.storage.sqlite.intake import StoreTransaction
from isocenter.storage.sqlite.ledger_transaction import LedgerTransaction
from isocenter.storage.sqlite.migrate import migrate_to_current
from isocenter.storage.sqlite.recollection import Counters, Recollection
from isocenter.storage.sqlite.removal import RemovalTransaction
from isocenter.storage.sqlite.revision_transaction import stage
from isocenter.storage.sqlite.statements import load_queries
from isocenter.storage.sqlite.writing import Writing

CHECKPOINT_PAGES = 4000
"""About 16 MB of log between checkpoints: pages that many commits touch are copied once; recovery stays short."""

Result = TypeVar("Result")


class IndexWriter:
    """Write to the index, one transaction at a time."""

    def __init__(self, path: Path, failpoints: Failpoints, *, checkpoint_pages: int) -> None:
        self._checkpoint_pages = checkpoint_pages
        self._failpoints = failpoints
        self._lock = threading.Lock()
        self._queries = load_queries()
        self._known = Recollection()
        self._is_failed = False
        self._wal_pages = 0
        self.query_tags_revision = 0
        """Grows with every commit that changed extended query tags, for those who keep a copy."""
        with index_errors():
            self._connection = open_writer(path)
            migrate_to_current(self._connection)
            self._stamped_at = float(self._connection.execute(self._queries["latest_timestamp"]).get or 0)
        self._connection.set_wal_hook(self._note_pages)
        sync_folder(path.parent)

    @property
    def is_failed(self) -> bool:
        """Tell whether an I/O error stopped all writing until the index is opened anew."""
        return self._is_failed

    def _note_pages(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return 0

    def commit(
        self,
        instances: Sequence[NewInstance],
        *,
        now: float,
        erase_due_at: float,
        positions: Sequence[BlobPosition],
    ) -> list[int]:
        """Take in instances in one transaction."""

        def write(counters: Counters) -> list[int]:
            writing = self._writing(counters, now=now, erase_due_at=erase_due_at)
            transaction = StoreTransaction(writing)
            keys = [self._take(transaction, new, counters, erase_due_at) for new in instances]
            self._failpoints.hit("index.mid_transaction")
            transaction.write()
            writing.ledger.write()
            rows = [(position.container, position.length) for position in positions]
            self._connection.executemany(self._queries["store_position"], rows)
            return keys

        return self._transact(write)

    def _writing(self, counters: Counters, *, now: float, erase_due_at: float) -> Writing:
        ledger = self._ledger(counters, now=now)
        parts = (self._connection, self._queries, self._known, counters, ledger)
        return Writing(*parts, self._stamp(now), erase_due_at=erase_due_at)

    def _ledger(self, counters: Counters, *, now: float) -> LedgerTransaction:
        """Return the ledger's part; its times are those of the clock, also where the feed's had to stand still."""
        return LedgerTransaction(self._connection, self._queries, self._known, counters, now=now)

    def change_ledger(self, write: Callable[[LedgerTransaction], Result], *, now: float = 0.0) -> Result:
        """Let the ledger write in one transaction; `now` is when deliveries begin."""

        def change(counters: Counters) -> Result:
            ledger = self._ledger(counters, now=now)
            result = write(ledger)
            self._failpoints.hit("index.mid_transaction")
            ledger.write()
            return result

        return self._transact(change)

    def _take(self, transaction: StoreTransaction, new: NewInstance, counters: Counters, due_at: float) -> int:
        if new.membership is None:
            return transaction.add(new)
        return stage(self._connection, self._queries, counters, new, new.membership, erase_due_at=due_at)

    def revise(self, write: Callable[[Writing], Result], *, now: float, erase_due_at: float) -> Result:
        """Let the store of revisions write in one transaction."""

        def revise(counters: Counters) -> Result:
            writing = self._writing(counters, now=now, erase_due_at=erase_due_at)
            result = write(writing)
            self._failpoints.hit("index.mid_transaction")
            writing.ledger.write()
            self._known.forget_entries()
            return result

        return self._transact(revise)

    def delete(self, scope: Scope, *, now: float, erase_due_at: float) -> int:
        """Remove a scope in one transaction."""

        def write(counters: Counters) -> int:
            writing = self._writing(counters, now=now, erase_due_at=erase_due_at)
            count = RemovalTransaction(writing).remove(scope)
            self._failpoints.hit("index.mid_transaction")
            writing.ledger.write()
            if count:
                self._known.forget_entries()
            return count

        return self._transact(write)

    def forget_erasures(self, erasure_keys: Sequence[int], *, shrunk: Sequence[BlobPosition] = ()) -> None:
        """Drop erasures in one transaction."""

        def write(counters: Counters) -> None:
            rows = [(key,) for key in erasure_keys]
            self._connection.executemany(self._queries["forget_erasure"], rows)
            fills = [(position.length, position.container) for position in shrunk if position.length]
            self._connection.executemany(self._queries["shrink_position"], fills)
            gone = [(position.container,) for position in shrunk if not position.length]
            self._connection.executemany(self._queries["forget_position"], gone)

        self._transact(write)

    def close_window(self, end: float) -> None:
        """Give no feed row that is committed from now on a timestamp before `end`."""
        with self._lock:
            self._stamp(end)

    def _stamp(self, now: float) -> float:
        """Return the timestamp of feed rows that are committed now: not before any that a reader may count on."""
        self._stamped_at = max(self._stamped_at, round(now, TIMESTAMP_DIGITS))
        return self._stamped_at

    def transact(self, write: Callable[[apsw.Connection], Result]) -> Result:
        """Let another store of the same file write in one transaction."""
        return self._transact(lambda _counters: write(self._connection))

    def change_query_tags(self, write: Callable[[apsw.Connection], Result]) -> Result:
        """Do the same for what changes extended query tags: from the next commit on, the new ones hold."""

        def change(_counters: Counters) -> Result:
            self._known.renew_query_tags()
            return write(self._connection)

        return self._transact(change)

    def _transact(self, write: Callable[[Counters], Result]) -> Result:
        with self._lock:
            if self._is_failed:
                raise StorageFailed("The index failed; nothing is taken until it is opened again.")
            try:
                result = self._write_and_commit(write)
            except BaseException as error:
                self._roll_back()
                refusal = self._refusal(error)
                if refusal is error:
                    raise
                raise refusal from error
            if self._known.has_new_query_tags:  # before anybody else commits: a store looks again for the new ones
                self._known.has_new_query_tags = False
                self.query_tags_revision += 1
            self._failpoints.hit("index.after_commit")
            self._known.shrink()
            self._checkpoint()
            return result

    def _write_and_commit(self, write: Callable[[Counters], Result]) -> Result:
        self._failpoints.hit("index.before_begin")
        self._connection.execute(self._queries["begin"])
        counters = self._known.refresh(self._connection, self._queries)
        result = write(counters)
        self._connection.execute(self._queries["store_counters"], counters.as_row())
        self._failpoints.hit("index.before_commit")
        self._connection.execute("COMMIT")
        return result

    def _roll_back(self) -> None:
        self._known.clear()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:
                self._is_failed = True

    def _refusal(self, error: BaseException) -> BaseException:
        refusal = domain_error(error) if isinstance(error, apsw.Error) else error
        if isinstance(error, apsw.IOError | apsw.CorruptError) or isinstance(refusal, StorageFailed):
            self._is_failed = True
        return refusal

    def _checkpoint(self) -> None:
        """Move the log to the database now and then; a failure here loses nothing, and the next one tries again."""
        if self._wal_pages < self._checkpoint_pages:
            return
        self._wal_pages = 0
        try:
            self._connection.execute(self._queries["checkpoint"]).fetchall()
        except (apsw.IOError, apsw.CorruptError):
            self._is_failed = True
        except apsw.Error:
            return

    def close(self) -> None:
        """Close the connection, which carries the log over to the database."""
        with self._lock:
            self._connection.close()
