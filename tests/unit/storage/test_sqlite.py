"""What is special about the index in SQLite: versions, migrations, plans, errors, other writers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from isocenter.domain.attributes import (
    BY_KEYWORD,
    MODALITIES_IN_STUDY,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    REQUEST_ATTRIBUTES_SEQUENCE,
    SOP_CLASSES_IN_STUDY,
)
from isocenter.domain.errors import StorageFailed, StorageFull, Unavailable
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    Comparison,
    DateAndTime,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
)
from isocenter.ports.failpoints import FAILPOINT_NAMES, parse_failpoints
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.columns import (
    COLUMNS,
    INSTANCE_FIXED,
    INSTANCE_PLACE,
    REQUEST_COLUMNS,
    REQUEST_FIXED,
    SERIES_FIXED,
    STUDY_FIXED,
)
from isocenter.storage.sqlite.connections import open_reader, open_writer, require_sqlite
from isocenter.storage.sqlite.migrate import SCHEMA_VERSION, load_migrations, migrate, migrate_to_current
from isocenter.storage.sqlite.recollection import STUDIES_REMEMBERED
from isocenter.storage.sqlite.search import page_statement
from isocenter.storage.sqlite.statements import load_queries
from tests.support.instances import CT_IMAGE_STORAGE, address_of, identify, new_instance, scope_of
from tests.support.shared_data import REPOSITORY

NOW, DUE = 1000.0, 2000.0
PATIENT_ID, PATIENT_NAME = BY_KEYWORD["PatientID"].tag, BY_KEYWORD["PatientName"].tag
STUDY_DATE, ACCESSION = BY_KEYWORD["StudyDate"].tag, BY_KEYWORD["AccessionNumber"].tag
STUDY_TIME, SERIES_NUMBER = BY_KEYWORD["StudyTime"].tag, BY_KEYWORD["SeriesNumber"].tag
REQUESTED_PROCEDURE_ID = 0x00401001
SOP_INSTANCE_UID, STUDY_UID = BY_KEYWORD["SOPInstanceUID"].tag, BY_KEYWORD["StudyInstanceUID"].tag
CASELESS, FOLDED = Comparison.CASELESS, Comparison.FOLDED


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[SqliteInstanceIndex]:
    with SqliteInstanceIndex(path) as opened:
        yield opened


# the library and the schema


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_a_library_that_can_lose_data_is_refused(version: str) -> None:
    with pytest.raises(StorageFailed, match="install apsw"):
        require_sqlite(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0"])
def test_a_sound_library_is_taken(version: str) -> None:
    require_sqlite(version)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "study",
            [
                *STUDY_FIXED,
                "modalities_in_study",
                *(one.name for one in COLUMNS[Level.STUDY]),
                "sop_classes_in_study",
            ],
        ),
        ("series", [*SERIES_FIXED, *(one.name for one in COLUMNS[Level.SERIES])]),
        ("series_request", [*REQUEST_FIXED, *(one.name for one in REQUEST_COLUMNS)]),
        ("instance", [*INSTANCE_FIXED, *(one.name for one in COLUMNS[Level.INSTANCE]), *INSTANCE_PLACE]),
    ],
)
def test_the_schema_has_a_column_for_every_attribute(
    index: SqliteInstanceIndex, path: Path, table: str, expected: list[str]
) -> None:
    columns = apsw.Connection(str(path)).execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    assert [name for (name,) in columns] == expected


def test_every_statement_is_valid(index: SqliteInstanceIndex, path: Path) -> None:
    connection = apsw.Connection(str(path))
    for statement in load_queries().values():
        names = re.findall(r":(\w+)", statement)
        numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
        bindings = dict.fromkeys(names) if names else (None,) * max(numbered, default=statement.count("?"))
        connection.execute(f"EXPLAIN {statement}", bindings)


def test_the_journal_and_the_sync_mode_keep_what_was_acknowledged(path: Path) -> None:
    connection = open_writer(path)
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2  # FULL
    assert connection.pragma("foreign_keys") == 1


def test_migrations_lead_to_the_version_of_the_schema() -> None:
    assert sorted(load_migrations()) == list(range(2, SCHEMA_VERSION + 1))


def test_a_database_of_the_first_schema_becomes_what_a_new_one_is(path: Path) -> None:
    older, newer = open_writer(path), open_writer(path.with_name("new.sqlite"))
    first = (REPOSITORY / "tests" / "golden" / "index_schema_1.sql").read_text(encoding="utf-8")
    migrate(older, schema=first, schema_version=1, migrations={})
    migrate_to_current(older)
    migrate_to_current(newer)
    assert _schema_of(older) == _schema_of(newer)


def _schema_of(connection: apsw.Connection) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return [(str(name), re.sub(r"\s*([(),])\s*|\s+", r"\1 ", str(sql))) for name, sql in rows]


def test_an_older_database_takes_the_steps_that_it_lacks(path: Path) -> None:
    connection = open_writer(path)
    migrate(connection, schema="CREATE TABLE one (x)", schema_version=1, migrations={})
    steps = {2: "CREATE TABLE two (x)", 3: "CREATE TABLE three (x); INSERT INTO three VALUES (3)"}
    migrate(connection, schema="", schema_version=3, migrations=steps)
    assert connection.pragma("user_version") == 3
    assert connection.execute("SELECT x FROM three").get == 3


def test_the_planner_believes_the_same_of_an_older_database(path: Path) -> None:
    older, newer = open_writer(path), open_writer(path.with_name("new.sqlite"))
    first = (REPOSITORY / "tests" / "golden" / "index_schema_1.sql").read_text(encoding="utf-8")
    migrate(older, schema=first, schema_version=1, migrations={})
    migrate_to_current(older)
    migrate_to_current(newer)
    believed = "SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2"
    assert older.execute(believed).fetchall() == newer.execute(believed).fetchall()


def _drop_later_tables(connection: apsw.Connection) -> None:
    """Take away what came behind version 6."""
    later = (
        "SELECT name FROM sqlite_schema WHERE type = 'table' "
        "AND (name GLOB 'query_tag*' OR name GLOB 'external_*' OR name GLOB 'fhir_*' "
        "OR name GLOB 'delivery*' OR name GLOB 'prefetch*' OR name GLOB 'watched_*' "
        "OR name IN ('event_cursor', 'staged_version', 'concluded_revision', 'step_message'))"
    )
    connection.pragma("foreign_keys", False)
    for (table,) in connection.execute(later).fetchall():
        connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM sqlite_stat1 WHERE tbl = ?", (table,))
    first = (REPOSITORY / "tests" / "golden" / "index_schema_1.sql").read_text(encoding="utf-8")
    connection.execute(first[first.index("CREATE TABLE delivery (") : first.index("CREATE TABLE erasure")])


def test_what_an_older_database_has_is_found_by_what_the_newer_one_knows(path: Path) -> None:
    with SqliteInstanceIndex(path) as index:
        index.commit([new_instance(identify(1), PatientID="a")], now=NOW, erase_due_at=DUE)
        expected = [index.search(query) for query in QUERIES_OF_6]
    connection = apsw.Connection(str(path))
    _drop_later_tables(connection)
    connection.execute(
        "DROP TABLE study_sop_class; DROP TABLE series_request; DROP INDEX study_by_patient;"
        "DROP INDEX performed_step_by_change;"
        "ALTER TABLE study DROP COLUMN sop_classes_in_study; PRAGMA user_version = 5;"
        "DELETE FROM sqlite_stat1 WHERE tbl IN ('study_sop_class', 'series_request') OR idx = 'study_by_patient'"
    )
    connection.close()
    with SqliteInstanceIndex(path) as index:
        assert [index.search(query) for query in QUERIES_OF_6] == expected
        assert all(expected)


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    connection = open_writer(path)
    migrate(connection, schema="CREATE TABLE one (x)", schema_version=1, migrations={})
    with pytest.raises(apsw.SQLError):
        migrate(connection, schema="", schema_version=2, migrations={2: "CREATE TABLE two (x); SELECT nonsense"})
    assert connection.pragma("user_version") == 1
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'two'").get == 0


def test_a_newer_database_is_left_alone(path: Path) -> None:
    SqliteInstanceIndex(path).close()
    apsw.Connection(str(path)).execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StorageFailed, match="newer"):
        SqliteInstanceIndex(path)


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    apsw.Connection(str(path)).execute("CREATE TABLE theirs (x)")
    with pytest.raises(StorageFailed, match="not an index"):
        SqliteInstanceIndex(path)


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"something else" * 1000)
    with pytest.raises(StorageFailed):
        SqliteInstanceIndex(path)
    assert path.read_bytes() == b"something else" * 1000


QUERIES_OF_6 = (Query(Level.PATIENT), Query(Level.STUDY, (OneOf(SOP_CLASSES_IN_STUDY, (CT_IMAGE_STORAGE,)),)))

# plans

REQUESTED = InItem(REQUEST_ATTRIBUTES_SEQUENCE, (OneOf(REQUESTED_PROCEDURE_ID, ("a",)),))
TWO_DAYS = ("20240101", "20240102")
SMITH = (WordPrefixes(PATIENT_NAME, ("smith",)),)
QUICK: list[tuple[Level, tuple[Match, ...], str]] = [
    (Level.STUDY, (OneOf(PATIENT_ID, ("a",), CASELESS),), "study_by_patient_id"),
    (Level.STUDY, (OneOf(PATIENT_ID, ("a",)),), "study_by_patient_id"),
    (Level.STUDY, (Wildcard(PATIENT_ID, "a*"),), "study_by_patient"),
    (Level.STUDY, (Wildcard(PATIENT_NAME, "smi*", FOLDED),), "study_by_patient_name"),
    (Level.STUDY, (OneOf(ACCESSION, ("a", "b"), CASELESS),), "study_by_accession_number"),
    (Level.STUDY, (Between(STUDY_DATE, "20240101", "20240131"),), "study_by_date"),
    (Level.STUDY, (OneOf(STUDY_UID, ("1", "2")),), "study_by_uid"),
    (Level.STUDY, SMITH, "sqlite_autoindex_study_name_word_1"),
    (Level.STUDY, (), "study_by_key"),
    (Level.SERIES, (), "series_by_key"),
    (Level.SERIES, (OneOf(PATIENT_ID, ("a",), CASELESS),), "series_by_study"),
    (Level.INSTANCE, (), "COVERING INDEX instance_by_key"),
    (Level.INSTANCE, (OneOf(SOP_INSTANCE_UID, ("1",)),), "instance_by_uid"),
    (Level.INSTANCE, (OneOf(PATIENT_ID, ("a",), CASELESS),), "instance_by_series"),
    (Level.STUDY, (OneOf(MODALITIES_IN_STUDY, ("CT",), CASELESS),), "sqlite_autoindex_study_modality_1"),
    (Level.STUDY, (OneOf(SOP_CLASSES_IN_STUDY, ("1.2",)),), "sqlite_autoindex_study_sop_class_1"),
    (Level.STUDY, (PersonName(PATIENT_NAME, ("Smith^J*",)),), "study_by_patient_name"),
    (Level.STUDY, (PersonName(PATIENT_NAME, ("山田^*",), in_any_group=True),), "sqlite_autoindex_study_name_word_1"),
    (Level.STUDY, (DateAndTime(STUDY_DATE, STUDY_TIME, TWO_DAYS, is_combined=True),), "study_by_date"),
    (Level.STUDY, (DateAndTime(STUDY_DATE, STUDY_TIME, TWO_DAYS, timezone_minutes=60),), "study_by_date"),
    (Level.STUDY, (REQUESTED,), "series_request_by_procedure"),
    (Level.SERIES, (REQUESTED,), "series_request_by_procedure"),
    (Level.INSTANCE, (REQUESTED,), "series_request_by_procedure"),
    (Level.STUDY, (OneOf(SOP_INSTANCE_UID, ("1",)),), "instance_by_uid"),
    (Level.SERIES, (OneOf(SOP_INSTANCE_UID, ("1",)),), "instance_by_uid"),
    (Level.STUDY, (OneOf(PATIENT_ID, ("a",)), OneOf(SERIES_NUMBER, ("1",))), "series_by_study"),
    (Level.PATIENT, (), "study_by_key"),
    (Level.PATIENT, (OneOf(PATIENT_ID, ("a",)),), "study_by_patient_id"),
    (Level.PATIENT, (PersonName(PATIENT_NAME, ("Smith*",)),), "study_by_patient_name"),
    (Level.PATIENT, (OneOf(STUDY_UID, ("1",)),), "study_by_uid"),
    (Level.PATIENT, (OneOf(SOP_INSTANCE_UID, ("1",)),), "instance_by_uid"),
    (Level.PATIENT, (REQUESTED,), "series_request_by_procedure"),
]


def _plan(path: Path, query: Query) -> list[str]:
    statement = page_statement(query)
    connection = open_reader(path)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.bindings).fetchall()
    return [str(row[3]) for row in rows]


@pytest.mark.parametrize(("level", "matches", "used"), QUICK)
def test_usual_searches_use_an_index(
    index: SqliteInstanceIndex, path: Path, level: Level, matches: tuple[Match, ...], used: str
) -> None:
    plan = _plan(path, Query(level, matches))
    assert not [step for step in plan if step.startswith("SCAN") and step not in ("SCAN page", "SCAN m", "SCAN h")]
    assert any(used in step or (used.startswith("sqlite_autoindex") and "PRIMARY KEY" in step) for step in plan), plan


@pytest.mark.parametrize(
    ("level", "matches"),
    [
        (Level.STUDY, ()),
        (Level.STUDY, (OneOf(PATIENT_ID, ("a",)),)),
        (Level.STUDY, (OneOf(MODALITIES_IN_STUDY, ("CT",), CASELESS),)),
        (Level.STUDY, (OneOf(SOP_CLASSES_IN_STUDY, ("1.2",)),)),
        (Level.PATIENT, ()),
        (Level.PATIENT, (OneOf(PATIENT_ID, ("a",)),)),
    ],
)
def test_the_first_page_is_found_in_order_without_sorting(
    index: SqliteInstanceIndex, path: Path, level: Level, matches: tuple[Match, ...]
) -> None:
    assert not [step for step in _plan(path, Query(level, matches)) if "TEMP B-TREE" in step]


@pytest.mark.parametrize("matches", [(), (OneOf(PATIENT_ID, ("a",)),), (PersonName(PATIENT_NAME, ("Smith*",)),)])
def test_the_studies_of_a_patient_are_counted_by_the_index(
    index: SqliteInstanceIndex, path: Path, matches: tuple[Match, ...]
) -> None:
    for query in (Query(Level.PATIENT, matches), Query(Level.STUDY, matches, with_patient_counts=True)):
        counted = [step for step in _plan(path, query) if " c " in step]
        assert len(counted) == 3
        assert all("study_by_patient (" in step and "rowid" in step for step in counted), counted


# errors


def test_a_full_volume_is_refused_with_nothing_committed_and_recovers(index: SqliteInstanceIndex) -> None:
    index.commit([new_instance(identify(1))], now=NOW, erase_due_at=DUE)
    connection = index._writer._connection  # the limit belongs to the connection that writes
    pages = connection.execute("PRAGMA max_page_count").get
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StorageFull):
        index.commit([new_instance(identify(2), PatientID="x" * 300_000)], now=NOW, erase_due_at=DUE)
    assert index.latest_sequence() == index.totals().studies == len(index.search(Query(Level.STUDY))) == 1
    connection.execute(f"PRAGMA max_page_count = {pages}")
    index.commit([new_instance(identify(2), PatientID="x" * 300_000)], now=NOW, erase_due_at=DUE)
    assert index.latest_sequence() == 2


@pytest.mark.parametrize("name", ["index.before_begin", "index.mid_transaction", "index.before_commit"])
def test_an_error_inside_a_commit_leaves_no_trace(path: Path, name: str) -> None:
    with SqliteInstanceIndex(path, failpoints=parse_failpoints(f"{name}=raise:StorageFull@2")) as index:
        (first,) = index.commit([new_instance(identify(1), PatientID="a")], now=NOW, erase_due_at=DUE)
        with pytest.raises(StorageFull):
            index.commit(
                [new_instance(identify(1), PatientID="b"), new_instance(identify(2))], now=NOW, erase_due_at=DUE
            )
        assert (index.latest_sequence(), index.totals().instances) == (1, 1)
        (second,) = index.commit([new_instance(identify(1, 1, 2))], now=NOW, erase_due_at=DUE)
        assert second == first + 1
        (row,) = index.search(Query(Level.STUDY))
        assert row.attributes[PATIENT_ID] == "a"


def test_after_an_input_output_error_nothing_is_taken_until_the_index_is_opened_again(path: Path) -> None:
    failpoints = parse_failpoints("index.before_commit=raise:StorageFailed@2")
    with SqliteInstanceIndex(path, failpoints=failpoints) as index:
        index.commit([new_instance(identify(1))], now=NOW, erase_due_at=DUE)
        for _ in range(2):
            with pytest.raises(StorageFailed):
                index.commit([new_instance(identify(2))], now=NOW, erase_due_at=DUE)
        assert index.is_failed
        assert len(index.search(Query(Level.STUDY))) == 1
    with SqliteInstanceIndex(path) as index:
        index.commit([new_instance(identify(2))], now=NOW, erase_due_at=DUE)


def test_a_closed_index_is_unavailable(path: Path) -> None:
    index = SqliteInstanceIndex(path)
    index.close()
    with pytest.raises(Unavailable):
        index.totals()


# others at the same file


def test_another_writer_of_the_same_file_is_noticed(path: Path) -> None:
    with SqliteInstanceIndex(path) as one, SqliteInstanceIndex(path) as other:
        for number in range(1, 6):
            one.commit([new_instance(identify(1, 1, 2 * number), PatientID="one")], now=NOW, erase_due_at=DUE)
            other.commit([new_instance(identify(1, 1, 2 * number + 1), PatientID="other")], now=NOW, erase_due_at=DUE)
            one.delete(scope_of(identify(1, 1, 2 * number)), now=NOW, erase_due_at=DUE)
        assert [change.sequence for change in one.changes()] == list(range(1, 16))
        assert one.totals().instances == 5
        assert one.search(Query(Level.STUDY)) == other.search(Query(Level.STUDY))


def test_readers_see_whole_commits_while_a_writer_works(index: SqliteInstanceIndex) -> None:
    done = threading.Event()
    seen: list[tuple[int, int]] = []

    def watch() -> None:
        while not done.is_set():
            changes = index.changes(limit=10_000)
            assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
            seen.append((len(changes) % 5, len(index.instances(scope_of(identify(1), depth=1))) % 5))

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for batch in range(40):
        news = [new_instance(identify(1, 1, batch * 5 + number), address=address_of(number)) for number in range(5)]
        index.commit(news, now=NOW, erase_due_at=DUE)
    done.set()
    for watcher in watchers:
        watcher.join()
    assert set(seen) <= {(0, 0)}


def test_a_study_that_was_forgotten_by_the_writer_is_counted_on(index: SqliteInstanceIndex) -> None:
    studies = range(1, STUDIES_REMEMBERED + 10)
    for number in (1, 2):
        news = [new_instance(identify(study, 1, number), Modality="CT") for study in studies]
        index.commit(news, now=NOW, erase_due_at=DUE)
    assert index.totals().series == len(studies)
    rows = index.search(Query(Level.STUDY, limit=len(studies)))
    assert {row.attributes[NUMBER_OF_STUDY_RELATED_INSTANCES] for row in rows} == {"2"}


def test_the_log_is_carried_over_between_commits(path: Path) -> None:
    with SqliteInstanceIndex(path, checkpoint_pages=100) as index:
        for batch in range(20):
            news = [new_instance(identify(batch, 1, number)) for number in range(50)]
            index.commit(news, now=NOW, erase_due_at=DUE)
        assert path.stat().st_size > 200_000
        assert index.totals().instances == 1000
    assert not path.with_name(path.name + "-wal").exists()


def test_every_index_failpoint_is_named() -> None:
    assert [name for name in FAILPOINT_NAMES if name.startswith("index.")]


def test_an_empty_database_is_made_once(path: Path) -> None:
    connection = open_writer(path)
    migrate_to_current(connection)
    migrate_to_current(connection)
    assert connection.pragma("user_version") == SCHEMA_VERSION


def test_only_its_owner_reads_the_index_and_its_log(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    with SqliteInstanceIndex(path):
        modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes
