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
    "fhir_study",
    "fhir_error",
    "fhir_standing",
    "external_tag",
    "external_metadata",
    "query_tag",
    "query_tag_error",
    "delivery_plan",
    "delivery_tally",
    "delivery_count",
    "delivery_study",
    "delivery_series",
    "delivery",
    "delivery_attempt",
    "prefetch_run",
    "prefetched_study",
    "step_message",
    "watched_expectation",
    "watched_gap",
)
"""Rows that refer to others stand behind them."""
_CARRIED_AS = {("delivery", "instance_key"): "min(-instance_key, 0)"}
"""Versions get other keys, so deliveries keep theirs out of the way until `relink_deliveries`."""
RELINKED_AT_ONCE = 100_000
"""Deliveries of one transaction: the log stays small beside ten million of them."""

_RELINK = """
UPDATE delivery SET instance_key = coalesce((
    SELECT n.instance_key
    FROM old.instance o
    CROSS JOIN instance n ON n.partition_key = o.partition_key AND n.sop_instance_uid = o.sop_instance_uid
    WHERE o.instance_key = -delivery.instance_key AND n.container = o.container AND n.offset = o.offset
), 0)
WHERE instance_key < 0 AND delivery_key > ? AND delivery_key <= ?
"""


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
                    columns = [str(name) for (name,) in rows]
                    values = ", ".join(_CARRIED_AS.get((table, name), name) for name in columns)
                    connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM old.{table}")
                connection.execute("UPDATE counter SET delivery_key = (SELECT delivery_key FROM old.counter)")
                connection.execute(load_queries()["mark_event_cursors"])
                connection.execute(load_queries()["restart_reindexes"])
                connection.execute("DELETE FROM sqlite_sequence")
                connection.execute("INSERT INTO sqlite_sequence SELECT * FROM old.sqlite_sequence")
        finally:
            connection.close()


def relink_deliveries(old: Path, fresh: Path) -> None:
    """Let the deliveries that were carried over be about the versions that they were about, once those are indexed.

    A version is the one whose bytes lie where they lay. What is not found again stays a delivery of an instance that is
    gone: it is no longer sent, and is told.
    """
    with index_errors():
        connection = open_writer(fresh)
        try:
            connection.execute("ATTACH DATABASE ? AS old", (str(old),))
            last: int | None = connection.execute("SELECT max(delivery_key) FROM delivery").get
            for start in range(0, last or 0, RELINKED_AT_ONCE):
                connection.execute(_RELINK, (start, start + RELINKED_AT_ONCE))
                connection.execute(load_queries()["checkpoint"]).fetchall()
        finally:
            connection.close()
