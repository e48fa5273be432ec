"""Workitems in SQLite: the attributes as they are given out, and beside them the texts by which they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from isocenter.domain.forms import to_form
from isocenter.domain.query import person_name_words
from isocenter.domain.workitem import Workitem, WorkitemState
from isocenter.domain.workitem_search import SearchableAttribute, SearchableText, WorkitemQuery
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.partition_key import partition_key_of
from isocenter.storage.sqlite.workitem_search import WORDS, kept_form, name_of, page_statement
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteWorkitems:
    """Keep workitems in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def create(self, workitem: Workitem, texts: Sequence[SearchableText]) -> bool:
        """Keep a new workitem; return False where its UID is in use."""

        def write(connection: apsw.Connection) -> bool:
            partition_key = partition_key_of(
                connection, self._queries, workitem.partition_name, now=workitem.created_at
            )
            row = (
                partition_key,
                workitem.sop_instance_uid,
                workitem.state.value,
                workitem.transaction_uid,
                workitem.created_at,
                workitem.changed_at,
                workitem.revision,
                workitem.content,
            )
            workitem_key: int | None = connection.execute(self._queries["insert_workitem"], row).get
            if workitem_key is None:
                return False
            self._write_texts(connection, partition_key, workitem_key, texts)
            return True

        return self._writer.transact(write)

    def replace(self, workitem: Workitem, texts: Sequence[SearchableText], *, revision: int) -> bool:
        """Keep a workitem in the place of its earlier revision, if that is the one that is kept."""
        row = (
            workitem.state.value,
            workitem.transaction_uid,
            workitem.changed_at,
            workitem.revision,
            workitem.content,
            workitem.partition_name,
            workitem.sop_instance_uid,
            revision,
        )

        def write(connection: apsw.Connection) -> bool:
            rows = fetch(connection, self._queries["update_workitem"], row)
            for workitem_key, partition_key in rows:
                connection.execute(self._queries["delete_workitem_texts"], (workitem_key,))
                self._write_texts(connection, partition_key, workitem_key, texts)
            return bool(rows)

        return self._writer.transact(write)

    def _write_texts(
        self, connection: apsw.Connection, partition_key: int, workitem_key: int, texts: Sequence[SearchableText]
    ) -> None:
        rows = [
            (partition_key, name, form, workitem_key, text)
            for one in texts
            for name, form, text in _forms(one.attribute, one.text)
        ]
        connection.executemany(self._queries["insert_workitem_text"], rows)

    def find(self, partition_name: str, sop_instance_uid: str) -> Workitem | None:
        """Return a workitem by its UID."""
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["workitem"], (partition_name, sop_instance_uid))
        return _workitem(rows[0]) if rows else None

    def search(self, query: WorkitemQuery) -> list[Workitem]:
        """Return the workitems that match, the one that was created last first."""
        text, bindings = page_statement(query)
        with self._readers.connection() as connection:
            rows = fetch(connection, text, bindings)
        rows.sort(key=_key, reverse=True)
        return [_workitem(row[1:]) for row in rows]


def _forms(attribute: SearchableAttribute, text: str) -> list[tuple[str, str, str]]:
    """Return the rows under which a text is found: name of the attribute, form, text; a name by each word as well."""
    name = name_of(attribute)
    forms = [(name, to_form(kept_form(attribute), text), text)]
    if attribute.vr == "PN":
        words = person_name_words(text)
        forms += [(name + WORDS, word, words) for word in dict.fromkeys(words.split())]
    return forms


def _key(row: Row) -> int:
    return int(row[0])


def _workitem(row: Row) -> Workitem:
    partition_name, sop_instance_uid, state, *others = row
    return Workitem(partition_name, sop_instance_uid, WorkitemState(state), *others)
