"""Extended query tags in SQLite."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import apsw

from isocenter.domain.errors import QueryTagExists
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.operation import Operation
from isocenter.domain.query_tag import (
    InstanceFindings,
    QueryStatus,
    QueryTag,
    QueryTagEntry,
    QueryTagError,
    QueryTagStatus,
    require_room_for,
)
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.query_tags import StoredHeader
from isocenter.storage.sqlite.connections import ReaderPool, fetch
from isocenter.storage.sqlite.operations import insert_operation
from isocenter.storage.sqlite.query_tag_rows import TABLES, WORD_TABLE, QueryTagRows, read_query_tags
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteQueryTags:
    """Keep extended query tags in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries
        self._kept: tuple[int, tuple[QueryTag, ...], tuple[QueryTag, ...]] = (-1, (), ())
        """The revision that was read, all tags, and those that are active."""

    def all(self) -> tuple[QueryTag, ...]:
        """Return every tag in the order in which they were added, from memory."""
        return self._current()[1]

    def active(self) -> tuple[QueryTag, ...]:
        """Return the tags by which instances are indexed that come in, from memory."""
        return self._current()[2]

    def _current(self) -> tuple[int, tuple[QueryTag, ...], tuple[QueryTag, ...]]:
        kept, revision = self._kept, self._writer.query_tags_revision
        if kept[0] != revision:
            with self._readers.connection() as connection:
                tags = read_query_tags(connection, self._queries)
            kept = self._kept = (revision, tags, tuple(one for one in tags if one.is_indexed))
        return kept

    def add(self, entries: Sequence[QueryTagEntry], operation: Operation, *, count_max: int) -> Operation | None:
        """Keep new tags and the reindex that makes them ready, unless another one is open."""

        def write(connection: apsw.Connection) -> Operation | None:
            active = insert_operation(connection, self._queries, operation, is_only_one=True)
            if active is not None:
                return active
            there = read_query_tags(connection, self._queries)
            if {one.tag for one in entries} & {one.entry.tag for one in there}:
                raise QueryTagExists()
            require_room_for(len(there) + len(entries), count_max=count_max)
            status, query_status = QueryTagStatus.ADDING.value, QueryStatus.ENABLED.value
            connection.executemany(
                self._queries["insert_query_tag"],
                [
                    (
                        one.tag,
                        one.private_creator,
                        one.vr,
                        int(one.level),
                        status,
                        query_status,
                        operation.operation_id,
                    )
                    for one in entries
                ],
            )
            return None

        return self._writer.change_query_tags(write)

    def finish(self, query_tag_keys: Sequence[int]) -> None:
        """Make tags ready that were being added."""
        rows = [(QueryTagStatus.READY.value, key) for key in query_tag_keys]
        self._writer.change_query_tags(
            lambda connection: connection.executemany(self._queries["set_query_tag_status"], rows)
        )

    def set_query_status(self, query_tag_key: int, query_status: QueryStatus) -> None:
        """Let searches use a tag or not."""
        row = (query_status.value, query_tag_key)
        self._writer.change_query_tags(lambda connection: connection.execute(self._queries["set_query_status"], row))

    def begin_removal(self, query_tag_key: int) -> None:
        """Index no more instances by a tag."""
        row = (QueryTagStatus.DELETING.value, query_tag_key)
        self._writer.change_query_tags(
            lambda connection: connection.execute(self._queries["set_query_tag_status"], row)
        )

    def remove_some(self, query_tag_key: int, *, rows_max: int) -> bool:
        """Remove some of what is kept of a tag that goes, at last itself; tell whether it is gone."""
        bindings = {"query_tag_key": query_tag_key, "limit": rows_max}
        names = [f"forget_some_{table}" for table in (*TABLES.values(), WORD_TABLE)]

        def write(connection: apsw.Connection) -> bool:
            for name in (*names, "forget_some_query_tag_errors"):
                connection.execute(self._queries[name], bindings)
                if connection.changes() > 0:
                    return False
            return True

        if not self._writer.transact(write):
            return False
        self._writer.change_query_tags(
            lambda connection: connection.execute(self._queries["forget_query_tag"], (query_tag_key,))
        )
        return True

    def errors(self, query_tag_key: int, *, limit: int, offset: int) -> list[QueryTagError]:
        """Return the errors of a tag, the oldest first."""
        bindings = (query_tag_key, max(0, limit), max(0, offset))
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["query_tag_errors"], bindings)
        return [QueryTagError(InstanceIdentifier(*row[:4]), *row[4:]) for row in rows]

    def highest_instance_key(self) -> int:
        """Return the key of the instance that was committed last, 0 where there was none."""
        with self._readers.connection() as connection:
            return int(connection.execute(self._queries["highest_instance_key"]).get)

    def stored_below(self, instance_key: int, *, limit: int) -> list[StoredHeader]:
        """Return the current instances with a lower key, the highest first."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["stored_below"], (instance_key, max(0, limit)))
        return [
            StoredHeader(key, BlobAddress(*place), header_length, tuple(paths.split("\n")) if paths else ())
            for key, *place, header_length, paths in rows
        ]

    def take(self, findings: Sequence[InstanceFindings], *, now: float) -> None:
        """Index what instances have; those that are gone are passed over."""
        found = [one for one in findings if one.values or one.error_codes]
        if not found:
            return
        has_errors = any(one.error_codes for one in found)
        change = self._writer.change_query_tags if has_errors else self._writer.transact
        change(lambda connection: self._take(connection, found, now))

    def _take(self, connection: apsw.Connection, findings: Sequence[InstanceFindings], now: float) -> None:
        bindings = {"instance_keys": json.dumps([one.instance_key for one in findings])}
        places = {key: place for key, *place in fetch(connection, self._queries["instance_places"], bindings)}
        rows = QueryTagRows(read_query_tags(connection, self._queries))
        counts: Counter[int] = Counter()
        for one in findings:
            if one.instance_key in places:
                partition_key, study_key, series_key = places[one.instance_key]
                rows.add(one.values, partition_key=partition_key, place=(study_key, series_key, one.instance_key))
                counts.update(self._note_errors(connection, one, now))
        rows.write(connection, self._queries)
        connection.executemany(self._queries["add_query_tag_errors"], [(count, key) for key, count in counts.items()])

    def _note_errors(self, connection: apsw.Connection, one: InstanceFindings, now: float) -> list[int]:
        """Return the keys of the tags of which an instance has an error that was not known."""
        noted: list[int] = []
        for key, code in one.error_codes.items():
            bindings = {"query_tag_key": key, "code": code, "now": now, "instance_key": one.instance_key}
            connection.execute(self._queries["insert_query_tag_error"], bindings)
            if connection.changes() > 0:
                noted.append(key)
        return noted
