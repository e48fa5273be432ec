"""Watch studies until they are whole.

    feed ──▶ studies, gaps ──▶ kept ──▶ cursor on
    performed steps ──▶ expectations ──▶ kept
    studies that are due ──▶ judged by evidence ──▶ whole: a completion with its part of the feed
                                              └──▶ looked at again when silence would decide

Late instances open a study again: they make a completion of their own, with nothing but themselves in it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import structlog

from isocenter.app.completing.evidence import of_commitments, of_manifests, of_step
from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_header
from isocenter.dicom.element_view import view_header
from isocenter.domain.errors import CorruptInstance, InvalidDataset, IsocenterError
from isocenter.domain.identifiers import DEFAULT_PARTITION, Scope
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.index import Change, ChangeAction, InstanceRow
from isocenter.ports.watched_studies import WatchedStudy
from isocenter.routing.completeness.judge import EvidenceKind, Expectation, Snapshot, judge
from isocenter.routing.completeness.quiet import quiet_time_s, with_gaps

_log = structlog.get_logger()

STUDIES_CURSOR, STEPS_CURSOR = "completeness.studies", "completeness.steps"
"""In the table of cursors; no receiver of events can be named so, for the dot."""
POLL_S = 0.5
PAGE_ROWS = 2000
STEPS_COUNT = 200
COMMITMENTS_COUNT = 50
"""Of the last commitment requests; modalities ask a minute after they have sent."""
JUDGED_COUNT = 100
KEPT_S = 90 * 86_400.0
FORGET_INTERVAL_S = 3600.0
CLOSE_TIMEOUT_S = 5.0
_MODALITY, _STATION_NAME, _MODEL = 0x00080060, 0x00081010, 0x00081090


@dataclass(slots=True)
class _Arrivals:
    """What a page of the feed says of one study."""

    times: list[float] = field(default_factory=list)
    last_sequence: int = 0
    last_at: float = 0.0
    instance_key: int | None = None


class StudyTracker:
    """Watch studies for as long as it is open."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._watched = archive.watched_studies
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="completeness", daemon=True)
        self._seen_steps: set[tuple[str, int]] = set()
        self._studies_cursor = self._open(STUDIES_CURSOR)
        self._steps_cursor = self._open(STEPS_CURSOR)
        self._forgotten_at_s = float("-inf")
        self._last_commitment = 0

    def _open(self, name: str) -> EventCursor:
        latest = self._archive.index.latest_sequence()
        cursor = self._archive.event_cursors.open(name, sequence=latest, timestamp=self._now())
        if cursor.is_of_older_feed:  # the index was rebuilt, and the feed with it: what is there was there before
            cursor = replace(cursor, sequence=latest, is_of_older_feed=False)
        return cursor

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is watched goes on at the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            has_more = False
            try:
                has_more = self.look()
            except IsocenterError as error:
                _log.error("completeness.failed", reason=error.message)
            except Exception:  # the outermost loop of the thread: the feed waits
                _log.exception("completeness.broken")
            if not has_more:
                self._stop.wait(POLL_S)

    def look(self) -> bool:
        """Take in what happened and judge what is due; return whether there is more of it."""
        rows = self._archive.index.changes(after=self._studies_cursor.sequence, limit=PAGE_ROWS)
        if rows:
            self._take(rows)
        self._take_steps()
        self._take_commitments()
        self._judge_due()
        self._forget()
        return len(rows) == PAGE_ROWS

    # ---- the feed

    def _take(self, rows: Sequence[Change]) -> None:
        arrivals: dict[str, _Arrivals] = {}
        for row in rows:
            if row.identifier.partition_name != DEFAULT_PARTITION:
                continue
            arrival = arrivals.setdefault(row.identifier.study_instance_uid, _Arrivals())
            arrival.last_sequence = row.sequence
            if row.action is not ChangeAction.DELETE:
                arrival.times.append(row.timestamp)
                arrival.last_at = row.timestamp
                arrival.instance_key = row.instance_key or arrival.instance_key
        known = self._watched.find(list(arrivals))
        studies: list[WatchedStudy] = []
        gaps: dict[tuple[str, str], tuple[float, ...]] = {}
        for uid, arrival in arrivals.items():
            study = known.get(uid)
            if not arrival.times:
                continue
            before = study.last_at if study is not None else None
            study = self._arrived(study, uid, arrival)
            studies.append(study)
            times = arrival.times if before is None else [before, *arrival.times]
            new = [later - earlier for earlier, later in pairwise(times)]
            if new:
                key = (study.device, study.modality)
                gaps[key] = with_gaps(gaps.get(key) or self._watched.gaps(*key), new)
        if studies:
            self._watched.keep(studies)
        if gaps:
            self._watched.keep_gaps(gaps)
        # The cursor comes last: after a kill the page is gone over again, which changes nothing but a few gaps.
        self._studies_cursor = replace(self._studies_cursor, sequence=rows[-1].sequence, timestamp=rows[-1].timestamp)
        self._archive.event_cursors.replace(self._studies_cursor)

    def _arrived(self, study: WatchedStudy | None, uid: str, arrival: _Arrivals) -> WatchedStudy:
        now = self._now()
        if study is None:
            device, modality = self._device_of(arrival.instance_key)
            return WatchedStudy(
                uid,
                device,
                modality,
                first_at=arrival.times[0],
                last_at=arrival.last_at,
                last_sequence=arrival.last_sequence,
                instances=len(arrival.times),
                look_at=now,
            )
        changed = replace(
            study, last_at=arrival.last_at, last_sequence=arrival.last_sequence, look_at=now, is_complete=False
        )
        if study.is_complete and arrival.last_sequence > study.completed_sequence:
            _log.info("completeness.reopened", study_instance_uid=uid, instances=len(arrival.times))
            return replace(changed, reopened=study.reopened + 1, reopened_at=now, evidence="", told="reopened")
        return study if study.is_complete else changed

    def _device_of(self, instance_key: int | None) -> tuple[str, str]:
        """Return what sends a study, by station name or model, and its modality; empty where it does not tell."""
        row = None if instance_key is None else self._archive.index.instance(instance_key)
        if row is None:
            return "", ""
        try:
            view = view_header(read_header(self._archive, row), frozenset({_MODALITY, _STATION_NAME, _MODEL}))
            texts = [
                view.text_of(tag).strip(" \0") if tag in view else "" for tag in (_STATION_NAME, _MODEL, _MODALITY)
            ]
        except (CorruptInstance, InvalidDataset):
            return "", ""
        return texts[0] or texts[1], texts[2]

    # ---- performed steps

    def _take_steps(self) -> None:
        since = self._steps_cursor.timestamp
        steps = self._archive.performed_steps.changed_since(since, limit=STEPS_COUNT)
        fresh = [step for step in steps if (step.sop_instance_uid, step.revision) not in self._seen_steps]
        for step in fresh:
            for expectation in of_step(step):
                self._watched.expect(expectation)
        if not fresh:
            return
        latest = steps[-1].changed_at
        self._seen_steps = {(step.sop_instance_uid, step.revision) for step in steps if step.changed_at == latest}
        self._steps_cursor = replace(self._steps_cursor, timestamp=latest)
        self._archive.event_cursors.replace(self._steps_cursor)

    def _take_commitments(self) -> None:
        """Have the studies that are not whole judged where somebody asked for commitment since."""
        newest = self._archive.commitments.recent(limit=1)
        if not newest or newest[0].commitment_key == self._last_commitment:
            return
        self._last_commitment = newest[0].commitment_key
        open_studies = self._watched.due(now=float("inf"), limit=JUDGED_COUNT)
        if open_studies:
            self._watched.keep([replace(study, look_at=self._now()) for study in open_studies])

    # ---- judging

    def _judge_due(self) -> None:
        due = self._watched.due(now=self._now(), limit=JUDGED_COUNT)
        commitments = self._archive.commitments.recent(limit=COMMITMENTS_COUNT) if due else []
        for study in due:
            rows = self._archive.index.instances(Scope(study.study_instance_uid))
            if not rows:
                gone = replace(study, instances=0, is_complete=True, told="deleted", look_at=None)
                self._watched.keep([replace(gone, completed_sequence=study.last_sequence)])
                continue
            here = frozenset(row.identifier.sop_instance_uid for row in rows)
            expectations = [*self._expected(study, rows), *of_commitments(commitments, here, since=_since(study))]
            self._judge(replace(study, instances=len(rows)), here, expectations)

    def _expected(self, study: WatchedStudy, rows: Sequence[InstanceRow]) -> list[Expectation]:
        """Return what is expected of a study; of one that was opened again, what was said since."""
        kept = [
            Expectation(
                EvidenceKind(one.kind), one.origin, frozenset(one.sop_instance_uids), one.count, is_final=one.is_final
            )
            for one in self._watched.expectations(study.study_instance_uid)
            if one.noted_at >= study.reopened_at
        ]
        late = (row for row in rows if row.received_at >= study.reopened_at)
        return [*kept, *of_manifests(self._archive, late)]

    def _judge(self, study: WatchedStudy, here: frozenset[str], expectations: Sequence[Expectation]) -> None:
        now = self._now()
        quiet_s = quiet_time_s(self._watched.gaps(study.device, study.modality))
        verdict = judge(Snapshot(here, study.last_at, quiet_s), expectations, now=now)
        if not verdict.is_complete:
            self._watched.keep([replace(study, told=verdict.told, look_at=verdict.look_at)])
            return
        evidence = "" if verdict.evidence is None else verdict.evidence.value
        done = self._watched.complete(replace(study, evidence=evidence, told=verdict.told, completed_at=now))
        _log.info(
            "completeness.complete",
            study_instance_uid=study.study_instance_uid,
            evidence=evidence,
            instances=study.instances,
            is_delta=done.after_sequence > 0,
        )

    def _forget(self) -> None:
        now_s = self._archive.clock.monotonic_s()
        if now_s - self._forgotten_at_s > FORGET_INTERVAL_S:
            self._forgotten_at_s = now_s
            self._watched.forget(before=self._now() - KEPT_S)

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()


def _since(study: WatchedStudy) -> float:
    return max(study.first_at, study.reopened_at)
