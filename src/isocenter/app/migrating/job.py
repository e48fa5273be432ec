"""The state of a migration, in a folder of its own: whatever is killed and when, the next run goes on from there.

What is about to be sent is noted before it goes out, and what came of it after: an instance that a crash caught between
the two is known to have been sent perhaps, and counts one attempt more when it is sent again.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from isocenter.app.migrating import statements as sql
from isocenter.domain.errors import Conflict, InvalidRequest, NotFound, StorageFailed, StorageFull
from isocenter.routing.migration.anomalies import Anomaly, AnomalyKind, StudyFacts
from isocenter.routing.migration.comparison import Finding, InstanceDigest
from isocenter.routing.migration.estimate import Measured
from isocenter.routing.migration.slices import Answer, Slice

DATABASE = "job.sqlite3"
LOCK = "job.lock"
SPOOL = "spool"
"""Below it lies what was fetched and not yet stored at the target."""
BUSY_TIMEOUT_MS = 10_000
"""For a reader beside the run: `isocenter migrate report` while images move."""
NAMED_MAX = 10_000
"""Instances on the shelf for people that are named; the count is always whole."""


class State(StrEnum):
    """How far an instance has come."""

    WAITING = "waiting"
    SENDING = "sending"
    """It is on its way; after a crash it may be there or not."""
    DELIVERED = "delivered"
    DELIVERED_WITH_NOTE = "delivered-with-note"
    NEEDS_HUMAN = "needs-human"
    NOT_SENT_BY_SOURCE = "not-sent-by-source"
    """The source lists it and did not give it."""


DELIVERED_STATES = frozenset({State.DELIVERED, State.DELIVERED_WITH_NOTE})
OPEN_STATES = frozenset({State.WAITING, State.SENDING})


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as the source lists it."""

    study_instance_uid: str
    patient_id: str
    study_date: str
    counted: int | None = None


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """An instance as the source lists it."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str = ""
    path: str = ""
    """Of its file, where the source is a folder."""


@dataclass(frozen=True, slots=True)
class KeptInstance:
    """An instance as the job keeps it."""

    sop_instance_uid: str
    sop_class_uid: str
    path: str
    state: State
    attempts: int
    digest: InstanceDigest
    code: str


@dataclass(frozen=True, slots=True)
class MovedInstance:
    """An instance that the target has acknowledged."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    digest: InstanceDigest


@dataclass(frozen=True, slots=True)
class SeriesToMove:
    """A series that is not moved yet."""

    key: int
    study_instance_uid: str
    series_instance_uid: str
    """Empty for a study that could not be listed: it moves as a whole."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Where the instances stand; the sum of all states is their number, always."""

    instances: int
    by_state: dict[State, int]
    size_bytes: int
    """Of those that were sent."""
    sent_again: int
    """Instances that were sent more than once, or may have been."""

    @property
    def delivered(self) -> int:
        """Return how many the target has acknowledged."""
        return sum(self.by_state.get(state, 0) for state in DELIVERED_STATES)

    @property
    def left(self) -> int:
        """Return how many still have to move."""
        return sum(self.by_state.get(state, 0) for state in OPEN_STATES)


