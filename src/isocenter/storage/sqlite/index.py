"""The index over one SQLite file: commits through the writer, questions through the readers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import disk_usage
from types import TracebackType

import apsw

from isocenter.domain.errors import StorageFailed, StorageFull
from isocenter.domain.forms import integer_of
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope
from isocenter.domain.query import Cursor, Query, SearchPage, SearchRow
from isocenter.ports.blobs import BlobAddress, BlobPosition
from isocenter.ports.failpoints import Failpoints
from isocenter.ports.index import (
    Change,
    ChangeAction,
    ChangeState,
    Erasure,
    InstanceRow,
    NewInstance,
    Totals,
)
from isocenter.storage.sqlite.commitments import SqliteCommitments
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch, require_sqlite
from isocenter.storage.sqlite.event_cursors import SqliteEventCursors
from isocenter.storage.sqlite.external_metadata import SqliteExternalMetadata
from isocenter.storage.sqlite.feed import FeedTimestamps, window_of
from isocenter.storage.sqlite.fhir_ledger import SqliteFhirLedger
from isocenter.storage.sqlite.ledger import SqliteLedger
from isocenter.storage.sqlite.operations import SqliteOperations
from isocenter.storage.sqlite.partitions import SqlitePartitions
from isocenter.storage.sqlite.performed_steps import SqlitePerformedSteps
from isocenter.storage.sqlite.prefetches import SqlitePrefetches
from isocenter.storage.sqlite.query_tags import SqliteQueryTags
from isocenter.storage.sqlite.revisions import SqliteRevisions
from isocenter.storage.sqlite.search import count_statement, page_statements
from isocenter.storage.sqlite.statements import load_queries
from isocenter.storage.sqlite.step_messages import SqliteStepMessages
from isocenter.storage.sqlite.watched_studies import SqliteWatchedStudies
from isocenter.storage.sqlite.workitems import SqliteWorkitems
from isocenter.storage.sqlite.worklist import SqliteWorklist
from isocenter.storage.sqlite.writer import CHECKPOINT_PAGES, IndexWriter

READERS_MAX = 8
"""Reads hold the interpreter's lock most of the time; more connections only cost memory."""

_KEY_MAX = 2**63 - 1
_SCOPE_QUERIES = {
    Level.STUDY: "instances_of_study",
    Level.SERIES: "instances_of_series",
    Level.INSTANCE: "instances_of_instance",
}


