"""External metadata in SQLite, in rows by study."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import apsw

from isocenter.domain.external_metadata import (
    ExternalMetadata,
    ExternalValue,
    new_tags,
)
from isocenter.storage.sqlite.connections import ReaderPool, fetch
from isocenter.storage.sqlite.external_rows import external_rows
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteExternalMetadata:
    """Keep external metadata in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def vrs(self) -> Mapping[int, str]:
        """Return the VR of every tag that was ever used."""
        with self._readers.connection() as connection:
            return dict(fetch(connection, self._queries["external_tags"], ()))

    def register(self, values: Sequence[ExternalValue]) -> None:
        """Keep the VRs of tags that are new; raises InvalidRequest where one is known with another."""
        if not new_tags(self.vrs(), values):
            return

        def write(connection: apsw.Connection) -> None:
            known: dict[int, str] = dict(fetch(connection, self._queries["external_tags"], ()))
            rows = list(new_tags(known, values).items())
            connection.executemany(self._queries["insert_external_tag"], rows)

        self._writer.transact(write)

    def put(self, partition_name: str, study_instance_uid: str, values: Sequence[ExternalValue], *, now: float) -> None:
        """Keep values of a stored study in the place of those before; nothing where there is no such study."""

        def write(connection: apsw.Connection) -> None:
            place = (partition_name, study_instance_uid)
            for (partition_key,) in fetch(connection, self._queries["partition_of_study"], place):
                rows = external_rows(partition_key, study_instance_uid, values, now=now)
                connection.executemany(self._queries["store_external_value"], rows)

        self._writer.transact(write)

    def of_studies(self, partition_name: str, study_instance_uids: Collection[str]) -> Mapping[str, ExternalMetadata]:
        """Return what studies have, of those that have any."""
        bindings = {"partition_name": partition_name, "study_instance_uids": json.dumps(list(study_instance_uids))}
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["external_values"], bindings)
        found: dict[str, ExternalMetadata] = {}
        for study, tag, vr, value, changed_at in rows:
            before = found.get(study, ExternalMetadata())
            values = (*before.values, ExternalValue(tag, vr, value))
            found[study] = ExternalMetadata(values, max(before.changed_at, changed_at))
        return found
