"""Revisions within the SQLite index."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from isocenter.domain.identifiers import Scope
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.revisions import StagedVersion
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.revision_transaction import conclude, let_go
from isocenter.storage.sqlite.writer import IndexWriter
from isocenter.storage.sqlite.writing import Writing


class SqliteRevisions:
    """Keep revisions in the index's file."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def staged(self, revision_id: str) -> list[StagedVersion]:
        """Return what is staged of a revision."""
        return [StagedVersion(row[1], BlobAddress(*row[2:])) for row in self._read("staged_places", revision_id)]

    def concluded(self, revision_id: str) -> int | None:
        """Return how many instances a revision changed."""
        rows = self._read("concluded_revision", revision_id)
        return int(rows[0][0]) if rows else None

    def unstage(self, revision_id: str, replaced_keys: Collection[int] | None = None, *, now: float) -> int:
        """Let go of staged versions; return how many."""

        def write(writing: Writing) -> int:
            places = fetch(writing.connection, writing.queries["staged_places"], (revision_id,))
            going = [row for row in places if replaced_keys is None or row[1] in replaced_keys]
            let_go(writing.connection, writing.queries, writing.counters, going, erase_due_at=now)
            return len(going)

        return self._writer.revise(write, now=now, erase_due_at=now)

    def conclude(
        self,
        revision_id: str,
        *,
        now: float,
        erase_due_at: float,
        scope: Scope | None = None,
        vacant: Scope | None = None,
    ) -> int | None:
        """Make everything current that is staged of a revision; return how many instances changed."""
        return self._writer.revise(
            lambda writing: conclude(writing, revision_id, scope=scope, vacant=vacant),
            now=now,
            erase_due_at=erase_due_at,
        )

    def settle_revisions(self, *, keep: str | None, now: float) -> int:
        """Let go of every revision whose identifier does not begin with `keep`; return how many were staged."""
        going = [name for (name,) in self._read("staged_revisions") if keep is None or not name.startswith(keep)]
        done = [name for (name,) in self._read("concluded_revisions") if keep is None or not name.startswith(keep)]
        count = sum(self.unstage(name, now=now) for name in going)
        if done:
            rows = [(name,) for name in done]
            self._writer.transact(lambda connection: connection.executemany(self._queries["forget_concluded"], rows))
        return count

    def _read(self, name: str, *bindings: str) -> list[Row]:
        with self._readers.connection() as connection:
            return fetch(connection, self._queries[name], bindings)
