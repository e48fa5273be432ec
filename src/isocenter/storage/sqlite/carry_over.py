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

_IN_RANGE = "instance_key < 0 AND delivery_key > ? AND delivery_key <= ?"
_IS_OPEN = "state IN ('queued', 'sending', 'held', 'needs-human')"
_RELINKING = (
    # what was carried over to the version whose bytes lie where they lay
    f"""
    UPDATE OR IGNORE delivery SET instance_key = (
        SELECT n.instance_key
        FROM old.instance o
        CROSS JOIN instance n ON n.partition_key = o.partition_key AND n.sop_instance_uid = o.sop_instance_uid
        WHERE o.instance_key = -delivery.instance_key AND n.container = o.container AND n.offset = o.offset
            AND (n.is_original = 0 OR NOT {_IS_OPEN})
    )
    WHERE {_IN_RANGE}
    """,
    # what is open of a version behind which the packs have another, which the old index did not know: to that one
    f"""
    UPDATE OR IGNORE delivery SET instance_key = (
        SELECT n.instance_key
        FROM old.instance o
        CROSS JOIN delivery_series e ON e.delivery_series_key = delivery.delivery_series_key
        CROSS JOIN delivery_study d ON d.delivery_study_key = e.delivery_study_key
        CROSS JOIN study t ON t.partition_key = d.partition_key AND t.study_instance_uid = d.study_instance_uid
        CROSS JOIN series s ON s.study_key = t.study_key AND s.series_instance_uid = e.series_instance_uid
        CROSS JOIN instance n ON n.series_key = s.series_key AND n.sop_instance_uid = delivery.sop_instance_uid
        WHERE o.instance_key = -delivery.instance_key AND o.is_original = 0 AND n.is_original = 0
    )
    WHERE {_IN_RANGE} AND {_IS_OPEN} AND wish <> 'cancel'
    """,
    f"UPDATE delivery SET instance_key = 0 WHERE {_IN_RANGE}",
)
"""What each makes NULL, or the second of a version and destination, is left to the next."""


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

    A version is the one whose bytes lie where they lay; what is open of one that another follows now, as after a crash,
    goes on with that. What is not found again stays a delivery of an instance that is gone: its sender tells so.
    """
    with index_errors():
        connection = open_writer(fresh)
        try:
            connection.execute("ATTACH DATABASE ? AS old", (str(old),))
            last: int | None = connection.execute("SELECT max(delivery_key) FROM delivery").get
            for start in range(0, last or 0, RELINKED_AT_ONCE):
                for statement in _RELINKING:
                    connection.execute(statement, (start, start + RELINKED_AT_ONCE))
                connection.execute(load_queries()["checkpoint"]).fetchall()
        finally:
            connection.close()
