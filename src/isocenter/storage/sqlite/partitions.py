"""Partitions in SQLite: rows that instances and workitems refer to."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.domain.partition import Partition
from isocenter.storage.sqlite.connections import ReaderPool, fetch
from isocenter.storage.sqlite.partition_key import partition_key_of
from isocenter.storage.sqlite.writer import IndexWriter

REMEMBERED_MAX = 10_000
"""Partitions that are found without asking the file; a service with one for each customer has some hundreds."""


class SqlitePartitions:
    """Keep the partitions in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries
        self._known: dict[str, Partition] = {}

    def create(self, partition_name: str, *, now: float) -> Partition:
        """Return the partition of that name, begun now where it was not there."""
        found = self.find(partition_name)
        if found is not None:
            return found
        self._writer.transact(lambda connection: partition_key_of(connection, self._queries, partition_name, now=now))
        begun = self.find(partition_name)
        if begun is None:
            raise AssertionError
        return begun

    def find(self, partition_name: str) -> Partition | None:
        """Return a partition by its name. What was found once is remembered: no partition ever goes or changes."""
        known = self._known.get(partition_name)
        if known is not None:
            return known
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["partition_row"], (partition_name,))
        if not rows:
            return None
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        return self._known.setdefault(partition_name, Partition(*rows[0]))

    def all(self) -> list[Partition]:
        """Return the partitions in the order in which they were begun."""
        with self._readers.connection() as connection:
            return [Partition(*row) for row in fetch(connection, self._queries["partition_rows"], ())]
