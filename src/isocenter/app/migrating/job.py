"""The state of a migration, in a folder of its own: whatever is killed and when, the next run goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import apsw

from isocenter.app.migrating import statements as sql
from isocenter.app.migrating.job_database import JobDatabase
from isocenter.app.migrating.records import (
    FoundInstance,
    FoundStudy,
    KeptInstance,
    MovedInstance,
    SeriesToMove,
    State,
    Totals,
)
from isocenter.routing.migration.anomalies import Anomaly, AnomalyKind, StudyFacts
from isocenter.routing.migration.comparison import Finding, InstanceDigest
from isocenter.routing.migration.estimate import Measured
from isocenter.routing.migration.slices import Answer, Slice

NAMED_MAX = 10_000
"""Instances on the shelf for people that are named; the count is always whole."""


class Job(JobDatabase):
    """The folder of a migration. Use it as a context manager; threads may share it."""

    # ---- inventory

    def note_answer(self, one: Slice, answer: Answer, studies: Iterable[FoundStudy]) -> None:
        """Keep what one search of the inventory found."""
        with self.changing() as connection:
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
            for row in self.ask(sql.GET_SLICES)
        }

    def _put_studies(self, connection: apsw.Connection, studies: Iterable[FoundStudy]) -> None:
        for study in studies:
            connection.execute(sql.PUT_STUDY, (study.study_instance_uid, study.study_date, study.counted))
            connection.execute(sql.PUT_PATIENT, (study.study_instance_uid, study.patient_id))

    def note_listing(self, study_instance_uid: str, instances: Iterable[FoundInstance], *, listing: str) -> None:
        """Keep what a study has: `done`, or `refused` by the source."""
        with self.changing() as connection:
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
        with self.changing() as connection:
            for statement in sql.BEGIN_AGAIN:
                connection.execute(statement)
        self.put("assessed", False)

    def note_files(self, found: Iterable[tuple[FoundStudy, FoundInstance]]) -> list[tuple[str, str]]:
        """Keep files of a folder; return pairs of those that hold one instance, the one that is kept first."""
        twice: list[tuple[str, str]] = []
        with self.changing() as connection:
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
        return [row[0] for row in self.ask(sql.UNLISTED_STUDIES)]

    def study_facts(self) -> Iterator[StudyFacts]:
        """Yield what is known of each study."""
        for uid, day, counted, listing, patients, listed, classes in self.iter(sql.STUDY_FACTS):
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
        with self.changing() as connection:
            for anomaly in anomalies:
                connection.execute(sql.PUT_ANOMALY, (anomaly.kind.value, anomaly.where))

    def clear_anomalies(self, kinds: Iterable[AnomalyKind]) -> None:
        """Forget what is found out anew."""
        with self.changing() as connection:
            for kind in kinds:
                connection.execute(sql.CLEAR_ANOMALIES, (kind.value,))

    def anomalies(self) -> list[Anomaly]:
        """Return what is odd."""
        return [Anomaly(AnomalyKind(kind), where) for kind, where in self.ask(sql.GET_ANOMALIES)]

    # ---- plan

    def plan(self, waves: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Keep which studies move in which wave; those that are not named do not move."""
        with self.changing() as connection:
            connection.execute(sql.CLEAR_WAVES)
            ordered = ((number, uid) for number, studies in waves for uid in studies)
            for place, (number, uid) in enumerate(ordered):
                connection.execute(sql.SET_WAVE, (number, place, uid))

    def waves(self) -> list[dict[str, Any]]:
        """Return the waves as they are planned."""
        names = ("wave", "studies", "first_date", "last_date", "listed", "counted")
        return [dict(zip(names, row, strict=True)) for row in self.ask(sql.WAVES)]

    def study_counts(self) -> tuple[int, int, int]:
        """Return how many studies were found, are planned, and are not listed yet."""
        found, planned, unlisted = self.ask(sql.STUDY_COUNTS)[0]
        return found, planned, unlisted

    # ---- move

    def studies_to_move(self, wave: int | None) -> list[tuple[str, bool]]:
        """Return the studies that are not moved yet in their order, and whether their instances are known."""
        rows = self.ask(sql.STUDIES_TO_MOVE, (wave, wave))
        return [(uid, listing != "open") for uid, listing in rows]

    def series_to_move(self, study_instance_uid: str) -> list[SeriesToMove]:
        """Return the series of a study that are not moved yet."""
        rows = self.ask(sql.SERIES_TO_MOVE, (study_instance_uid,))
        return [SeriesToMove(key, study_instance_uid, series) for key, series in rows]

    def instances(self, series_key: int) -> list[KeptInstance]:
        """Return the instances of a series."""
        return [
            KeptInstance(row[0], row[1], row[2], State(row[3]), row[4], InstanceDigest(row[6], row[7]), row[8])
            for row in self.ask(sql.INSTANCES_OF_SERIES, (series_key,))
        ]

    def begin_series(self, series: SeriesToMove) -> None:
        """Note that a series is being moved."""
        with self.changing() as connection:
            connection.execute(sql.SET_SERIES, ("moving", series.key))

    def end_series(self, series: SeriesToMove, *, is_moved: bool, seconds: float, size_bytes: int, moved: int) -> None:
        """Note that nothing of a series is left to be moved, or that it is to be tried again."""
        state = "moved" if is_moved else "waiting"
        with self.changing() as connection:
            connection.execute(sql.END_SERIES, (state, seconds, size_bytes, moved, series.key))

    def note_sending(
        self, series: SeriesToMove, instances: Iterable[tuple[str, int, InstanceDigest]], *, now: str
    ) -> None:
        """Note what is about to be sent: SOP Instance UID, size, digest."""
        with self.changing() as connection:
            for uid, size_bytes, digest in instances:
                connection.execute(sql.NOTE_SENDING, (size_bytes, digest.family, digest.sha256, now, series.key, uid))

    def note_outcomes(self, series: SeriesToMove, outcomes: Iterable[tuple[str, State, str, str]], *, now: str) -> None:
        """Note what came of it: SOP Instance UID, state, code of the catalogue, what was told."""
        with self.changing() as connection:
            for uid, state, code, told in outcomes:
                connection.execute(sql.NOTE_OUTCOME, (state.value, code, told, now, series.key, uid))

    def try_again(self) -> None:
        """Let what waits for a person wait for its turn again."""
        with self.changing() as connection:
            connection.execute(sql.TRY_AGAIN)
            connection.execute(sql.TRY_SERIES_AGAIN)

    def totals(self, *, with_unplanned: bool = False) -> Totals:
        """Return where the instances stand: of studies that are planned, or of all."""
        rows = self.ask(sql.STATES, (int(with_unplanned),))
        return Totals(
            sum(row[1] for row in rows),
            {State(row[0]): row[1] for row in rows},
            sum(row[2] for row in rows),
            sum(row[3] for row in rows),
        )

    def measured(self) -> list[Measured]:
        """Return how long the last series took."""
        return [Measured(*row) for row in self.ask(sql.MEASURED)]

    def shelf(self) -> list[tuple[str, str, str, str, str]]:
        """Return what a person has to look at: study, series, instance, code, what was told."""
        return [(row[0], row[1], row[2], row[3], row[4]) for row in self.ask(sql.SHELF, (NAMED_MAX,))]

    # ---- verification

    def moved_studies(self) -> list[str]:
        """Return the studies of which the target has acknowledged something."""
        return [row[0] for row in self.ask(sql.MOVED_STUDIES)]

    def moved_instances(self, study_instance_uid: str) -> list[MovedInstance]:
        """Return what the target has acknowledged of a study."""
        rows = self.ask(sql.MOVED_OF_STUDY, (study_instance_uid,))
        return [MovedInstance(row[0], row[1], row[2], InstanceDigest(row[3], row[4])) for row in rows]

    def clear_findings(self) -> None:
        """Forget the findings of an earlier verification."""
        with self.changing() as connection:
            connection.execute(sql.CLEAR_FINDINGS)

    def note_findings(self, findings: Iterable[tuple[str, str, str, Finding, str]]) -> None:
        """Keep what is wrong: study, series, instance, what, what was told."""
        with self.changing() as connection:
            for study, series, uid, finding, told in findings:
                connection.execute(sql.PUT_FINDING, (study, series, uid, finding.value, told))

    def drop_finding(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> None:
        """Forget what is mended."""
        with self.changing() as connection:
            connection.execute(sql.DROP_FINDING, (study_instance_uid, series_instance_uid, sop_instance_uid))

    def findings(self) -> list[tuple[str, str, str, Finding, str]]:
        """Return what is wrong."""
        return [(row[0], row[1], row[2], Finding(row[3]), row[4]) for row in self.ask(sql.GET_FINDINGS)]

    def finding_counts(self) -> dict[str, int]:
        """Return how many instances have which finding."""
        return dict(self.ask(sql.COUNT_FINDINGS))

    def queue_again(self, instances: Iterable[tuple[str, str, str]]) -> list[SeriesToMove]:
        """Let instances be moved again, and return their series."""
        series: dict[int, SeriesToMove] = {}
        with self.changing() as connection:
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
        for (study,) in self.ask(sql.PLANNED_STUDIES):
            for row in self.ask(sql.INSTANCES_OF_STUDY, (study,)):
                document = dict(zip(names, row[:8], strict=True))
                yield document | {"sha256": row[8], "code": row[9], "at": row[10]}


def _text(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
