"""Values of extended query tags in their tables: what a transaction adds, and what it takes away.

There is one table for each kind of value. A row is that of a study, a series or an instance, as the level of its tag
says, and remembers which instance it is from: of several the one that came last wins (dicom-service 7.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import apsw

from isocenter.domain.identifiers import Level
from isocenter.domain.query import person_name_words
from isocenter.domain.query_tag import QueryStatus, QueryTag, QueryTagEntry, QueryTagStatus, ValueKind
from isocenter.domain.query_tag_value import Comparable, comparable_of
from isocenter.storage.sqlite.connections import Row, fetch

TABLES = {
    ValueKind.STRING: "query_tag_string",
    ValueKind.PERSON_NAME: "query_tag_person_name",
    ValueKind.DATE_TIME: "query_tag_date_time",
    ValueKind.INTEGER: "query_tag_integer",
    ValueKind.DOUBLE: "query_tag_double",
}
WORD_TABLE = "query_tag_word"

Place = tuple[int, int, int]
"""The keys of the study, the series and the instance that a value is of."""
ValueRow = tuple[int, int, int, int, str, Comparable]
NameRow = tuple[int, int, int, int, str, Comparable, str]


def read_query_tags(connection: apsw.Connection, queries: Mapping[str, str]) -> tuple[QueryTag, ...]:
    """Return all tags in the order in which they were added."""
    return tuple(_query_tag(row) for row in fetch(connection, queries["query_tags"], ()))


def _query_tag(row: Row) -> QueryTag:
    key, tag, private_creator, vr, level, status, query_status, error_count, operation_id = row
    return QueryTag(
        key,
        QueryTagEntry(tag, vr, Level(level), private_creator),
        QueryTagStatus(status),
        QueryStatus(query_status),
        error_count,
        operation_id,
    )


class QueryTagRows:
    """Values that a transaction gathers, one for each tag and resource, and then writes table by table."""

    def __init__(self, query_tags: Iterable[QueryTag]) -> None:
        self._tags = {one.query_tag_key: one for one in query_tags}
        self._rows: dict[tuple[int, int], ValueRow] = {}

    def add(self, values: Mapping[int, str], *, partition_key: int, place: Place) -> None:
        """Take the values of an instance by the keys of tags."""
        instance_key = place[-1]
        for query_tag_key, text in values.items():
            tag = self._tags.get(query_tag_key)
            if tag is None:
                continue
            resource_key = place[tag.entry.level - Level.STUDY]
            earlier = self._rows.get((query_tag_key, resource_key))
            if earlier is not None and earlier[3] > instance_key:
                continue
            comparable = comparable_of(tag.entry.vr, text)
            if comparable is not None:
                row = (query_tag_key, resource_key, partition_key, instance_key, text, comparable)
                self._rows[query_tag_key, resource_key] = row

    def drop_instance(self, instance_key: int) -> None:
        """Forget what was taken of an instance that another version replaced."""
        levels = ((key, one.entry.level) for key, one in self._tags.items())
        for query_tag_key in [key for key, level in levels if level is Level.INSTANCE]:
            self._rows.pop((query_tag_key, instance_key), None)

    def write(self, connection: apsw.Connection, queries: Mapping[str, str]) -> None:
        """Write what was gathered, where nothing later is there."""
        by_kind: dict[ValueKind, list[ValueRow]] = {}
        for row in self._rows.values():
            by_kind.setdefault(self._tags[row[0]].kind, []).append(row)
        for kind, rows in by_kind.items():
            if kind is ValueKind.PERSON_NAME:
                _write_names(connection, queries, rows)
            else:
                connection.executemany(queries[f"store_{TABLES[kind]}"], rows)
        self._rows.clear()


def _write_names(connection: apsw.Connection, queries: Mapping[str, str], rows: Sequence[ValueRow]) -> None:
    """Write names, and their words where a name is another than before."""
    for row in rows:
        query_tag_key, resource_key, partition_key, instance_key, text, comparable = row
        found = fetch(connection, queries["stored_query_tag_name"], (query_tag_key, resource_key))
        if found and found[0][0] > instance_key:
            continue
        words = person_name_words(text)
        connection.execute(queries["store_query_tag_person_name"], (*row, words))
        if found and found[0][1] == comparable:
            continue
        connection.execute(queries["forget_query_tag_words"], (query_tag_key, resource_key))
        connection.executemany(
            queries["insert_query_tag_word"],
            [(query_tag_key, partition_key, word, resource_key) for word in set(words.split())],
        )


def forget_values(
    connection: apsw.Connection,
    queries: Mapping[str, str],
    query_tags: Iterable[QueryTag],
    *,
    level: Level,
    resource_keys: Sequence[int],
) -> None:
    """Forget the values of studies, series or instances that go."""
    if not resource_keys:
        return
    for tag in query_tags:
        if tag.entry.level is level:
            rows = [(tag.query_tag_key, key) for key in resource_keys]
            connection.executemany(queries[f"forget_{TABLES[tag.kind]}"], rows)
            if tag.kind is ValueKind.PERSON_NAME:
                connection.executemany(queries["forget_query_tag_words"], rows)


def value_statements() -> dict[str, str]:
    """Return the statements for the tables of values by name."""
    found: dict[str, str] = {}
    for kind, table in TABLES.items():
        columns = ["query_tag_key", "resource_key", "partition_key", "instance_key", "value", "comparable"]
        if kind is ValueKind.PERSON_NAME:
            columns.append("words")
        changed = ", ".join(f"{column} = excluded.{column}" for column in columns[3:])
        found[f"store_{table}"] = (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
            f"ON CONFLICT (query_tag_key, resource_key) DO UPDATE SET {changed} "
            "WHERE excluded.instance_key >= instance_key"
        )
        found[f"forget_{table}"] = f"DELETE FROM {table} WHERE query_tag_key = ? AND resource_key = ?"
    for table in (*TABLES.values(), WORD_TABLE):
        found[f"forget_some_{table}"] = (
            f"DELETE FROM {table} WHERE query_tag_key = :query_tag_key AND resource_key <= (SELECT max(resource_key) "
            f"FROM (SELECT resource_key FROM {table} WHERE query_tag_key = :query_tag_key ORDER BY resource_key "
            "LIMIT :limit))"
        )
    return found
