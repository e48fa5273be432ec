"""One transaction that removes a scope: rows, feed rows, erasures, deliveries that wait, and parents left empty."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from isocenter.domain.delivery import DELETED
from isocenter.domain.identifiers import Level, Scope
from isocenter.ports.index import ChangeAction
from isocenter.storage.sqlite.connections import fetch
from isocenter.storage.sqlite.listings import refresh_modalities, refresh_sop_classes
from isocenter.storage.sqlite.query_tag_rows import forget_values
from isocenter.storage.sqlite.writing import Writing


@dataclass(frozen=True, slots=True)
class _Version:
    instance_key: int
    is_original: int
    study_key: int
    series_key: int
    partition_key: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    container: int
    offset: int
    length: int
    block_digests: bytes


class RemovalTransaction:
    """Remove one scope; the caller begins and ends the transaction."""

    def __init__(self, writing: Writing) -> None:
        self._connection = writing.connection
        self._queries = writing.queries
        self._known = writing.known
        self._query_tags = self._known.all_query_tags(self._connection, self._queries)
        self._counters = writing.counters
        self._ledger = writing.ledger
        self._now = writing.now
        self._erase_due_at = writing.erase_due_at
        self._taken_out: list[_Version] = []
        self._size_taken_out = 0

    def remove(self, scope: Scope) -> int:
        """Remove everything in a scope; return how many instances went."""
        rows = fetch(
            self._connection,
            self._queries["scope_versions"],
            {
                "partition_name": scope.partition_name,
                "study_instance_uid": scope.study_instance_uid,
                "series_instance_uid": scope.series_instance_uid,
                "sop_instance_uid": scope.sop_instance_uid,
            },
        )
        if not rows:
            return 0
        versions = [_Version(*row) for row in rows]
        current = sorted((one for one in versions if not one.is_original), key=lambda one: one.instance_key)
        self._note_changes(current)
        self._erase_later(versions)
        keys = [(one.instance_key,) for one in versions]
        self._ledger.withdraw([one.instance_key for one in versions], DELETED)
        self._connection.executemany(self._queries["delete_instance"], keys)
        self._forget_values(Level.INSTANCE, [one.instance_key for one in current])
        self._forget_errors(current)
        self._tidy_parents(versions, len(current))
        return len(current)

    def take_out(self, instance_key: int) -> int:
        """Take an instance out of its place but for its first version, which is to be its original one elsewhere.

        Return the key of that version: the caller puts it where it belongs, then calls `tidy`.
        """
        rows = fetch(self._connection, self._queries["instance_versions"], (instance_key,))
        versions = [_Version(*row) for row in rows]
        current = [one for one in versions if not one.is_original]
        kept = next((one for one in versions if one.is_original), current[0])
        self._note_changes(current)
        gone = [one for one in versions if one is not kept]
        self._erase_later(gone)
        self._connection.executemany(self._queries["delete_instance"], [(one.instance_key,) for one in gone])
        self._forget_values(Level.INSTANCE, [one.instance_key for one in current])
        self._forget_errors(current)
        self._taken_out += current
        self._size_taken_out += sum(one.length for one in gone)
        return kept.instance_key

    def tidy(self) -> None:
        """Count anew what instances were taken out of."""
        series_gone = sum(self._recount_series(key) for key in {one.series_key for one in self._taken_out})
        places = {(one.partition_key, one.study_key) for one in self._taken_out}
        studies_gone = sum(self._recount_study(*place) for place in places)
        for partition_key in {one.partition_key for one in self._taken_out}:
            gone = (-studies_gone, -series_gone, -len(self._taken_out), -self._size_taken_out, partition_key)
            self._connection.execute(self._queries["add_totals"], gone)

    def _forget_values(self, level: Level, keys: list[int]) -> None:
        forget_values(self._connection, self._queries, self._query_tags, level=level, resource_keys=keys)

    def _forget_errors(self, current: list[_Version]) -> None:
        """Drop the errors of extended query tags that instances have, and lower the counts (dicom-service 5)."""
        if not any(one.error_count for one in self._query_tags):
            return
        counts: Counter[int] = Counter()
        for one in current:
            names = (one.partition_key, one.sop_instance_uid, one.series_instance_uid, one.study_instance_uid)
            counts.update(key for (key,) in fetch(self._connection, self._queries["forget_query_tag_errors"], names))
        rows = [(count, key) for key, count in counts.items()]
        self._connection.executemany(self._queries["lower_query_tag_errors"], rows)
        self._known.renew_query_tags()

    def _note_changes(self, current: list[_Version]) -> None:
        first = self._counters.sequence + 1
        self._counters.sequence += len(current)
        self._connection.executemany(
            self._queries["insert_change"],
            [
                (
                    first + index,
                    one.partition_key,
                    one.study_instance_uid,
                    one.series_instance_uid,
                    one.sop_instance_uid,
                    ChangeAction.DELETE.value,
                    self._now,
                    one.instance_key,
                )
                for index, one in enumerate(current)
            ],
        )

    def _erase_later(self, versions: list[_Version]) -> None:
        first = self._counters.erasure_key + 1
        self._counters.erasure_key += len(versions)
        self._connection.executemany(
            self._queries["insert_erasure"],
            [
                (first + index, one.container, one.offset, one.length, one.block_digests, self._erase_due_at)
                for index, one in enumerate(versions)
            ],
        )

    def _tidy_parents(self, versions: list[_Version], instances_gone: int) -> None:
        series_gone = sum(self._recount_series(key) for key in {one.series_key for one in versions})
        study = versions[0]
        study_gone = self._recount_study(study.partition_key, study.study_key)
        size_gone = sum(one.length for one in versions)
        gone = (-study_gone, -series_gone, -instances_gone, -size_gone, study.partition_key)
        self._connection.execute(self._queries["add_totals"], gone)

    def _recount_series(self, series_key: int) -> bool:
        count, newest = fetch(self._connection, self._queries["count_series"], (series_key,))[0]
        if count:
            self._connection.execute(self._queries["update_series_counts"], (count, newest, series_key))
        else:
            self._connection.execute(self._queries["delete_series"], (series_key,))
            self._forget_values(Level.SERIES, [series_key])
        return not count

    def _recount_study(self, partition_key: int, study_key: int) -> bool:
        counts = fetch(self._connection, self._queries["count_study"], (study_key,))[0]
        if not counts[0]:
            self._connection.execute(self._queries["forget_external_values"], (study_key,))
            self._connection.execute(self._queries["delete_study"], (study_key,))
            self._forget_values(Level.STUDY, [study_key])
            return True
        self._connection.execute(self._queries["update_study_counts"], (*counts, study_key))
        refresh_modalities(self._connection, self._queries, partition_key, study_key)
        refresh_sop_classes(self._connection, self._queries, partition_key, study_key)
        return False
