"""What a cast to a FHIR server keeps, in dictionaries."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from isocenter.ports.fhir_ledger import CastError, ErrorKind, OpenStudy, Standing, StudyName

_Key = tuple[str, str, str, str]


class MemoryFhirLedger:
    """Keep it in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: dict[StudyName, dict[_Key, CastError]] = {}
        self._open: dict[StudyName, OpenStudy] = {}
        self._standing: dict[str, Standing] = {}

    def settle(self, study: StudyName, errors: Sequence[CastError], *, now: float) -> None:
        """Note that a study was cast, in the place of what was kept of it; errors that last keep their first time."""
        with self._lock:
            self._open.pop(study, None)
            self._keep(study, errors, now)

    def put_off(self, open_study: OpenStudy, errors: Sequence[CastError], *, now: float) -> None:
        """Note that a study is still to be cast, and why, in the place of what was kept of it."""
        with self._lock:
            self._open[open_study.study] = open_study
            self._keep(open_study.study, errors, now)

    def _keep(self, study: StudyName, errors: Sequence[CastError], now: float) -> None:
        before = self._errors.pop(study, {})
        kept: dict[_Key, CastError] = {}
        for error in errors:
            key = (error.kind, error.series_instance_uid, error.sop_instance_uid, error.attribute)
            first_at = before[key].first_at if key in before else now
            kept[key] = replace(error, first_at=first_at, last_at=now)
        if kept:
            self._errors[study] = kept

    def ask_for(self, studies: Sequence[StudyName], *, due_at: float) -> None:
        """Have studies cast, those that wait for a person too."""
        with self._lock:
            for study in studies:
                self._open[study] = replace(self._open.get(study, OpenStudy(study)), due_at=due_at)

    def open_study(self, study: StudyName) -> OpenStudy | None:
        """Return a study if it is still to be cast."""
        with self._lock:
            return self._open.get(study)

    def open_studies(self, *, due_before: float | None = None, limit: int) -> list[OpenStudy]:
        """Return studies that are still to be cast, the longest due first; with a time, those that are due by then."""
        with self._lock:
            found = [
                one
                for one in self._open.values()
                if due_before is None or (one.due_at is not None and one.due_at <= due_before)
            ]
        return sorted(found, key=_order)[:limit]

    def errors(self, *, kind: ErrorKind | None = None, study: StudyName | None = None, limit: int) -> list[CastError]:
        """Return errors, the last first."""
        with self._lock:
            found = [
                error
                for of_study in self._errors.values()
                for error in of_study.values()
                if kind in (None, error.kind) and study in (None, error.study)
            ]
        return sorted(found, key=lambda error: -error.last_at)[:limit]

    def counts(self) -> Mapping[ErrorKind, int]:
        """Return how many errors of each kind are kept, and 0 of the others."""
        with self._lock:
            found = [error.kind for of_study in self._errors.values() for error in of_study.values()]
        return {kind: found.count(kind) for kind in ErrorKind}

    def standing(self, name: str) -> Standing:
        """Return how the cast of a name goes."""
        with self._lock:
            return self._standing.get(name, Standing())

    def note(self, name: str, *, succeeded_at: float | None, failed_at: float | None, failure: str) -> None:
        """Keep how it goes; a wish for a rerun stays."""
        with self._lock:
            wanted = self._standing.get(name, Standing()).rerun_after
            self._standing[name] = Standing(succeeded_at, failed_at, failure, wanted)

    def want_rerun(self, name: str, *, after: int | None) -> None:
        """Keep from where the feed is to be cast anew, or with None that this was taken up."""
        with self._lock:
            self._standing[name] = replace(self._standing.get(name, Standing()), rerun_after=after)


def _order(one: OpenStudy) -> tuple[bool, float, str, str]:
    return one.due_at is None, one.due_at or 0.0, one.study.partition_name, one.study.study_instance_uid
