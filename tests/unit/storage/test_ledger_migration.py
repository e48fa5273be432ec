"""Deliveries of an index from before the ledger go on in it."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from isocenter.domain.delivery import DeliveryPlan, DeliveryState
from isocenter.domain.delivery_counters import Counters
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier
from isocenter.ports.ledger import Selection
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.migrate import load_migrations, migrate
from tests.support.shared_data import REPOSITORY

BEFORE = 11


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return an index of before: two instances are there and one is gone, each with deliveries."""
    path = tmp_path / "index.sqlite"
    connection = apsw.Connection(str(path))
    first = (REPOSITORY / "tests" / "golden" / "index_schema_1.sql").read_text(encoding="utf-8")
    migrate(connection, schema=first, schema_version=1, migrations={})
    migrate(connection, schema="", schema_version=BEFORE, migrations=load_migrations())
    connection.execute(
        "INSERT INTO study (study_key, partition_key, number_of_series, number_of_instances, "
        "newest_instance_key, study_instance_uid) VALUES (1, 1, 1, 2, 2, '1.1')"
    )
    connection.execute(
        "INSERT INTO series (series_key, partition_key, study_key, number_of_instances, "
        "newest_instance_key, series_instance_uid) VALUES (1, 1, 1, 2, 2, '1.2')"
    )
    for key in (1, 2):
        connection.execute(
            "INSERT INTO instance (instance_key, partition_key, study_key, series_key, is_original, "
            "has_original, sop_instance_uid, sop_class_uid, transfer_syntax_uid, container, offset, length, "
            "header_length, received_at, source, block_digests, frame_table) "
            "VALUES (?1, 1, 1, 1, 0, 0, '1.3.' || ?1, '1', '1', 1, ?1, 500, 1, 9.0, 'stow', x'', x'')",
            (key,),
        )
    for sequence, key, action in ((1, 1, "Create"), (2, 2, "Create"), (3, 3, "Create"), (4, 3, "Delete")):
        connection.execute(
            "INSERT INTO change_feed (sequence, partition_key, study_instance_uid, series_instance_uid, "
            "sop_instance_uid, action, timestamp, instance_key) "
            "VALUES (?1, 1, '1.1', '1.2', '1.3.' || ?2, ?3, 5.0 + ?2, ?2)",
            (sequence, key, action),
        )
    rows = [
        (1, 1, "north", "waiting"),
        (2, 2, "north", "waiting"),
        (3, 2, "south", "waiting"),
        (4, 3, "north", "cancelled"),
    ]
    connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?)", rows)
    connection.execute("UPDATE counter SET instance_key = 3, delivery_key = 4, sequence = 4")
    connection.close()
    return path


def test_what_waited_waits_and_what_was_cancelled_is_told(path: Path) -> None:
    with SqliteInstanceIndex(path) as index:
        rows = index.ledger.page(Selection())
        assert [(row.delivery_key, row.instance_key, row.plan, row.size_bytes) for row in rows] == [
            (4, 3, DeliveryPlan("north"), 0),
            (3, 2, DeliveryPlan("south"), 500),
            (2, 2, DeliveryPlan("north"), 500),
            (1, 1, DeliveryPlan("north"), 500),
        ]
        assert rows[0].identifier == InstanceIdentifier("1.1", "1.2", "1.3.3", DEFAULT_PARTITION)
        assert [row.delivery.state for row in rows] == [DeliveryState.CANCELLED, *[DeliveryState.QUEUED] * 3]
        assert [row.delivery.due_at for row in rows] == [8.0, 7.0, 7.0, 6.0]
        north, south = index.ledger.tallies()
        assert (north.counters, north.waiting_bytes) == (Counters(3, waiting=2, cancelled=1), 1000)
        assert (south.counters, south.waiting_bytes) == (Counters(1, waiting=1), 500)
        assert [(one.destination, one.counters.received) for one in index.ledger.studies(Selection())] == [
            ("north", 3),
            ("south", 1),
        ]
        assert index.ledger.begin([(1, DeliveryPlan("north")), (1, DeliveryPlan("south"))], now=9.0) == 1
        assert index.ledger.page(Selection(), limit=1)[0].delivery_key == 5
