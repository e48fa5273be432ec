"""Assess a source: which studies, series and instances it has, and what is odd about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random

from isocenter.app.instance_files import have_same_bytes
from isocenter.app.migrating.ends import Source
from isocenter.app.migrating.folder_ends import FolderSource
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.patience import Patience, patiently
from isocenter.app.migrating.records import FoundInstance
from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.errors import Forbidden, Refused, Unauthenticated
from isocenter.domain.identifiers import is_uid
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.migration.anomalies import Anomaly, AnomalyKind, find_anomalies
from isocenter.routing.migration.slices import EVERYTHING, survey

FILES_AT_A_TIME = 500
"""Of a folder, in one commit."""
ROUNDS_MAX = 200
"""Of halving: each one halves every interval that is too full, and a century has 27 halvings down to a minute."""
OnProgress = Callable[[str, int, int | None], None]
"""What is counted, how many, of how many."""


@dataclass(frozen=True, slots=True)
class AssessSettings:
    """How to take an inventory."""

    today: date
    policy: RetryPolicy
    limit: int | None = None
    """How many studies the source answers with at most, where that is known."""
    lists_instances: bool = True
    """Or leave that to the move."""


def assess(
    job: Job,
    source: Source,
    *,
    throttle: Throttle,
    settings: AssessSettings,
    on_progress: OnProgress = lambda what, done, total: None,
) -> None:
    """Take the inventory of a source, or go on with it; raises what the source refuses, Unavailable."""
    if isinstance(source, FolderSource):
        _walk(job, source, throttle, on_progress)
    else:
        _survey(job, source, throttle, settings, on_progress)
        if settings.lists_instances:
            _list_all(job, source, throttle, settings.policy, on_progress)
    _look_for_anomalies(job)
    job.put("assessed", True)


def _walk(job: Job, source: FolderSource, throttle: Throttle, on_progress: OnProgress) -> None:
    walked, count = source.walk(), 0
    while batch := list(islice(walked, FILES_AT_A_TIME)):
        throttle.require_going()
        found = [one for one in batch if not isinstance(one, str)]
        unreadable = [Anomaly(AnomalyKind.UNREADABLE_FILE, one) for one in batch if isinstance(one, str)]
        twice = [other for first, other in job.note_files(found) if not _are_same(first, other)]
        job.note_anomalies([*unreadable, *(Anomaly(AnomalyKind.INSTANCE_TWICE, path) for path in twice)])
        count += len(found)
        on_progress("files", count, None)


def _are_same(first: str, other: str) -> bool:
    try:
        return have_same_bytes(Path(first), Path(other))
    except OSError:
        return False


def _survey(job: Job, source: Source, throttle: Throttle, settings: AssessSettings, on_progress: OnProgress) -> None:
    today, limit = settings.today, settings.limit
    patience = Patience(settings.policy, throttle, Random(), source.name)
    for _ in range(ROUNDS_MAX):
        found = survey(job.answers(), today=today, limit=limit)
        if not found.pending:
            break
        for one in found.pending:
            throttle.take(size_bytes=0, instances=0)
            answer, studies = patiently(patience, lambda one=one: source.ask(one), source.report_of)  # type: ignore[misc]
            patience.succeeded()
            job.note_answer(one, answer, studies)
            on_progress("studies", job.study_counts()[0], None)
    found = survey(job.answers(), today=today, limit=limit)
    unsure = [Anomaly(AnomalyKind.ANSWERS_CUT, one.key or "all studies") for one in (*found.unsure, *found.pending)]
    if found.is_cut_at_all:
        unsure.append(Anomaly(AnomalyKind.UNDATED_UNKNOWN, EVERYTHING.key or "all studies"))
    job.clear_anomalies([AnomalyKind.ANSWERS_CUT, AnomalyKind.UNDATED_UNKNOWN])
    job.note_anomalies(unsure)
    if found.limit is not None:
        job.put("limit", found.limit)


def _list_all(job: Job, source: Source, throttle: Throttle, policy: RetryPolicy, on_progress: OnProgress) -> None:
    studies = job.unlisted_studies()
    for number, uid in enumerate(studies, 1):
        list_study(job, source, uid, throttle=throttle, policy=policy)
        on_progress("studies listed", number, len(studies))


def list_study(job: Job, source: Source, study_instance_uid: str, *, throttle: Throttle, policy: RetryPolicy) -> None:
    """Keep what a study has; one that the source does not list is to be moved as a whole."""
    throttle.take(size_bytes=0, instances=0)
    if not is_uid(study_instance_uid):
        job.note_listing(study_instance_uid, [], listing="done")
        return
    patience = Patience(policy, throttle, Random(), source.name)
    listed = patiently(patience, lambda: _listed(source, study_instance_uid), source.report_of)
    if listed is None:
        job.note_anomalies([Anomaly(AnomalyKind.NOT_LISTED, study_instance_uid)])
        job.note_listing(study_instance_uid, [], listing="refused")
        return
    sound = [one for one in listed if is_uid(one.series_instance_uid) and is_uid(one.sop_instance_uid)]
    if len(sound) < len(listed):
        job.note_anomalies([Anomaly(AnomalyKind.INVALID_UID, study_instance_uid)])
    job.note_listing(study_instance_uid, sound, listing="done")


def _listed(source: Source, study_instance_uid: str) -> list[FoundInstance] | None:
    try:
        return source.list_study(study_instance_uid)
    except (Unauthenticated, Forbidden):
        raise
    except Refused:
        return None


_OF_STUDIES = (
    AnomalyKind.TWO_PATIENTS,
    AnomalyKind.NO_PATIENT_ID,
    AnomalyKind.NO_STUDY_DATE,
    AnomalyKind.NO_INSTANCES,
    AnomalyKind.COUNT_DIFFERS,
    AnomalyKind.ODD_SOP_CLASS,
)


def _look_for_anomalies(job: Job) -> None:
    job.clear_anomalies(_OF_STUDIES)
    job.note_anomalies(_found(job))


def _found(job: Job) -> Iterator[Anomaly]:
    for study in job.study_facts():
        yield from find_anomalies(study)
