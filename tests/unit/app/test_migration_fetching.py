"""What a source that fails costs: waiting, one instance, or the run; the source is a script."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.app.fetching import FetchReport
from isocenter.app.migrating.fetching import BREAKS_MAX, Fetcher
from isocenter.app.migrating.records import FoundInstance, FoundStudy
from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.errors import IsocenterError, NotFound, Refused, StorageFull, Unavailable
from isocenter.domain.identifiers import Scope
from isocenter.routing.deliveries.report import HttpAnswered, Report, TransportFailed, TransportFault
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.migration.estimate import Limits
from isocenter.routing.migration.slices import Answer, Slice

SERIES = Scope("1.2.3", "1.2.3.4")


class Failure(Unavailable):
    """A failure with what is known of it."""

    def __init__(self, report: Report) -> None:
        super().__init__("It failed.")
        self.report = report


class ScriptedSource:
    """Answers retrievals by a script, and small questions as it is told (migrating.ends.Source)."""

    name = "script"

    def __init__(self, *script: FetchReport | Exception, answers: bool = True) -> None:
        self._script = list(script)
        self._answers = answers
        self.retrievals = 0

    def fetch(self, scope: Scope, folder: Path, on_answer: Callable[[], None]) -> FetchReport:
        self.retrievals += 1
        on_answer()
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def list_study(self, study_instance_uid: str) -> list[FoundInstance] | None:
        if not self._answers:
            raise Failure(TransportFailed(TransportFault.CONNECTION_REFUSED))
        return []

    def report_of(self, error: IsocenterError) -> Report:
        assert isinstance(error, Failure)
        return error.report

    def ask(self, one: Slice) -> tuple[Answer, list[FoundStudy]]:
        raise AssertionError("a fetch takes no inventory")

    def close(self) -> None:
        """Do nothing."""


class ImpatientStop(threading.Event):
    """Nobody waits: time goes by at once."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def _fetcher(source: ScriptedSource, tmp_path: Path, *, failures: list[int] | None = None) -> Fetcher:
    throttle = Throttle(Limits(), (), stop=ImpatientStop())
    note = (failures if failures is not None else []).append
    return Fetcher(source, tmp_path, throttle, RetryPolicy(age_max_s=60), lambda seconds: None, lambda: note(1))


BROKEN = Failure(TransportFailed(TransportFault.CONNECTION_LOST))
BUSY = Failure(HttpAnswered(503, retry_after_s=1))


def test_a_busy_source_is_waited_for_however_often_it_says_so(tmp_path: Path) -> None:
    source = ScriptedSource(*[BUSY] * 20, FetchReport())
    failures: list[int] = []
    assert _fetcher(source, tmp_path, failures=failures).fetch(SERIES)
    assert (source.retrievals, len(failures)) == (21, 20)


def test_what_breaks_off_again_is_given_up_where_the_source_answers_otherwise(tmp_path: Path) -> None:
    source = ScriptedSource(*[BROKEN] * BREAKS_MAX)
    assert not _fetcher(source, tmp_path).fetch(SERIES)


def test_a_line_that_broke_once_costs_nothing(tmp_path: Path) -> None:
    assert _fetcher(ScriptedSource(BROKEN, FetchReport()), tmp_path).fetch(SERIES)


def test_a_source_that_is_away_is_not_taken_for_damaged(tmp_path: Path) -> None:
    source = ScriptedSource(*[BROKEN] * BREAKS_MAX, answers=False)
    fetcher = Fetcher(
        source,
        tmp_path,
        Throttle(Limits(), (), stop=ImpatientStop()),
        RetryPolicy(age_max_s=0),
        lambda s: None,
        lambda: None,
    )
    with pytest.raises(Unavailable, match="Give the same command again"):
        fetcher.fetch(SERIES)


def test_a_source_that_does_not_let_us_in_ends_the_run_in_words(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"script: .*certificate"):
        _fetcher(ScriptedSource(Failure(TransportFailed(TransportFault.TLS_EXPIRED))), tmp_path).fetch(SERIES)


def test_what_is_gone_from_the_source_is_no_failure(tmp_path: Path) -> None:
    assert _fetcher(ScriptedSource(NotFound()), tmp_path).fetch(SERIES)


def test_a_full_disk_ends_the_run_and_blames_nobody(tmp_path: Path) -> None:
    report = FetchReport(failed_count=1, failed=[("1.2.3.4.5", os.strerror(errno.ENOSPC))])
    with pytest.raises(StorageFull, match="free space"):
        _fetcher(ScriptedSource(report), tmp_path).fetch(SERIES)


def test_why_an_instance_did_not_come_is_kept(tmp_path: Path) -> None:
    fetcher = _fetcher(ScriptedSource(FetchReport(failed=[("1.2.3.4.5", "the peer could not send it")])), tmp_path)
    assert fetcher.fetch(SERIES)
    assert fetcher.reasons == {"1.2.3.4.5": "the peer could not send it"}
