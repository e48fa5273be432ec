"""Watched studies in SQLite, in the file of the feed that they are watched by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace

import apsw
import orjson

from isocenter.ports.watched_studies import Completion, KeptExpectation, WatchedStudy
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteWatchedStudies:
    """Keep them in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def find(self, study_instance_uids: Sequence[str]) -> dict[str, WatchedStudy]:
        """Return those of some studies that are watched."""
        asked = orjson.dumps(list(study_instance_uids)).decode()
        return {study.study_instance_uid: study for study in map(_study, self._read("watched_studies", asked))}

    def due(self, *, now: float, limit: int) -> list[WatchedStudy]:
        """Return studies that are not whole and are to be judged, the longest due first."""
        return [_study(row) for row in self._read("due_watched_studies", now, limit)]

    def keep(self, studies: Sequence[WatchedStudy]) -> None:
        """Keep studies as they are now."""
        rows = [_row(study) for study in studies]
        self._writer.transact(lambda connection: connection.executemany(self._queries["store_watched_study"], rows))

    def complete(self, study: WatchedStudy) -> Completion:
        """Keep a study that is whole, and that it was, in one commit."""
        assert study.completed_at is not None
        fields = (
            study.study_instance_uid,
            study.evidence,
            study.told,
            study.completed_at,
            study.completed_sequence,
            study.last_sequence,
            study.instances,
        )
        kept = replace(study, is_complete=True, look_at=None, completed_sequence=study.last_sequence)

        def write(connection: apsw.Connection) -> int:
            connection.execute(self._queries["store_watched_study"], _row(kept))
            [(key,)] = fetch(connection, self._queries["insert_watched_completion"], fields)
            return int(key)

        return Completion(self._writer.transact(write), *fields)

    def recent(self, *, limit: int) -> list[WatchedStudy]:
        """Return studies, the one that came last first."""
        return [_study(row) for row in self._read("recent_watched_studies", limit)]

    def completions(self, *, after: int, limit: int) -> list[Completion]:
        """Return what was whole, behind a key, in order."""
        return [Completion(*row) for row in self._read("watched_completions", after, limit)]

    def expect(self, expectation: KeptExpectation) -> None:
        """Keep what a source says in the place of what it said before, and have the study judged."""
        row = (
            expectation.study_instance_uid,
            expectation.kind,
            expectation.origin,
            orjson.dumps(expectation.sop_instance_uids),
            expectation.count,
            int(expectation.is_final),
            expectation.noted_at,
        )

        def write(connection: apsw.Connection) -> None:
            connection.execute(self._queries["store_watched_expectation"], row)
            named = {"uid": expectation.study_instance_uid, "at": expectation.noted_at}
            connection.execute(self._queries["judge_watched_study"], named)

        self._writer.transact(write)

    def expectations(self, study_instance_uid: str) -> list[KeptExpectation]:
        """Return what must be here of a study."""
        rows = self._read("watched_expectations", study_instance_uid)
        return [
            KeptExpectation(uid, kind, origin, tuple(orjson.loads(uids)), count, bool(is_final), noted_at)
            for uid, kind, origin, uids, count, is_final, noted_at in rows
        ]

    def gaps(self, device: str, modality: str) -> tuple[float, ...]:
        """Return the gaps between instances that were seen of a device, the oldest first."""
        rows = self._read("watched_gaps", device, modality)
        return tuple(orjson.loads(rows[0][0])) if rows else ()

    def keep_gaps(self, gaps: Mapping[tuple[str, str], Sequence[float]]) -> None:
        """Keep gaps by device and modality in the place of those before."""
        rows = [(device, modality, orjson.dumps(list(one))) for (device, modality), one in gaps.items()]
        self._writer.transact(lambda connection: connection.executemany(self._queries["store_watched_gaps"], rows))

    def forget(self, *, before: float) -> int:
        """Drop studies to which nothing came since, with what was expected of them; return how many went."""

        def write(connection: apsw.Connection) -> int:
            connection.execute(self._queries["forget_watched_expectations"], (before,))
            connection.execute(self._queries["forget_watched_completions"], (before,))
            connection.execute(self._queries["forget_watched_studies"], (before,))
            return connection.changes()

        return self._writer.transact(write)

    def _read(self, name: str, *bindings: str | float) -> list[Row]:
        with self._readers.connection() as connection:
            return fetch(connection, self._queries[name], bindings)


def _row(study: WatchedStudy) -> tuple[str | float | None, ...]:
    return tuple(int(value) if isinstance(value, bool) else value for value in astuple(study))


def _study(row: Row) -> WatchedStudy:
    study = WatchedStudy(*row)
    return replace(study, is_complete=bool(study.is_complete))
