"""What an index knows that no pack does, from an old file to a fresh one: a rebuild must not lose it."""

from __future__ import annotations

from pathlib import Path

from isocenter.storage.sqlite.connections import index_errors, open_writer
from isocenter.storage.sqlite.migrate import migrate_to_current
from isocenter.storage.sqlite.statements import load_queries

CARRIED_TABLES = (
    "operation",
    "concluded_revision",
    "workitem",
    "workitem_text",
    "worklist_item",
    "worklist_step",
    "performed_step",
    "commitment",
    "event_cursor",
    "external_tag",
    "external_metadata",
    "query_tag",
    "query_tag_error",
)
"""Rows that refer to others stand behind them."""


def carry_over(old: Path, fresh: Path) -> None:
    """Copy those tables, and the numbers of partitions that they refer to, into an index that is still empty.

    Raises StorageFailed where the old file cannot be read, with the fresh one as it was.
    """
    with index_errors():
        connection = open_writer(old)
        try:
            migrate_to_current(connection)
        finally:
            connection.close()
        connection = open_writer(fresh)
        try:
            connection.execute("ATTACH DATABASE ? AS old", (str(old),))
            with connection:
                connection.execute(
                    "INSERT OR REPLACE INTO partition (partition_key, partition_name, created_at) "
                    "SELECT partition_key, partition_name, created_at FROM old.partition"
                )
                for table in CARRIED_TABLES:
                    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
                    columns = ", ".join(str(name) for (name,) in rows)
                    connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old.{table}")
                connection.execute(load_queries()["mark_event_cursors"])
                connection.execute(load_queries()["restart_reindexes"])
                connection.execute("DELETE FROM sqlite_sequence")
                connection.execute("INSERT INTO sqlite_sequence SELECT * FROM old.sqlite_sequence")
        finally:
            connection.close()
