"""What people sent: how far the router's ledger is with it, and how jobs that wait end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from isocenter.app.console import send_jobs
from isocenter.app.console.send_jobs import SendJobs
from isocenter.app.settings import load_settings
from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import find_instances
from isocenter.domain.delivery import Delivery, DeliveryPlan, DeliveryState, cancel, ended, lease, send_again
from isocenter.domain.errors import Overloaded
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.index import InstanceRow
from isocenter.ports.ledger import Selection, Step
from isocenter.web.pages.study_send import JobState, SendJob
from tests.support.console_studies import ROOT, make_instance
from tests.support.memory_archive import START, memory_archive, store

STUDY = f"{ROOT}.1"
NOW = START.timestamp()
THREAD_TIMEOUT_S = 30
"""A thread that does not end is a fault; the test is to fail, not to hang."""


class _Tape:
    """One destination, which nobody sends to but the test."""

    def destination_kinds(self) -> Mapping[str, str]:
        return {"tape": "folder"}

    def notify(self, destinations: Sequence[str]) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        for number in (1, 2, 3):
            store(opened, make_instance(number=number))
        yield opened


def _jobs(archive: Archive, folder: Path) -> SendJobs:
    flags = {"data_dir": str(folder), "dicom.remotes": "PEER@127.0.0.1:1"}
    return SendJobs(archive, load_settings(flags, {}, None), _Tape())


def _rows(archive: Archive, *numbers: int) -> list[InstanceRow]:
    found = find_instances(archive, LOCAL_OWNER, Scope(STUDY))
    return [row for row in found if int(row.identifier.sop_instance_uid.rpartition(".")[2]) in numbers]


def _start(jobs: SendJobs, rows: Sequence[InstanceRow], key: str = "to:tape") -> SendJob:
    return jobs.start(key, rows, label="a study", by="ann", studies=[STUDY])


def _step(archive: Archive, number: int, step: Step) -> None:
    selection = Selection(destination="tape", sop_instance_uid=f"{STUDY}.1.{number}")
    assert archive.index.ledger.change(selection, step, limit=1) == 1


def _end(archive: Archive, number: int, state: DeliveryState) -> None:
    def end(delivery: Delivery) -> Delivery | None:
        return ended(delivery, state, "")

    _step(archive, number, partial(lease, now=NOW, until=NOW + 60))
    _step(archive, number, end)


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "send-job"]


def test_only_what_was_delivered_is_there_and_what_was_cancelled_is_told(archive: Archive, tmp_path: Path) -> None:
    with _jobs(archive, tmp_path) as jobs:
        _start(jobs, _rows(archive, 1, 2))
        _end(archive, 1, DeliveryState.DELIVERED_WITH_NOTE)
        (job,) = jobs.jobs()
        assert (job.state, job.outcome) == (JobState.RUNNING, "1 of 2 sent")
        _step(archive, 2, cancel)
        (job,) = jobs.jobs()
        assert (job.state, job.outcome) == (JobState.CANCELLED, "Stopped; 1 of 2 are there")
        assert job.problem == "1 of them were cancelled, and do not arrive."


def test_what_needs_a_person_fails_the_job_when_nothing_waits_any_more(archive: Archive, tmp_path: Path) -> None:
    with _jobs(archive, tmp_path) as jobs:
        _start(jobs, _rows(archive, 1, 2, 3))
        _end(archive, 1, DeliveryState.NEEDS_HUMAN)
        (job,) = jobs.jobs()
        assert (job.state, job.done) == (JobState.RUNNING, 0)
        assert "1 of them need a person" in job.problem
        _end(archive, 2, DeliveryState.DELIVERED)
        _step(archive, 3, cancel)
        (job,) = jobs.jobs()
        assert (job.state, job.outcome) == (JobState.FAILED, "1 of 3 are there")
        assert "were cancelled" in job.problem


def test_deliveries_of_the_study_that_are_not_of_the_job_do_not_count(archive: Archive, tmp_path: Path) -> None:
    ledger = archive.index.ledger
    ledger.add([row.instance_key for row in _rows(archive, 2, 3)], DeliveryPlan("tape"), now=NOW)
    _end(archive, 2, DeliveryState.NEEDS_HUMAN)
    with _jobs(archive, tmp_path) as jobs:
        _start(jobs, _rows(archive, 1))
        assert [job.outcome for job in jobs.jobs()] == ["0 of 1 sent"]
        _end(archive, 1, DeliveryState.DELIVERED)
        (job,) = jobs.jobs()
        assert (job.state, job.outcome, job.problem) == (JobState.DONE, "All 1 are there", "")


def test_what_was_delivered_before_the_job_is_there(archive: Archive, tmp_path: Path) -> None:
    archive.index.ledger.add([row.instance_key for row in _rows(archive, 1)], DeliveryPlan("tape"), now=NOW)
    _end(archive, 1, DeliveryState.DELIVERED)
    with _jobs(archive, tmp_path) as jobs:
        _start(jobs, _rows(archive, 1))
        (job,) = jobs.jobs()
        assert (job.outcome, job.note) == ("All 1 are there", "1 had been handed to it before")


def test_a_delivery_that_is_sent_again_while_the_job_goes_on_waits_again(archive: Archive, tmp_path: Path) -> None:
    with _jobs(archive, tmp_path) as jobs:
        _start(jobs, _rows(archive, 1, 2))
        _step(archive, 1, cancel)
        assert [job.cancelled for job in jobs.jobs()] == [1]
        _step(archive, 1, partial(send_again, now=NOW))
        (job,) = jobs.jobs()
        assert (job.cancelled, job.problem, job.state) == (0, "", JobState.RUNNING)


def test_the_mark_moves_with_a_delivery_and_asks_for_no_study(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _jobs(archive, tmp_path) as jobs:
        for number in (1, 2, 3):
            _start(jobs, _rows(archive, number))
        jobs.jobs()
        ledger = archive.index.ledger
        for name in ("studies", "page"):
            monkeypatch.setattr(ledger, name, None)  # whoever calls it fails
        before = jobs.mark()
        assert jobs.mark() == before
        assert len(jobs.jobs()) == 3  # nothing moved: nothing is read
        monkeypatch.undo()
        _end(archive, 1, DeliveryState.DELIVERED)
        assert jobs.mark() != before


def test_jobs_for_the_router_are_so_many_at_most_and_one_that_ends_makes_room(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_jobs, "QUEUED_MAX", 2)
    with _jobs(archive, tmp_path) as jobs:
        for number in (1, 2):
            _start(jobs, _rows(archive, number))
        with pytest.raises(Overloaded, match="wait for destinations of the router"):
            _start(jobs, _rows(archive, 3))
        assert len(archive.index.ledger.page(Selection(destination="tape"))) == 2
        _step(archive, 1, cancel)
        _start(jobs, _rows(archive, 3))
        assert len(jobs.jobs()) == 3


def test_a_job_that_waits_for_its_turn_ends_when_it_is_cancelled(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_jobs, "RUNNING_MAX", 0)
    with _jobs(archive, tmp_path) as jobs:
        job = _start(jobs, _rows(archive, 1), "ae:PEER")
        (thread,) = _threads()
        jobs.cancel(job.job_id)
        thread.join(THREAD_TIMEOUT_S)
        assert not thread.is_alive()
        assert job.state is JobState.CANCELLED


def test_jobs_that_wait_for_their_turn_end_with_the_node(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_jobs, "RUNNING_MAX", 0)
    with _jobs(archive, tmp_path) as jobs:
        for _ in range(5):
            _start(jobs, _rows(archive, 1), "ae:PEER")
    assert [job.state for job in jobs.jobs()] == [JobState.CANCELLED] * 5
    assert _threads() == []
