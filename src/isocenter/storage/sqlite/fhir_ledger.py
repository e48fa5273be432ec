"""What a cast to a FHIR server keeps, in SQLite, in the file of the feed that it follows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import apsw

from isocenter.ports.fhir_ledger import CastError, ErrorKind, OpenStudy, Standing, StudyName
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteFhirLedger:
    """Keep it in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def settle(self, study: StudyName, errors: Sequence[CastError], *, now: float) -> None:
        """Note that a study was cast, in the place of what was kept of it; errors that last keep their first time."""
        if not errors and not self._read("fhir_study_is_kept", *_name(study), *_name(study))[0][0]:
            return  # of most studies there is nothing to note: a commit less

        def write(connection: apsw.Connection) -> None:
            connection.execute(self._queries["forget_fhir_study"], _name(study))
            self._keep(connection, study, errors, now)

        self._writer.transact(write)

    def put_off(self, open_study: OpenStudy, errors: Sequence[CastError], *, now: float) -> None:
        """Note that a study is still to be cast, and why, in the place of what was kept of it."""
        study = open_study.study
        removed = json.dumps(sorted(open_study.removed))
        row = (*_name(study), open_study.due_at, open_study.attempts, removed)

        def write(connection: apsw.Connection) -> None:
            connection.execute(self._queries["store_fhir_study"], row)
            self._keep(connection, study, errors, now)

        self._writer.transact(write)

    def _keep(self, connection: apsw.Connection, study: StudyName, errors: Sequence[CastError], now: float) -> None:
        before = {tuple(row[:4]): row[4] for row in fetch(connection, self._queries["fhir_error_times"], _name(study))}
        connection.execute(self._queries["forget_fhir_errors"], _name(study))
        rows = []
        for error in errors:
            key = (error.kind.value, error.series_instance_uid, error.sop_instance_uid, error.attribute)
            rows.append((*_name(study), *key, error.sequence, error.reason, before.get(key, now), now))
        connection.executemany(self._queries["store_fhir_error"], rows)

    def ask_for(self, studies: Sequence[StudyName], *, due_at: float) -> None:
        """Have studies cast, those that wait for a person too."""
        rows = [(*_name(study), due_at) for study in studies]
        self._writer.transact(lambda connection: connection.executemany(self._queries["ask_for_fhir_study"], rows))

    def open_study(self, study: StudyName) -> OpenStudy | None:
        """Return a study if it is still to be cast."""
        rows = self._read("fhir_study", *_name(study))
        return _open_study(rows[0]) if rows else None

    def open_studies(self, *, due_before: float | None = None, limit: int) -> list[OpenStudy]:
        """Return studies that are still to be cast, the longest due first; with a time, those that are due by then."""
        if due_before is None:
            return list(map(_open_study, self._read("fhir_studies", limit)))
        return list(map(_open_study, self._read("due_fhir_studies", due_before, limit)))

    def errors(self, *, kind: ErrorKind | None = None, study: StudyName | None = None, limit: int) -> list[CastError]:
        """Return errors, the last first."""
        bindings = {
            "kind": kind and kind.value,
            "partition_name": study and study.partition_name,
            "study_instance_uid": study and study.study_instance_uid,
            "limit": limit,
        }
        with self._readers.connection() as connection:
            return list(map(_error, fetch(connection, self._queries["fhir_errors"], bindings)))

    def counts(self) -> Mapping[ErrorKind, int]:
        """Return how many errors of each kind are kept, and 0 of the others."""
        return dict.fromkeys(ErrorKind, 0) | {ErrorKind(kind): count for kind, count in self._read("fhir_error_counts")}

    def standing(self, name: str) -> Standing:
        """Return how the cast of a name goes."""
        rows = self._read("fhir_standing", name)
        return Standing(*rows[0]) if rows else Standing()

    def note(self, name: str, *, succeeded_at: float | None, failed_at: float | None, failure: str) -> None:
        """Keep how it goes; a wish for a rerun stays."""
        row = (name, succeeded_at, failed_at, failure)
        self._writer.transact(lambda connection: connection.execute(self._queries["store_fhir_standing"], row))

    def want_rerun(self, name: str, *, after: int | None) -> None:
        """Keep from where the feed is to be cast anew, or with None that this was taken up."""
        row = (name, after)
        self._writer.transact(lambda connection: connection.execute(self._queries["store_fhir_rerun"], row))

    def _read(self, name: str, *bindings: str | float) -> list[Row]:
        with self._readers.connection() as connection:
            return fetch(connection, self._queries[name], bindings)


def _name(study: StudyName) -> tuple[str, str]:
    return study.partition_name, study.study_instance_uid


def _open_study(row: Row) -> OpenStudy:
    partition, study, due_at, attempts, removed = row
    return OpenStudy(StudyName(study, partition), due_at, attempts, frozenset(json.loads(removed)))


def _error(row: Row) -> CastError:
    partition, study, kind, series, instance, attribute, sequence, reason, first_at, last_at = row
    return CastError(
        ErrorKind(kind), StudyName(study, partition), reason, series, instance, attribute, sequence, first_at, last_at
    )
