"""Triggers that the node finds itself: new studies in the change feed, scheduled steps on the work list."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

import structlog

from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.archive.archive import Archive
from isocenter.archive.worklist import find_steps, iter_pages
from isocenter.domain.identifiers import DEFAULT_PARTITION, Level
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Query
from isocenter.domain.values import first_text
from isocenter.domain.worklist import (
    ACCESSION_NUMBER,
    MODALITY,
    PATIENT_ID,
    SCHEDULED_PROCEDURE_STEP_ID,
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    START_DATE,
    START_TIME,
    STUDY_INSTANCE_UID,
    PeriodKey,
    SequenceKey,
    StepState,
    WorklistEntry,
    WorklistQuery,
    start_of,
)
from isocenter.ports.index import Change, ChangeAction
from isocenter.ports.prefetches import Prefetches
from isocenter.routing.hl7.order import parse_time
from isocenter.routing.prefetch.rule import TriggerKind
from isocenter.routing.prefetch.trigger import Trigger

_log = structlog.get_logger()

CURSOR = "prefetch.studies"
"""In the table of cursors; no receiver of events can be named so, for its dot."""
PAGE_ROWS = 500
STUDIES_REMEMBERED = 10_000
"""Studies that are known not to be new: those that are being stored now are few."""
ENTRIES_REMEMBERED = 50_000
AHEAD = timedelta(days=2)
"""Steps that begin within so long are looked at; a night before is early enough for priors."""
_BIRTH_DATE, _ISSUER = 0x00100030, 0x00100021
_STUDY_DATE, _DESCRIPTION, _MODALITIES = 0x00080020, 0x00081030, 0x00080061
_SERIES_MODALITY, _BODY_PART, _SERIES_DESCRIPTION = 0x00080060, 0x00180015, 0x0008103E
_STEP_DESCRIPTION, _PROCEDURE_DESCRIPTION = 0x00400007, 0x00321060


class _Remembered:
    """A set that forgets what was put in first."""

    def __init__(self, count_max: int) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()
        self._count_max = count_max

    def add(self, name: str) -> bool:
        """Remember a name; return whether it is new."""
        if name in self._names:
            self._names.move_to_end(name)
            return False
        self._names[name] = None
        if len(self._names) > self._count_max:
            self._names.popitem(last=False)
        return True


class StudyFollower:
    """Follow the change feed, and hand in a trigger for each study that is new."""

    def __init__(self, archive: Archive, desk: PrefetchDesk, prefetches: Prefetches) -> None:
        self._archive = archive
        self._desk = desk
        self._prefetches = prefetches
        self._seen = _Remembered(STUDIES_REMEMBERED)
        now = archive.clock.now().timestamp()
        self._cursor = archive.event_cursors.open(CURSOR, sequence=archive.index.latest_sequence(), timestamp=now)
        if self._cursor.is_of_older_feed:  # the index was rebuilt, with the feed: what is there is not new
            self._cursor = replace(self._cursor, sequence=archive.index.latest_sequence(), is_of_older_feed=False)

    def look(self) -> bool:
        """Hand in what a page of the feed brought; return whether there was any. Runs in a thread."""
        rows = self._archive.index.changes(after=self._cursor.sequence, limit=PAGE_ROWS)
        if not rows:
            return False
        for row in rows:
            if self._is_new(row):
                self._hand_in(row)
        # Kept behind the triggers: after a kill the page is gone over again, and a study triggers once only.
        self._cursor = replace(self._cursor, sequence=rows[-1].sequence, timestamp=rows[-1].timestamp)
        self._archive.event_cursors.replace(self._cursor)
        return True

    def _is_new(self, row: Change) -> bool:
        named = row.identifier
        return (
            row.action is ChangeAction.CREATE
            and named.partition_name == DEFAULT_PARTITION
            and self._seen.add(named.study_instance_uid)
            and not self._prefetches.was_fetched(named.study_instance_uid)
        )

    def _hand_in(self, row: Change) -> None:
        trigger = self._trigger_of(row.identifier.study_instance_uid)
        if trigger is not None:
            self._desk.hand_in(trigger, origin=f"study {trigger.study_instance_uid}")

    def _trigger_of(self, study_instance_uid: str) -> Trigger | None:
        """Return what a study says, None where it is gone or names no patient."""
        studies = self._archive.index.search(Query(Level.STUDY, study_instance_uid=study_instance_uid, limit=1))
        series = self._archive.index.search(Query(Level.SERIES, study_instance_uid=study_instance_uid, limit=1))
        if not studies or not studies[0].attributes.get(PATIENT_ID):
            return None
        values, of_series = studies[0].attributes, (series[0].attributes if series else {})
        words = (values.get(_DESCRIPTION), of_series.get(_BODY_PART), of_series.get(_SERIES_DESCRIPTION))
        return Trigger(
            TriggerKind.STUDY,
            values[PATIENT_ID],
            birth_date=values.get(_BIRTH_DATE, ""),
            modality=of_series.get(_SERIES_MODALITY, ""),
            description=" ".join(word for word in words if word),
            study_instance_uid=study_instance_uid,
            study_date=values.get(_STUDY_DATE, ""),
            accession_number=values.get(ACCESSION_NUMBER, ""),
        )


class WorklistFollower:
    """Look at the work list, and hand in a trigger for each step that is scheduled soon."""

    def __init__(self, archive: Archive, desk: PrefetchDesk, *, local: tzinfo) -> None:
        self._archive = archive
        self._desk = desk
        self._local = local
        self._seen = _Remembered(ENTRIES_REMEMBERED)

    def look(self) -> int:
        """Hand in what is new; return how many entries that were. Runs in a thread."""
        now = self._archive.clock.now().astimezone(self._local)
        period = PeriodKey(START_DATE, START_TIME, _moment(now - timedelta(hours=1)), _moment(now + AHEAD))
        query = WorklistQuery(
            (SequenceKey(SCHEDULED_PROCEDURE_STEP_SEQUENCE, (period,)),), states=frozenset({StepState.SCHEDULED})
        )
        count = 0
        for trigger, origin in self._triggers(query):
            if self._seen.add(origin):
                self._desk.hand_in(trigger, origin=origin)
                count += 1
        return count

    def _triggers(self, query: WorklistQuery) -> Iterator[tuple[Trigger, str]]:
        worklist = self._archive.worklist
        keys = find_steps(worklist, LOCAL_OWNER, query)
        for page in iter_pages(worklist, LOCAL_OWNER, keys):
            for entry in page:
                trigger = _trigger_of_entry(entry, self._local)
                if trigger is not None:
                    yield trigger, _origin(entry)


def _origin(entry: WorklistEntry) -> str:
    """Return what names a step; one that is moved to another day stays the same one."""
    names = (
        first_text(entry.values, STUDY_INSTANCE_UID),
        first_text(entry.values, ACCESSION_NUMBER),
        first_text(entry.step_values, SCHEDULED_PROCEDURE_STEP_ID),
    )
    return "worklist " + ("\\".join(names) if any(names) else str(entry.item_key))


def _trigger_of_entry(entry: WorklistEntry, local: tzinfo) -> Trigger | None:
    values, step = entry.values, entry.step_values
    patient_id = first_text(values, PATIENT_ID)
    if not patient_id:
        return None
    day, time = start_of(step)
    moment = parse_time(day + time.split(".")[0], local=local) or parse_time(day, local=local)
    words = (first_text(values, _PROCEDURE_DESCRIPTION), first_text(step, _STEP_DESCRIPTION))
    return Trigger(
        TriggerKind.WORKLIST,
        patient_id,
        issuer=first_text(values, _ISSUER),
        birth_date=first_text(values, _BIRTH_DATE),
        modality=first_text(step, MODALITY),
        description=" ".join(word for word in words if word),
        study_instance_uid=first_text(values, STUDY_INSTANCE_UID),
        accession_number=first_text(values, ACCESSION_NUMBER),
        appointment=None if moment is None else moment.timestamp(),
    )


def _moment(when: datetime) -> str:
    return when.strftime("%Y%m%d%H%M%S.%f")
