"""What pages start and do not wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from isocenter.domain.errors import InvalidRequest, NotFound, Unavailable
from isocenter.web.pages.router_jobs import RUNNING_MAX, Jobs, Note


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    with closing(Jobs(now=lambda: 5.0)) as opened:
        yield opened


def test_a_job_shows_what_it_noted_while_it_runs(jobs: Jobs) -> None:
    noted, may_end = threading.Event(), threading.Event()

    def work(note: Note) -> str:
        note("first")
        noted.set()
        may_end.wait(30)
        return "all"

    name = jobs.start("test", "pacs", work, by="jane")
    assert noted.wait(30)
    view = jobs.find(name)
    assert (list(view.notes), view.is_done, view.by, view.began_at) == (["first"], False, "jane", 5.0)
    before = jobs.changes
    may_end.set()
    jobs.close()
    assert (jobs.find(name).result, jobs.find(name).is_done) == ("all", True)
    assert jobs.changes > before


def test_no_more_run_than_the_node_can_bear(jobs: Jobs) -> None:
    may_end = threading.Event()
    for _ in range(RUNNING_MAX):
        jobs.start("test", "pacs", lambda note: may_end.wait(30), by="jane")
    with pytest.raises(Unavailable):
        jobs.start("test", "pacs", lambda note: None, by="jane")
    # Looks at past traffic that take long leave tests of connections alone.
    other = threading.Event()
    jobs.start("replay", "all", lambda note: other.set(), by="jane")
    assert other.wait(30)
    may_end.set()


def test_the_end_of_the_node_is_told_to_what_takes_long(jobs: Jobs) -> None:
    has_begun = threading.Event()

    def work(note: Note) -> None:
        has_begun.set()
        while not jobs.is_ending():
            pass

    name = jobs.start("replay", "all", work, by="jane")
    assert has_begun.wait(30)
    jobs.close()
    assert jobs.find(name).is_done
    with pytest.raises(Unavailable):
        jobs.start("replay", "all", work, by="jane")


def test_a_refusal_is_told(jobs: Jobs) -> None:
    def refuse(note: Note) -> None:
        raise InvalidRequest("It cannot be meant.")

    name = jobs.start("test", "pacs", refuse, by="jane")
    jobs.close()
    assert jobs.find(name).problem == "It cannot be meant."


def test_one_that_nobody_knows_is_not_found(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        jobs.find("lost")
