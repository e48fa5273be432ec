"""An index with a ledger of millions of deliveries, written in bulk: nothing of what a node does for each of them."""

from __future__ import annotations

from pathlib import Path

import apsw

from isocenter.domain.delivery import DeliveryPlan
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.ledger_rows import plan_columns
from isocenter.storage.sqlite.statements import load_queries

DESTINATIONS = ("pacs", "cloud")
SERIES_LENGTH = 100
STUDY_LENGTH = 500
SIZE_BYTES = 525_000
EPOCH = 1_700_000_000.0
CACHE_KIB = 512 << 10

_ROWS = """
WITH RECURSIVE number(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM number WHERE n < :last)
INSERT INTO delivery (delivery_key, instance_key, delivery_series_key, sop_instance_uid, size_bytes, plan_key,
    tally_key, destination, priority, state, received_at, due_at, lease_number, leased_until, failures, wish, note)
SELECT n, n, 1 + (n - 1) / :series_length, '1.2.826.0.1.3680043.10.1455.' || ((n - 1) / :study_length) || '.1.' || n,
    :size, :plan, :plan, :destination, 'routine', :state, :epoch + n * 0.001, :epoch + n * 0.001, 1, NULL, 0, 'none', ''
FROM number
"""
_SERIES = """
WITH RECURSIVE number(n) AS (SELECT 1 + (:first - 1) / :series_length UNION ALL
    SELECT n + 1 FROM number WHERE n < 1 + (:last - 1) / :series_length)
INSERT OR IGNORE INTO delivery_series (delivery_series_key, delivery_study_key, series_instance_uid)
SELECT n, 1 + (n - 1) * :series_length / :study_length, '1.2.826.0.1.3680043.10.1455.' || n FROM number
"""
_STUDIES = """
WITH RECURSIVE number(n) AS (SELECT 1 + (:first - 1) / :study_length UNION ALL
    SELECT n + 1 FROM number WHERE n < 1 + (:last - 1) / :study_length)
INSERT OR IGNORE INTO delivery_study (delivery_study_key, partition_key, study_instance_uid, destination,
    last_received_at, queued, delivered)
SELECT n, 1, '1.2.826.0.1.3680043.10.1455.' || n, :destination, :epoch + n * :study_length * 0.001,
    iif(:state = 'queued', :study_length, 0), iif(:state = 'queued', 0, :study_length)
FROM number
"""


def make_ledger(path: Path, *, done: int, waiting: int) -> None:
    """Write an index whose ledger has so many deliveries; both numbers are multiples of a study's length.

    Half of those that are done went to each destination; what waits does so for the second one.
    """
    SqliteInstanceIndex(path).close()
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", f"cache_size = -{CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("BEGIN")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'delivery' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    half = done // 2 // STUDY_LENGTH * STUDY_LENGTH
    stretches = [(1, half, 1, "delivered"), (half + 1, done, 2, "delivered"), (done + 1, done + waiting, 2, "queued")]
    queries = load_queries()
    for destination in DESTINATIONS:  # their numbers are 1 and 2
        connection.execute(queries["delivery_plan"], plan_columns(DeliveryPlan(destination, "ct", "all", 1))).fetchall()
        connection.execute(queries["delivery_tally"], ("ct", destination)).fetchall()
    for first, last, plan, state in stretches:
        _write(connection, first, last, plan=plan, state=state)
    for _, statement in indexes:
        connection.execute(str(statement))
    connection.execute(
        "INSERT INTO delivery_count SELECT tally_key, state, count(*), sum(size_bytes) FROM delivery GROUP BY 1, 2"
    )
    connection.execute("UPDATE counter SET delivery_key = ?1, instance_key = ?1", (done + waiting,))
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.close()


def _write(connection: apsw.Connection, first: int, last: int, *, plan: int, state: str) -> None:
    values = {
        "first": first,
        "last": last,
        "plan": plan,
        "state": state,
        "destination": DESTINATIONS[plan - 1],
        "series_length": SERIES_LENGTH,
        "study_length": STUDY_LENGTH,
        "size": SIZE_BYTES,
        "epoch": EPOCH,
    }
    for statement in (_STUDIES, _SERIES, _ROWS):
        names = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(statement, names)