class SqliteInstanceIndex:
    """Keep the index in one SQLite file."""

    def __init__(
        self,
        path: Path,
        *,
        reserve_bytes: int = 0,
        failpoints: Failpoints | None = None,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        """Open the file and bring its schema up to date; stores leave `reserve_bytes` of its volume free.

        Raises StorageFailed where the SQLite library is unsafe.
        """
        require_sqlite(apsw.sqlite_lib_version())
        path.parent.mkdir(parents=True, exist_ok=True)
        self._folder = path.parent
        self._reserve_bytes = reserve_bytes
        self._queries = load_queries()
        self._writer = IndexWriter(path, failpoints or Failpoints(), checkpoint_pages=checkpoint_pages)
        self._readers = ReaderPool(path, connections_max=READERS_MAX)
        self.worklist = SqliteWorklist(self._writer, self._readers, self._queries)
        self.performed_steps = SqlitePerformedSteps(self._writer, self._readers, self._queries)
        self.commitments = SqliteCommitments(self._writer, self._readers, self._queries)
        self.operations = SqliteOperations(self._writer, self._readers, self._queries)
        self.ledger = SqliteLedger(self._writer, self._readers, self._queries)
        self.partitions = SqlitePartitions(self._writer, self._readers, self._queries)
        self.external_metadata = SqliteExternalMetadata(self._writer, self._readers, self._queries)
        self.event_cursors = SqliteEventCursors(self._writer, self._queries)
        self.fhir_ledger = SqliteFhirLedger(self._writer, self._readers, self._queries)
        self.prefetches = SqlitePrefetches(self._writer, self._readers, self._queries)
        self.step_messages = SqliteStepMessages(self._writer, self._readers, self._queries)
        self.watched_studies = SqliteWatchedStudies(self._writer, self._readers, self._queries)
        self.query_tags = SqliteQueryTags(self._writer, self._readers, self._queries)
        self.workitems = SqliteWorkitems(self._writer, self._readers, self._queries)
        self.revisions = SqliteRevisions(self._writer, self._readers, self._queries)

    def __enter__(self) -> SqliteInstanceIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._readers.close()
        self._writer.close()

    @property
    def is_failed(self) -> bool:
        """Tell whether an I/O error stopped all writing until the index is opened anew."""
        return self._writer.is_failed

    def require_room(self) -> None:
        """Raise StorageFull where new instances would eat into the room that deletes and repairs need."""
        if not self._reserve_bytes:
            return
        try:
            free_bytes = disk_usage(self._folder).free
        except OSError as error:
            raise StorageFailed("The volume of the index does not answer; nothing was acknowledged.") from error
        if free_bytes < self._reserve_bytes:
            raise StorageFull("There is no room left for the index; free space and send it again.")

    def commit(
        self,
        instances: Sequence[NewInstance],
        *,
        now: float,
        erase_due_at: float,
        positions: Sequence[BlobPosition] = (),
    ) -> list[int]:
        """Commit instances with their feed and delivery rows; return their instance keys."""
        return self._writer.commit(instances, now=now, erase_due_at=erase_due_at, positions=positions)

    def delete(self, scope: Scope, *, now: float, erase_due_at: float) -> int:
        """Remove a scope, with feed rows and erasures in the same commit; return how many instances went."""
        return self._writer.delete(scope, now=now, erase_due_at=erase_due_at)

    def forget_erasures(self, erasure_keys: Sequence[int], *, shrunk: Sequence[BlobPosition] = ()) -> None:
        """Drop erasures that were carried out; `shrunk` are the fills of containers that they left shorter or gone."""
        self._writer.forget_erasures(erasure_keys, shrunk=shrunk)

    def find_stored(self, identifiers: Sequence[InstanceIdentifier]) -> dict[InstanceIdentifier, InstanceRow]:
        """Return those of the identifiers that are stored, current versions."""
        query = self._queries["instances_of_instance"]
        found: dict[InstanceIdentifier, InstanceRow] = {}
        with self._readers.connection() as connection:
            for identifier in self._maybe_stored(connection, identifiers):
                bindings = {
                    "partition_name": identifier.partition_name,
                    "study_instance_uid": identifier.study_instance_uid,
                    "series_instance_uid": identifier.series_instance_uid,
                    "sop_instance_uid": identifier.sop_instance_uid,
                    "is_original": 0,
                }
                for row in fetch(connection, query, bindings):
                    found[identifier] = _instance_row(row)
        return found

    def _maybe_stored(
        self, connection: apsw.Connection, identifiers: Sequence[InstanceIdentifier]
    ) -> list[InstanceIdentifier]:
        """Return those of the identifiers whose SOP Instance UID is known: of a new batch none, by one look."""
        known: set[tuple[str, str]] = set()
        for partition_name in {identifier.partition_name for identifier in identifiers}:
            uids = [one.sop_instance_uid for one in identifiers if one.partition_name == partition_name]
            bindings = {"partition_name": partition_name, "sop_instance_uids": json.dumps(uids)}
            known.update((partition_name, uid) for (uid,) in fetch(connection, self._queries["known_uids"], bindings))
        return [one for one in identifiers if (one.partition_name, one.sop_instance_uid) in known]

    def instances(self, scope: Scope, *, original: bool = False) -> list[InstanceRow]:
        """Return the instances of a scope, by series, instance number, key."""
        bindings = {
            "partition_name": scope.partition_name,
            "study_instance_uid": scope.study_instance_uid,
            "series_instance_uid": scope.series_instance_uid,
            "sop_instance_uid": scope.sop_instance_uid,
            "is_original": int(original),
        }
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries[_scope_query(scope)], bindings)
        if scope.series_instance_uid is None and scope.sop_instance_uid is not None:
            rows = [row for row in rows if row[4] == scope.sop_instance_uid]
        found = [(row[0], _instance_row(row)) for row in rows]
        found.sort(
            key=lambda pair: (
                pair[0],
                pair[1].instance_number is None,
                pair[1].instance_number or 0,
                pair[1].instance_key,
            )
        )
        return [row for _, row in found]

    def instance(self, instance_key: int) -> InstanceRow | None:
        """Return one current instance by key."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["instance"], (instance_key,))
        return _instance_row(rows[0]) if rows else None

    def instances_of_keys(self, instance_keys: Sequence[int]) -> dict[int, InstanceRow]:
        """Return those of some instances that are there now, by key, by one look."""
        bindings = {"instance_keys": json.dumps(list(instance_keys))}
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["instances_of_keys"], bindings)
        return {row[1]: _instance_row(row) for row in rows}

    def frame_table(self, instance_key: int) -> bytes:
        """Return the encoded frame table of an instance; empty if it has none."""
        with self._readers.connection() as connection:
            table: bytes | None = connection.execute(self._queries["frame_table"], (instance_key,)).get
        return table or b""

    def invalid_paths(self, instance_keys: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the elements that metadata leaves out, of those of the instances that have any."""
        bindings = {"instance_keys": json.dumps(list(instance_keys))}
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["invalid_paths"], bindings)
        return {int(key): tuple(str(paths).split("\n")) for key, paths in rows}

    def search(self, query: Query) -> list[SearchRow]:
        """Return the rows that match, newest first."""
        rows, tags = self._rows(query)
        return [_search_row(row, tags) for row in rows]

    def search_page(self, query: Query, cursor: Cursor | None = None) -> SearchPage:
        """Return the rows that come next, newest first, and where to go on."""
        if cursor is None:
            cursor = Cursor(_KEY_MAX, self._latest_study_key() if query.level is Level.PATIENT else 0)
        rows, tags = self._rows(query, cursor)
        following = Cursor(rows[-1][0], cursor.newest) if rows and len(rows) == query.limit else None
        return SearchPage([_search_row(row, tags) for row in rows], following)

    def _rows(self, query: Query, cursor: Cursor | None = None) -> tuple[list[Row], tuple[int, ...]]:
        """Return rows, newest first, and the tags of their values."""
        rows: list[Row] = []
        tags: tuple[int, ...] = ()
        with self._readers.connection() as connection:
            for statement in page_statements(query, cursor):
                rows, tags = fetch(connection, statement.text, statement.bindings), statement.tags
                if len(rows) >= query.limit:
                    break
        rows.sort(key=_first, reverse=True)
        return rows, tags

    def _latest_study_key(self) -> int:
        with self._readers.connection() as connection:
            return int(connection.execute(self._queries["latest_study_key"]).get)

    def count(self, query: Query) -> int:
        """Return how many rows match, without regard to limit and offset."""
        statement = count_statement(query)
        with self._readers.connection() as connection:
            return int(connection.execute(statement.text, statement.bindings).get)

    def changes(self, *, after: int = 0, limit: int = 100) -> list[Change]:
        """Return feed rows with a sequence above `after`, in order."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["changes"], (after, max(0, limit)))
        return [_change(row) for row in rows]

    def change_window(self, *, start: float | None, end: float | None, now: float) -> tuple[int, int]:
        """Return the sequence of the first feed row of a window of time, and the one behind its last row."""
        if end is not None:
            self._writer.close_window(min(end, now))
        with self._readers.connection() as connection:
            return window_of(FeedTimestamps(connection, self._queries), start=start, end=end)

    def latest_sequence(self) -> int:
        """Return the highest sequence of the feed; 0 when it is empty."""
        with self._readers.connection() as connection:
            return int(connection.execute(self._queries["latest_sequence"]).get)

    def due_erasures(self, *, now: float, limit: int) -> list[Erasure]:
        """Return erasures that are due, oldest first."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["due_erasures"], (now, max(0, limit)))
        return [Erasure(key, BlobAddress(*place), due_at) for key, *place, due_at in rows]

    def positions(self) -> dict[int, int]:
        """Return the recorded fill of each container."""
        with self._readers.connection() as connection:
            return dict(fetch(connection, self._queries["positions"], ()))

    def addresses(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, InstanceIdentifier, BlobAddress]]:
        """Return key, identifier and address of every stored version in order of keys, for the scrubber."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["addresses"], (after, max(0, limit)))
        return [(row[0], InstanceIdentifier(*row[1:5]), BlobAddress(*row[5:])) for row in rows]

    def totals(self) -> Totals:
        """Return what is stored, in counts that cost no scan."""
        with self._readers.connection() as connection:
            return Totals(*fetch(connection, self._queries["totals"], ())[0])

    def __repr__(self) -> str:
        return "SqliteInstanceIndex()"


def _first(row: Row) -> int:
    key: int = row[0]
    return key


def _search_row(row: Row, tags: tuple[int, ...]) -> SearchRow:
    _, newest_instance_key, *values = row
    return SearchRow(
        newest_instance_key, {tag: value for tag, value in zip(tags, values, strict=True) if value is not None}
    )


def _scope_query(scope: Scope) -> str:
    return _SCOPE_QUERIES[Level.STUDY if scope.series_instance_uid is None else scope.level]


def _instance_row(row: Row) -> InstanceRow:
    _, key, study, series, sop, partition, sop_class, syntax, number, frames, *rest = row
    *place, header, received, original, source = rest
    return InstanceRow(
        key,
        InstanceIdentifier(study, series, sop, partition),
        sop_class,
        syntax,
        integer_of(number),
        integer_of(frames),
        BlobAddress(*place),
        header,
        received,
        bool(original),
        source,
    )


def _change(row: Row) -> Change:
    sequence, study, series, sop, partition, action, timestamp, own_key, current_key = row
    kind = ChangeAction(action)
    if current_key is None:
        state = ChangeState.DELETED
    else:
        is_own = kind is not ChangeAction.DELETE and own_key == current_key
        state = ChangeState.CURRENT if is_own else ChangeState.REPLACED
    return Change(
        sequence,
        InstanceIdentifier(study, series, sop, partition),
        kind,
        state,
        timestamp,
        current_key,
    )
