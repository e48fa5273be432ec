"""One transaction that takes in instances: index rows, feed rows, delivery rows, counts.

Rows of new instances and feed are collected and written table by table at the end; studies and series are
written once per transaction, their unchanged values never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isocenter.domain.attributes import (
    BY_KEYWORD,
    REQUEST_ITEM_TAGS,
    SERIES_ATTRIBUTES,
    STUDY_ATTRIBUTES,
    IndexedAttribute,
)
from isocenter.domain.errors import QueryTagsChanged
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.query import person_name_words
from isocenter.ports.index import ChangeAction, NewInstance
from isocenter.storage.sqlite.columns import Value, values_of
from isocenter.storage.sqlite.connections import fetch
from isocenter.storage.sqlite.external_rows import external_rows
from isocenter.storage.sqlite.ledger_transaction import Deliverable, Heir
from isocenter.storage.sqlite.listings import (
    refresh_modalities,
    refresh_sop_classes,
    write_requests,
    write_sop_classes,
)
from isocenter.storage.sqlite.partition_key import partition_key_of
from isocenter.storage.sqlite.query_tag_rows import QueryTagRows, forget_values
from isocenter.storage.sqlite.recollection import (
    PartitionDelta,
    SeriesEntry,
    StudyEntry,
)
from isocenter.storage.sqlite.writing import Writing

_STUDY_UID = BY_KEYWORD["StudyInstanceUID"].tag
_SERIES_UID = BY_KEYWORD["SeriesInstanceUID"].tag
_MODALITY = BY_KEYWORD["Modality"].tag
_STUDY_TAGS = tuple(one.tag for one in STUDY_ATTRIBUTES if one.tag != _STUDY_UID)
_SERIES_TAGS = tuple(one.tag for one in SERIES_ATTRIBUTES if one.tag != _SERIES_UID)
_NAME_COLUMNS = tuple((one.column, one.tag) for one in STUDY_ATTRIBUTES if one.vr == "PN")

Row = tuple[Value, ...]


class StoreTransaction:
    """Take in instances one by one, then write what they add; the caller begins and ends the transaction."""

    def __init__(self, writing: Writing) -> None:
        self._connection = writing.connection
        self._queries = writing.queries
        self._known = writing.known
        self._counters = writing.counters
        self._ledger = writing.ledger
        self._now = writing.now
        self._erase_due_at = writing.erase_due_at
        self._instances: list[Row] = []
        self._changes: list[Row] = []
        self._invalid_paths: list[Row] = []
        self._external: list[Row] = []
        self._pending: set[tuple[int, str]] = set()
        self._studies: dict[int, StudyEntry] = {}
        self._series: dict[int, SeriesEntry] = {}
        self._deltas: dict[int, PartitionDelta] = {}
        self._with_stale_sop_classes: set[tuple[int, int]] = set()
        self._query_tags = self._known.all_query_tags(self._connection, self._queries)
        self._active_keys = tuple(one.query_tag_key for one in self._query_tags if one.is_indexed)
        self._query_tag_rows = QueryTagRows(self._query_tags)

    def add(self, new: NewInstance) -> int:
        """Take in an instance and return its key; raises QueryTagsChanged where it was looked at for other tags."""
        if new.query_tag_keys != self._active_keys:
            raise QueryTagsChanged()
        identifier = new.identifier
        study = self._study_for(identifier)
        series = self._series_for(study, identifier.series_instance_uid)
        _take_values(study, new.attributes, _STUDY_TAGS)
        modality = series.attributes.get(_MODALITY)
        _take_values(series, new.attributes, _SERIES_TAGS)
        if series.attributes.get(_MODALITY) != modality:
            study.has_new_modality = True
        _take_requests(series, new.attributes)
        if new.sop_class_uid not in study.sop_classes:
            study.sop_classes.add(new.sop_class_uid)
            study.has_new_sop_class = True
        self._counters.instance_key += 1
        key = self._counters.instance_key
        has_original, is_update, heirs = self._make_way(study, series, new)
        series.newest_instance_key = study.newest_instance_key = key
        self._count(study, series, new, is_update)
        self._pending.add((series.series_key, identifier.sop_instance_uid))
        self._instances.append(_instance_row(new, key, series, has_original))
        self._note_change(study.partition_key, identifier, key, is_update)
        if new.deliveries or heirs:
            version = Deliverable(key, study.partition_key, new.address.length, identifier)
            self._ledger.begin(version, new.deliveries, heirs)
        if new.invalid_paths:
            self._invalid_paths.append((key, "\n".join(new.invalid_paths)))
        if new.external_metadata:
            study_uid = identifier.study_instance_uid
            self._external += external_rows(study.partition_key, study_uid, new.external_metadata, now=self._now)
        if new.query_tag_values:
            place = (study.study_key, series.series_key, key)
            self._query_tag_rows.add(new.query_tag_values, partition_key=study.partition_key, place=place)
        return key

    def _count(self, study: StudyEntry, series: SeriesEntry, new: NewInstance, is_update: bool) -> None:
        delta = self._deltas[study.partition_key]
        delta.size_bytes += new.address.length
        if not is_update:
            series.number_of_instances += 1
            study.number_of_instances += 1
            delta.instances += 1

    def _note_change(self, partition_key: int, identifier: InstanceIdentifier, key: int, is_update: bool) -> None:
        self._counters.sequence += 1
        action = ChangeAction.UPDATE if is_update else ChangeAction.CREATE
        self._changes.append(
            (
                self._counters.sequence,
                partition_key,
                identifier.study_instance_uid,
                identifier.series_instance_uid,
                identifier.sop_instance_uid,
                action.value,
                self._now,
                key,
            )
        )

    def _make_way(self, study: StudyEntry, series: SeriesEntry, new: NewInstance) -> tuple[bool, bool, list[Heir]]:
        """Put a stored version of the same identity aside.

        Return if an original is kept, if a version was there, and what is inherited of its deliveries.
        """
        sop_instance_uid = new.identifier.sop_instance_uid
        if (series.series_key, sop_instance_uid) in self._pending:
            self._write_instances()
        elif series.is_new:
            return False, False, []
        found = fetch(self._connection, self._queries["stored_version"], (series.series_key, sop_instance_uid))
        if not found:
            return False, False, []
        key, has_original, sop_class_uid, *place = found[0]
        if sop_class_uid != new.sop_class_uid:
            self._with_stale_sop_classes.add((study.partition_key, study.study_key))
        heirs = self._ledger.supersede(key, new.deliveries)
        self._forget_query_tag_values(key)
        if new.keep_previous and not has_original:
            self._connection.execute(self._queries["make_original"], (key,))
            return True, True, heirs
        self._connection.execute(self._queries["delete_instance"], (key,))
        self._counters.erasure_key += 1
        self._connection.execute(
            self._queries["insert_erasure"], (self._counters.erasure_key, *place, self._erase_due_at)
        )
        self._deltas[series.partition_key].size_bytes -= place[2]
        return bool(has_original), True, heirs

    def _forget_query_tag_values(self, instance_key: int) -> None:
        """Let a version that is put aside no longer be found by extended query tags."""
        self._query_tag_rows.drop_instance(instance_key)
        forget_values(
            self._connection, self._queries, self._query_tags, level=Level.INSTANCE, resource_keys=[instance_key]
        )

    def _series_for(self, study: StudyEntry, series_instance_uid: str) -> SeriesEntry:
        place = (study.study_key, series_instance_uid)
        series = self._known.series.get(place)
        if series is None:
            series = self._load_series(study, series_instance_uid) or self._new_series(study, series_instance_uid)
            self._known.series.put(place, series)
        self._series[series.series_key] = series
        return series

    def _study_for(self, identifier: InstanceIdentifier) -> StudyEntry:
        partition_key = self._partition(identifier.partition_name)
        place = (partition_key, identifier.study_instance_uid)
        study = self._known.studies.get(place)
        if study is None:
            study = self._load_study(*place) or self._new_study(*place)
            self._known.studies.put(place, study)
        self._studies[study.study_key] = study
        return study

    def _partition(self, partition_name: str) -> int:
        key = self._known.partitions.get(partition_name)
        if key is None:
            key = partition_key_of(self._connection, self._queries, partition_name, now=self._now)
            self._known.partitions[partition_name] = key
        if key not in self._deltas:
            self._deltas[key] = PartitionDelta()
        return key

    def _load_study(self, partition_key: int, study_instance_uid: str) -> StudyEntry | None:
        rows = fetch(self._connection, self._queries["study"], (partition_key, study_instance_uid))
        if not rows:
            return None
        key, own_partition_key, series, instances, newest, classes, *values = rows[0]
        attributes = _present(STUDY_ATTRIBUTES, values)
        return StudyEntry(key, own_partition_key, series, instances, newest, attributes, _set_of(classes))

    def _new_study(self, partition_key: int, study_instance_uid: str) -> StudyEntry:
        self._counters.study_key += 1
        self._deltas[partition_key].studies += 1
        key = self._counters.study_key
        return StudyEntry(key, partition_key, 0, 0, 0, {_STUDY_UID: study_instance_uid}, set(), is_new=True)

    def _load_series(self, study: StudyEntry, series_instance_uid: str) -> SeriesEntry | None:
        if study.is_new:
            return None
        rows = fetch(self._connection, self._queries["series"], (study.study_key, series_instance_uid))
        if not rows:
            return None
        key, partition_key, study_key, instances, newest, *values = rows[0]
        return SeriesEntry(key, partition_key, study_key, instances, newest, _present(SERIES_ATTRIBUTES, values))

    def _new_series(self, study: StudyEntry, series_instance_uid: str) -> SeriesEntry:
        self._counters.series_key += 1
        self._deltas[study.partition_key].series += 1
        study.number_of_series += 1
        uids = {_SERIES_UID: series_instance_uid}
        return SeriesEntry(self._counters.series_key, study.partition_key, study.study_key, 0, 0, uids, is_new=True)

    def write(self) -> None:
        """Write everything that was collected."""
        for study in self._studies.values():
            self._write_study(study)
        for series in self._series.values():
            self._write_series(series)
        for study in self._studies.values():
            if study.has_new_modality:
                refresh_modalities(self._connection, self._queries, study.partition_key, study.study_key)
                study.has_new_modality = False
            if study.has_new_sop_class:
                write_sop_classes(self._connection, self._queries, study)
        self._write_instances()
        for partition_key, study_key in self._with_stale_sop_classes:
            classes = refresh_sop_classes(self._connection, self._queries, partition_key, study_key)
            self._studies[study_key].sop_classes = set(classes)
        self._query_tag_rows.write(self._connection, self._queries)
        self._connection.executemany(self._queries["store_external_value"], self._external)
        self._connection.executemany(self._queries["insert_change"], self._changes)
        for partition_key, delta in self._deltas.items():
            self._connection.execute(
                self._queries["add_totals"],
                (delta.studies, delta.series, delta.instances, delta.size_bytes, partition_key),
            )

    def _write_instances(self) -> None:
        for study in self._studies.values():
            if study.is_new:
                self._write_study(study)
        for series in self._series.values():
            if series.is_new:
                self._write_series(series)
        self._connection.executemany(self._queries["insert_instance"], self._instances)
        self._connection.executemany(self._queries["insert_invalid_paths"], self._invalid_paths)
        self._instances.clear()
        self._invalid_paths.clear()
        self._pending.clear()

    def _write_study(self, study: StudyEntry) -> None:
        counts = (study.number_of_series, study.number_of_instances, study.newest_instance_key)
        if study.is_new:
            row = (study.study_key, study.partition_key, *counts, *values_of(Level.STUDY, study.attributes))
            self._connection.execute(self._queries["insert_study"], row)
        else:
            self._connection.execute(self._queries["update_study_counts"], (*counts, study.study_key))
            if study.is_changed:
                row = (*values_of(Level.STUDY, study.attributes), study.study_key)
                self._connection.execute(self._queries["update_study"], row)
        if study.is_changed:
            self._write_words(study)
        study.is_new = study.is_changed = False

    def _write_words(self, study: StudyEntry) -> None:
        self._connection.execute(self._queries["forget_words"], (study.study_key,))
        self._connection.executemany(
            self._queries["insert_word"],
            [
                (study.partition_key, column, word, study.study_key)
                for column, tag in _NAME_COLUMNS
                for word in person_name_words(study.attributes.get(tag, "")).split()
            ],
        )

    def _write_series(self, series: SeriesEntry) -> None:
        counts = (series.number_of_instances, series.newest_instance_key)
        if series.is_new:
            row = (series.series_key, series.partition_key, series.study_key, *counts)
            values = values_of(Level.SERIES, series.attributes)
            self._connection.execute(self._queries["insert_series"], (*row, *values))
        else:
            self._connection.execute(self._queries["update_series_counts"], (*counts, series.series_key))
            if series.is_changed:
                values = values_of(Level.SERIES, series.attributes)
                self._connection.execute(self._queries["update_series"], (*values, series.series_key))
        if series.has_new_requests:
            write_requests(self._connection, self._queries, series)
        series.is_new = series.is_changed = False


def _set_of(values: str | None) -> set[str]:
    return set(values.split("\\")) if values else set()


def _take_requests(series: SeriesEntry, attributes: Mapping[int, str]) -> None:
    """Let the items of RequestAttributesSequence replace those that were there, all together."""
    requests = {tag: attributes[tag] for tag in REQUEST_ITEM_TAGS if tag in attributes}
    if requests and requests != series.requests:
        series.requests = requests
        series.has_new_requests = True


def _take_values(entry: StudyEntry | SeriesEntry, attributes: Mapping[int, str], tags: tuple[int, ...]) -> None:
    """Let values that are not empty replace what was there: the latest wins (dicom-service 2.6)."""
    values = tuple(map(attributes.get, tags))
    if values == entry.last_values:
        return
    entry.last_values = values
    kept = entry.attributes
    for tag, value in zip(tags, values, strict=True):
        if value and kept.get(tag) != value:
            kept[tag] = value
            entry.is_changed = True


def _present(attributes: Sequence[IndexedAttribute], values: Sequence[str | None]) -> dict[int, str]:
    return {one.tag: value for one, value in zip(attributes, values, strict=True) if value is not None}


def _instance_row(new: NewInstance, key: int, series: SeriesEntry, has_original: bool) -> Row:
    address = new.address
    return (
        key,
        series.partition_key,
        series.study_key,
        series.series_key,
        0,
        int(has_original),
        new.identifier.sop_instance_uid,
        new.sop_class_uid,
        *values_of(Level.INSTANCE, new.attributes),
        new.transfer_syntax_uid,
        address.container,
        address.offset,
        address.length,
        new.header_length,
        new.received_at,
        new.source,
        address.block_digests,
        new.frame_table,
    )