class Job:
    """The folder of a migration. Use it as a context manager; threads may share it."""

    def __init__(self, folder: Path, *, may_create: bool = False) -> None:
        """Open a job; raises NotFound where there is none, StorageFailed where it cannot be used."""
        self.folder = folder
        path = folder / DATABASE
        if not path.exists() and not may_create:
            raise NotFound(f"There is no migration in {folder}; `isocenter migrate assess` begins one.")
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            for pragma in ("journal_mode = WAL", "synchronous = FULL"):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            self._migrate()
        except (OSError, apsw.Error) as error:
            raise StorageFailed(f"The job in {folder} cannot be opened: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._connection.close()

    @property
    def spool(self) -> Path:
        """Return where instances lie between source and target."""
        return self.folder / SPOOL

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchall()[0][0]
        if version == 0:
            with self._connection:
                self._connection.execute(sql.SCHEMA)
                self._connection.execute(f"PRAGMA user_version = {sql.SCHEMA_VERSION}")
        elif version != sql.SCHEMA_VERSION:
            raise StorageFailed(f"The job in {self.folder} is of a later version of isocenter.")

    @contextmanager
    def _changing(self) -> Iterator[apsw.Connection]:
        with self._lock:
            try:
                with self._connection:
                    yield self._connection
            except apsw.FullError as error:
                raise StorageFull(
                    f"There is no room in {self.folder}; free space and give the command again."
                ) from error
            except (apsw.IOError, apsw.CorruptError, apsw.ReadOnlyError) as error:
                raise StorageFailed(f"The job in {self.folder} cannot be written: {error}.") from error

    def _ask(self, statement: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, tuple(bindings)).fetchall()

    def _iter(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement that may have a million, as they are now, whatever changes meanwhile."""
        reader = apsw.Connection(str(self.folder / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            reader.set_busy_timeout(BUSY_TIMEOUT_MS)
            yield from reader.execute(statement)
        finally:
            reader.close()

    # ---- facts

    def put(self, name: str, value: object) -> None:
        """Keep a fact about the job."""
        with self._changing() as connection:
            connection.execute(sql.PUT_FACT, (name, json.dumps(value)))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact about the job."""
        rows = self._ask(sql.GET_FACT, (name,))
        return json.loads(rows[0][0]) if rows else default

    # ---- inventory

    def note_answer(self, one: Slice, answer: Answer, studies: Iterable[FoundStudy]) -> None:
        """Keep what one search of the inventory found."""
        with self._changing() as connection:
            self._put_studies(connection, studies)
            days = (_text(one.first_day), _text(one.last_day), one.first_minute, one.last_minute)
            told = (answer.count, answer.undated, _text(answer.median_day), int(answer.is_cut), int(answer.is_whole))
            connection.execute(sql.PUT_SLICE, days + told)

    def answers(self) -> dict[Slice, Answer]:
        """Return the searches that were answered."""
        return {
            Slice(_day(row[0]), _day(row[1]), row[2], row[3]): Answer(
                row[4], row[5], _day(row[6]), bool(row[7]), bool(row[8])
            )
            for row in self._ask(sql.GET_SLICES)
        }

    def note_studies(self, studies: Iterable[FoundStudy]) -> None:
        """Keep studies that were found."""
        with self._changing() as connection:
            self._put_studies(connection, studies)

    def _put_studies(self, connection: apsw.Connection, studies: Iterable[FoundStudy]) -> None:
        for study in studies:
            connection.execute(sql.PUT_STUDY, (study.study_instance_uid, study.study_date, study.counted))
            connection.execute(sql.PUT_PATIENT, (study.study_instance_uid, study.patient_id))

    def note_listing(self, study_instance_uid: str, instances: Iterable[FoundInstance], *, listing: str) -> None:
        """Keep what a study has: `done`, or `refused` by the source."""
        with self._changing() as connection:
            for instance in instances:
                series = (study_instance_uid, instance.series_instance_uid)
                connection.execute(sql.PUT_SERIES, series)
                named = (instance.sop_instance_uid, instance.sop_class_uid, instance.path)
                connection.execute(sql.PUT_INSTANCE, named + series)
            if listing == "refused":
                connection.execute(sql.PUT_SERIES, (study_instance_uid, ""))
            if listing:
                connection.execute(sql.SET_LISTING, (listing, study_instance_uid))
            connection.execute(sql.TRY_SERIES_OF_STUDY_AGAIN, (study_instance_uid,))

    def begin_inventory_again(self) -> None:
        """Have the source asked anew: what came since is added, what is known stays as it is."""
        with self._changing() as connection:
            for statement in sql.BEGIN_AGAIN:
                connection.execute(statement)
        self.put("assessed", False)

    def note_files(self, found: Iterable[tuple[FoundStudy, FoundInstance]]) -> list[tuple[str, str]]:
        """Keep files of a folder; return pairs of those that hold one instance, the one that is kept first."""
        twice: list[tuple[str, str]] = []
        with self._changing() as connection:
            for study, instance in found:
                self._put_studies(connection, [study])
                series = (study.study_instance_uid, instance.series_instance_uid)
                connection.execute(sql.PUT_SERIES, series)
                named = (instance.sop_instance_uid, instance.sop_class_uid, instance.path)
                connection.execute(sql.PUT_INSTANCE, named + series)
                kept: list[tuple[Any, ...]] = connection.execute(
                    sql.PATH_OF, (*series, instance.sop_instance_uid)
                ).fetchall()
                if kept[0][0] != instance.path:
                    twice.append((kept[0][0], instance.path))
                connection.execute(sql.SET_LISTING, ("done", study.study_instance_uid))
                connection.execute(sql.TRY_SERIES_OF_STUDY_AGAIN, (study.study_instance_uid,))
        return twice

    def unlisted_studies(self) -> list[str]:
        """Return the studies whose instances are not known yet."""
        return [row[0] for row in self._ask(sql.UNLISTED_STUDIES)]

    def study_facts(self) -> Iterator[StudyFacts]:
        """Yield what is known of each study."""
        for uid, day, counted, listing, patients, listed, classes in self._iter(sql.STUDY_FACTS):
            yield StudyFacts(
                uid,
                frozenset(json.loads(patients)),
                day,
                counted,
                listed if listing == "done" else None,
                frozenset(json.loads(classes)),
            )

    def note_anomalies(self, anomalies: Iterable[Anomaly]) -> None:
        """Keep what is odd."""
        with self._changing() as connection:
            for anomaly in anomalies:
                connection.execute(sql.PUT_ANOMALY, (anomaly.kind.value, anomaly.where))

    def clear_anomalies(self, kinds: Iterable[AnomalyKind]) -> None:
        """Forget what is found out anew."""
        with self._changing() as connection:
            for kind in kinds:
                connection.execute(sql.CLEAR_ANOMALIES, (kind.value,))

    def anomalies(self) -> list[Anomaly]:
        """Return what is odd."""
        return [Anomaly(AnomalyKind(kind), where) for kind, where in self._ask(sql.GET_ANOMALIES)]

    # ---- plan

    def plan(self, waves: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Keep which studies move in which wave; those that are not named do not move."""
        with self._changing() as connection:
            connection.execute(sql.CLEAR_WAVES)
            ordered = ((number, uid) for number, studies in waves for uid in studies)
            for place, (number, uid) in enumerate(ordered):
                connection.execute(sql.SET_WAVE, (number, place, uid))

    def waves(self) -> list[dict[str, Any]]:
        """Return the waves as they are planned."""
        names = ("wave", "studies", "first_date", "last_date", "listed", "counted")
        return [dict(zip(names, row, strict=True)) for row in self._ask(sql.WAVES)]

    def study_counts(self) -> tuple[int, int, int]:
        """Return how many studies were found, are planned, and are not listed yet."""
        found, planned, unlisted = self._ask(sql.STUDY_COUNTS)[0]
        return found, planned, unlisted

    # ---- move

    def studies_to_move(self, wave: int | None) -> list[tuple[str, bool]]:
        """Return the studies that are not moved yet in their order, and whether their instances are known."""
        rows = self._ask(sql.STUDIES_TO_MOVE, (wave, wave))
        return [(uid, listing != "open") for uid, listing in rows]

    def series_to_move(self, study_instance_uid: str) -> list[SeriesToMove]:
        """Return the series of a study that are not moved yet."""
        rows = self._ask(sql.SERIES_TO_MOVE, (study_instance_uid,))
        return [SeriesToMove(key, study_instance_uid, series) for key, series in rows]

    def instances(self, series_key: int) -> list[KeptInstance]:
        """Return the instances of a series."""
        return [
            KeptInstance(row[0], row[1], row[2], State(row[3]), row[4], InstanceDigest(row[6], row[7]), row[8])
            for row in self._ask(sql.INSTANCES_OF_SERIES, (series_key,))
        ]

    def begin_series(self, series: SeriesToMove) -> None:
        """Note that a series is being moved."""
        with self._changing() as connection:
            connection.execute(sql.SET_SERIES, ("moving", series.key))

    def end_series(self, series: SeriesToMove, *, is_moved: bool, seconds: float, size_bytes: int, moved: int) -> None:
        """Note that nothing of a series is left to be moved, or that it is to be tried again."""
        state = "moved" if is_moved else "waiting"
        with self._changing() as connection:
            connection.execute(sql.END_SERIES, (state, seconds, size_bytes, moved, series.key))

    def note_sending(
        self, series: SeriesToMove, instances: Iterable[tuple[str, int, InstanceDigest]], *, now: str
    ) -> None:
        """Note what is about to be sent: SOP Instance UID, size, digest."""
        with self._changing() as connection:
            for uid, size_bytes, digest in instances:
                connection.execute(sql.NOTE_SENDING, (size_bytes, digest.family, digest.sha256, now, series.key, uid))

    def note_outcomes(self, series: SeriesToMove, outcomes: Iterable[tuple[str, State, str, str]], *, now: str) -> None:
        """Note what came of it: SOP Instance UID, state, code of the catalogue, what was told."""
        with self._changing() as connection:
            for uid, state, code, told in outcomes:
                connection.execute(sql.NOTE_OUTCOME, (state.value, code, told, now, series.key, uid))

    def try_again(self) -> None:
        """Let what waits for a person wait for its turn again."""
        with self._changing() as connection:
            connection.execute(sql.TRY_AGAIN)
            connection.execute(sql.TRY_SERIES_AGAIN)

    def totals(self, *, with_unplanned: bool = False) -> Totals:
        """Return where the instances stand: of studies that are planned, or of all."""
        rows = self._ask(sql.STATES, (int(with_unplanned),))
        return Totals(
            sum(row[1] for row in rows),
            {State(row[0]): row[1] for row in rows},
            sum(row[2] for row in rows),
            sum(row[3] for row in rows),
        )

    def measured(self) -> list[Measured]:
        """Return how long the last series took."""
        return [Measured(*row) for row in self._ask(sql.MEASURED)]

    def shelf(self) -> list[tuple[str, str, str, str, str]]:
        """Return what a person has to look at: study, series, instance, code, what was told."""
        return [(row[0], row[1], row[2], row[3], row[4]) for row in self._ask(sql.SHELF, (NAMED_MAX,))]

    # ---- verification

    def moved_studies(self) -> list[str]:
        """Return the studies of which the target has acknowledged something."""
        return [row[0] for row in self._ask(sql.MOVED_STUDIES)]

    def moved_instances(self, study_instance_uid: str) -> list[MovedInstance]:
        """Return what the target has acknowledged of a study."""
        rows = self._ask(sql.MOVED_OF_STUDY, (study_instance_uid,))
        return [MovedInstance(row[0], row[1], row[2], InstanceDigest(row[3], row[4])) for row in rows]

    def clear_findings(self) -> None:
        """Forget the findings of an earlier verification."""
        with self._changing() as connection:
            connection.execute(sql.CLEAR_FINDINGS)

    def note_findings(self, findings: Iterable[tuple[str, str, str, Finding, str]]) -> None:
        """Keep what is wrong: study, series, instance, what, what was told."""
        with self._changing() as connection:
            for study, series, uid, finding, told in findings:
                connection.execute(sql.PUT_FINDING, (study, series, uid, finding.value, told))

    def drop_finding(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> None:
        """Forget what is mended."""
        with self._changing() as connection:
            connection.execute(sql.DROP_FINDING, (study_instance_uid, series_instance_uid, sop_instance_uid))

    def findings(self) -> list[tuple[str, str, str, Finding, str]]:
        """Return what is wrong."""
        return [(row[0], row[1], row[2], Finding(row[3]), row[4]) for row in self._ask(sql.GET_FINDINGS)]

    def finding_counts(self) -> dict[str, int]:
        """Return how many instances have which finding."""
        return dict(self._ask(sql.COUNT_FINDINGS))

    def queue_again(self, instances: Iterable[tuple[str, str, str]]) -> list[SeriesToMove]:
        """Let instances be moved again, and return their series."""
        series: dict[int, SeriesToMove] = {}
        with self._changing() as connection:
            for study, name, uid in instances:
                rows: list[tuple[Any, ...]] = connection.execute(sql.SERIES_KEY, (study, name)).fetchall()
                for (key,) in rows:
                    series[key] = SeriesToMove(key, study, name)
                    connection.execute(sql.QUEUE_AGAIN, (key, uid))
                    connection.execute(sql.SET_SERIES, ("waiting", key))
        return list(series.values())

    def all_instances(self) -> Iterator[dict[str, Any]]:
        """Yield every planned instance for the manifest."""
        names = ("study", "series", "instance", "sop_class", "state", "attempts", "size_bytes", "compared_as")
        for (study,) in self._ask(sql.PLANNED_STUDIES):
            for row in self._ask(sql.INSTANCES_OF_STUDY, (study,)):
                document = dict(zip(names, row[:8], strict=True))
                yield document | {"sha256": row[8], "code": row[9], "at": row[10]}


@contextmanager
def working_alone(folder: Path) -> Iterator[None]:
    """Keep other runs from the same job for the length of a block; raises Conflict while one is at work."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"Another run is at work on the migration in {folder}.") from error
        yield
    finally:
        os.close(descriptor)


def require_same(job: Job, name: str, value: str) -> None:
    """Keep a fact that must not change in the life of a job; raises InvalidRequest where it is another."""
    known = job.get(name)
    if known is None:
        job.put(name, value)
    elif known != value:
        raise InvalidRequest(
            f"The migration in {job.folder} has the {name} {known}, not {value}; name another --job folder."
        )


def _text(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
