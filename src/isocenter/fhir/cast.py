"""Keep a FHIR server in step with the change feed: durable, in order, patient (dicom-service 13, reliability 3.4).

    feed ──▶ rows behind the cursor ──▶ studies that they are about ──▶ each as it is now ──▶ cursor on
                                            ├─ the server does not take it: shelved, the feed goes on
                                            ├─ this study alone fails for now: put off, the feed goes on
                                            └─ the server is away: the same again, later and later, without end

A row says only that a study changed: it is cast as it is when its turn comes. A kill repeats some studies, and finds
them as they are to be. Nothing is passed over: what is not on the server is in the ledger, with its reason.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from isocenter.archive.archive import Archive
from isocenter.domain.errors import IsocenterError, Unavailable
from isocenter.fhir.cast_record import CastCounts, CastRecord
from isocenter.fhir.client import FhirClient
from isocenter.fhir.errors import FhirConflict, FhirRefused, FhirUnavailable
from isocenter.fhir.reconcile import Records, strays
from isocenter.fhir.study_cast import CastOptions, CastResult, StudyCaster
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.fhir_ledger import CastError, ErrorKind, FhirLedger, OpenStudy, StudyName
from isocenter.ports.index import Change, ChangeAction

_log = structlog.get_logger()
Result = TypeVar("Result")

PAGE_ROWS = 1000
"""Rows that are read at once, and cast before the cursor goes on; some 600 KB."""
POLL_MIN_S = 0.05
"""Between looks at an idle feed, whatever was asked for."""
OPEN_PER_ROUND_MAX = 100
"""Studies that were put off and are cast between two pages of the feed: neither holds up the other."""
ATTEMPTS_AT_ONCE = 5
"""Before a study is put off that fails while the server answers; with the waits below some ten seconds."""
WAIT_FIRST_S = 0.5
WAIT_MAX_S = 60.0
"""Between attempts: a server that is back is written to within a minute."""
RETRY_AFTER_MAX_S = 600.0
"""A server that asks for more than this is asked again all the same."""
PUT_OFF_FIRST_S = 60.0
PUT_OFF_MAX_S = 3600.0
"""Until a study that was put off is tried again."""
COVERED_MAX = 20_000
"""Studies of which it is remembered up to which row they were cast."""
CLOSE_TIMEOUT_S = 3.0
"""A server that does not answer does not keep a node from stopping; the study is cast after the next start."""


class CastStopped(Exception):
    """The node stops: what is under way is left."""


class FhirCast:
    """Cast to one FHIR server for as long as it is open."""

    def __init__(
        self,
        archive: Archive,
        client: FhirClient,
        options: CastOptions,
        *,
        poll_interval_s: float,
        counts: CastCounts,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Make one; `wait` waits so long and tells whether to stop."""
        self._archive = archive
        self._client = client
        self._options = options
        self._poll_interval_s = max(POLL_MIN_S, poll_interval_s)
        self._counts = counts
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._jitter = random.Random()
        self._caster = StudyCaster(archive, client, options)
        self._ledger: FhirLedger = archive.fhir_ledger
        self.name = cast_name(client.url)
        self._cursor = archive.event_cursors.open(self.name, sequence=0, timestamp=0.0)
        self._oldest_at = archive.clock.now().timestamp()
        """When the first row was written that was not cast yet."""
        self._covered: OrderedDict[StudyName, int] = OrderedDict()
        self._record = CastRecord(self._ledger, self.name, archive.clock)
        self._thread = threading.Thread(target=self._run, name="fhir-cast", daemon=True)

    def start(self) -> None:
        """Begin to cast."""
        self._counts.is_on = True
        self._thread.start()

    def close(self) -> None:
        """Stop behind the request that is under way, unless that takes too long."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT_S)
        self._client.close()

    def _run(self) -> None:
        failures, is_checked = 0, False
        while not self._stop.is_set():
            try:
                if not is_checked:
                    self._persist(self._check)
                    is_checked = True
                has_more = self.cast_some()
                failures = 0
            except CastStopped:
                break
            except Exception as error:  # the outermost loop of the thread: the feed waits
                failures += 1
                if isinstance(error, IsocenterError):
                    _log.error("fhir.put_off", reason=error.message)
                else:
                    _log.exception("fhir.broken")
                self._stop.wait(_backoff_s(failures))
                continue
            if not has_more:  # a study that arrives slowly is not cast with each instance
                self._stop.wait(self._poll_interval_s)

    def _check(self) -> None:
        capability = self._client.check()
        _log.info("fhir.connected", software=capability.software, version=capability.fhir_version)
        self._record.note_success()

    # ---- the feed

    def cast_some(self) -> bool:
        """Cast studies that are due and a page of the feed; tell whether more is there to be cast at once.

        Raises CastStopped where the node stops meanwhile.
        """
        self._take_up_wishes()
        due = self._ledger.open_studies(due_before=self._now(), limit=OPEN_PER_ROUND_MAX)
        for open_study in due:
            self._cast(open_study, sequence=0)
        rows = self._archive.index.changes(after=self._cursor.sequence, limit=PAGE_ROWS)
        self._measure(rows)
        if rows:
            self._cast_rows(rows)
        self._counts.errors = {kind.value: count for kind, count in self._ledger.counts().items()}
        has_more = len(rows) == PAGE_ROWS or len(due) == OPEN_PER_ROUND_MAX
        if not has_more:
            self._record.keep(is_urgent=True)
        return has_more

    def _take_up_wishes(self) -> None:
        if self._cursor.is_of_older_feed:
            self._begin_anew()
        after = self._ledger.standing(self.name).rerun_after
        if after is not None:
            self._covered.clear()
            self._keep_cursor(EventCursor(self.name, max(0, after), 0.0))
            self._ledger.want_rerun(self.name, after=None)
            _log.info("fhir.rerun", after=after)

    def _begin_anew(self) -> None:
        """Cast everything, where the index was rebuilt: its feed has other numbers, and no word of what is gone."""
        records = Records(self._archive.index, self._archive.partitions, self._ledger)
        gone = self._persist(lambda: list(strays(records, self._client, self._options)))
        if gone:
            self._ledger.ask_for(gone, due_at=self._now())
        self._covered.clear()
        self._keep_cursor(EventCursor(self.name, 0, 0.0))
        _log.info("fhir.begun_anew", strays=len(gone))

    def _cast_rows(self, rows: Sequence[Change]) -> None:
        """Cast each study that rows are about once, in the order in which they first name it."""
        by_study: dict[StudyName, list[Change]] = {}
        for row in rows:
            one = row.identifier
            by_study.setdefault(StudyName(one.study_instance_uid, one.partition_name), []).append(row)
        for study, changes in by_study.items():
            if self._stop.is_set():
                raise CastStopped
            gone = {change.identifier.sop_instance_uid for change in changes if change.action is ChangeAction.DELETE}
            if gone or changes[-1].sequence > self._covered.get(study, 0):
                open_study = self._ledger.open_study(study) or OpenStudy(study)
                self._cast(replace(open_study, removed=open_study.removed | gone), sequence=changes[-1].sequence)
        self._counts.rows += len(rows)
        self._keep_cursor(EventCursor(self.name, rows[-1].sequence, rows[-1].timestamp))
        self._measure(())

    def _measure(self, rows: Sequence[Change]) -> None:
        latest = self._archive.index.latest_sequence()
        self._counts.behind = max(0, latest - self._cursor.sequence)
        if rows:
            self._oldest_at = rows[0].timestamp
        self._counts.behind_s = max(0.0, self._now() - self._oldest_at) if self._counts.behind else 0.0

    def _keep_cursor(self, cursor: EventCursor) -> None:
        self._archive.event_cursors.replace(cursor)
        self._cursor = cursor

    # ---- one study

    def _cast(self, open_study: OpenStudy, *, sequence: int) -> None:
        """Cast a study until it is on the server, shelved or put off."""
        latest = self._archive.index.latest_sequence()  # before the study is read: it is at least as new
        failures = 0
        while True:
            try:
                result = self._caster.cast(open_study, sequence=sequence)
            except Exception as error:  # whatever is wrong with one study, the feed goes on
                failures += 1
                if self._gives_up(open_study, error, failures, sequence):
                    break
                self._rest(error, failures)
            else:
                self._settle(open_study, result)
                break
        self._covered[open_study.study] = latest
        self._covered.move_to_end(open_study.study)
        while len(self._covered) > COVERED_MAX:
            self._covered.popitem(last=False)

    def _settle(self, open_study: OpenStudy, result: CastResult) -> None:
        self._ledger.settle(open_study.study, result.errors, now=self._now())
        self._counts.studies["written" if result.is_changed else "unchanged"] += 1
        self._record.note_success()

    def _gives_up(self, open_study: OpenStudy, error: Exception, failures: int, sequence: int) -> bool:
        """Tell whether the feed goes on without a study, which is then kept for later or for a person."""
        if isinstance(error, FhirConflict | FhirUnavailable):
            if failures < ATTEMPTS_AT_ONCE or not self._is_server_well():
                return False
            self._put_off(open_study, error, sequence)
            return True
        if isinstance(error, Unavailable):  # credentials, address, our own storage: no study can be cast now
            return False
        if isinstance(error, FhirRefused):
            reason = error.message
        elif isinstance(error, IsocenterError):
            reason = f"The archive cannot give it: {error.message}"
        else:
            _log.error("fhir.fault", study_instance_uid=open_study.study.study_instance_uid, exc_info=error)
            reason = f"A fault of the node ({type(error).__name__}); its log tells more."
        self._shelve(open_study, reason, sequence)
        return True

    def _is_server_well(self) -> bool:
        try:
            self._client.check()
        except IsocenterError:
            return False
        return True

    def _shelve(self, open_study: OpenStudy, reason: str, sequence: int) -> None:
        """Keep a study for a person."""
        study = open_study.study
        error = CastError(ErrorKind.FHIR, study, reason, sequence=sequence)
        kept = replace(open_study, due_at=None, attempts=open_study.attempts + 1)
        self._ledger.put_off(kept, [error], now=self._now())
        self._counts.studies["shelved"] += 1
        _log.error("fhir.shelved", study_instance_uid=study.study_instance_uid, reason=reason)

    def _put_off(self, open_study: OpenStudy, error: IsocenterError, sequence: int) -> None:
        """Keep a study for later: the server takes others."""
        study = open_study.study
        wait_s = min(PUT_OFF_MAX_S, PUT_OFF_FIRST_S * 2.0 ** min(open_study.attempts, 16))
        kept = replace(open_study, due_at=self._now() + wait_s, attempts=open_study.attempts + 1)
        told = CastError(ErrorKind.TRANSIENT, study, error.message, sequence=sequence)
        self._ledger.put_off(kept, [told], now=self._now())
        _log.warning("fhir.study_put_off", study_instance_uid=study.study_instance_uid, reason=error.message)

    # ---- patience

    def _persist(self, ask: Callable[[], Result]) -> Result:
        """Ask until the server answers; raises CastStopped where the node stops before."""
        failures = 0
        while True:
            try:
                return ask()
            except Unavailable as error:
                failures += 1
                self._rest(error, failures)

    def _rest(self, error: Exception, failures: int) -> None:
        """Wait before the next attempt; raises CastStopped where the node stops meanwhile."""
        self._counts.failed_attempts += 1
        reason = error.message if isinstance(error, IsocenterError) else type(error).__name__
        self._record.note_failure(reason)
        self._measure(())
        _log.warning("fhir.not_taken", reason=reason, attempt=failures)
        wait_s = _backoff_s(failures) * self._jitter.uniform(0.5, 1.0)  # clients that were cut off do not come together
        asked_s = error.retry_after_s if isinstance(error, FhirUnavailable) else None
        if self._wait(max(wait_s, min(asked_s or 0.0, RETRY_AFTER_MAX_S))):
            raise CastStopped

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()


def cast_name(url: str) -> str:
    """Return the name under which cursor and standing of a cast are kept: another server is told everything.

    No subscriber of events can have it.
    """
    return f"fhir:{url.rstrip('/')}"


def _backoff_s(failures: int) -> float:
    return min(WAIT_MAX_S, WAIT_FIRST_S * 2.0 ** min(failures - 1, 16))
