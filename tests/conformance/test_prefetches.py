"""What `ports.prefetches.Prefetches` promises, over every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.ports.prefetches import HitCounts, NewRun, Prefetches, RunState
from isocenter.storage.memory import MemoryPrefetches
from isocenter.storage.sqlite.index import SqliteInstanceIndex

_NEW = NewRun("ct", "subject", "order", {"patient_id": "1"}, start_at=100.0, repeat_after_s=50.0)


@pytest.fixture(params=["memory", "sqlite"])
def prefetches(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Prefetches]:
    if request.param == "memory":
        yield MemoryPrefetches()
        return
    with SqliteInstanceIndex(tmp_path / "index.sqlite3") as index:
        yield index.prefetches


def test_a_run_is_due_when_its_time_has_come(prefetches: Prefetches) -> None:
    (run,) = prefetches.add([_NEW], now=90.0)
    assert (run.state, run.trigger, run.attempts, run.finished_at) == (RunState.WAITING, {"patient_id": "1"}, 0, None)
    assert prefetches.due(now=99.0, limit=9) == []
    assert prefetches.due(now=100.0, limit=9) == [run]
    assert prefetches.count_waiting() == 1


def test_the_nearest_deadline_goes_first(prefetches: Prefetches) -> None:
    news = [
        replace(_NEW, subject=str(number), deadline=deadline) for number, deadline in enumerate((300.0, 200.0, None))
    ]
    runs = prefetches.add(news, now=250.0)
    assert [run.run_key for run in prefetches.due(now=999.0, limit=9)] == [runs[number].run_key for number in (1, 2, 0)]
    assert len(prefetches.due(now=999.0, limit=2)) == 2


def test_a_run_is_kept_as_it_is_now(prefetches: Prefetches) -> None:
    (run,) = prefetches.add([_NEW], now=90.0)
    changed = replace(run, state=RunState.DONE, attempts=2, finished_at=120.0, report={"fetched": [1]})
    prefetches.replace(changed)
    assert prefetches.recent(limit=5) == [changed]
    assert prefetches.due(now=999.0, limit=9) == []


@pytest.mark.parametrize(
    ("state", "now", "becomes"),
    [
        (RunState.WAITING, 140.0, RunState.SUPPRESSED),
        (RunState.DONE, 140.0, RunState.SUPPRESSED),
        (RunState.DONE, 141.0, RunState.WAITING),
        (RunState.FAILED, 100.0, RunState.WAITING),
    ],
)
def test_a_repeated_trigger_is_suppressed_for_its_time_unless_the_first_one_failed(
    prefetches: Prefetches, state: RunState, now: float, becomes: RunState
) -> None:
    (run,) = prefetches.add([_NEW], now=90.0)
    prefetches.replace(replace(run, state=state))
    (repeated,) = prefetches.add([_NEW], now=now)
    assert repeated.state is becomes
    assert (repeated.finished_at is not None) == (becomes is RunState.SUPPRESSED)


def test_another_rule_or_subject_is_not_a_repeat(prefetches: Prefetches) -> None:
    news = [_NEW, replace(_NEW, rule="mr"), replace(_NEW, subject="other")]
    assert {run.state for run in prefetches.add(news, now=90.0)} == {RunState.WAITING}


def test_what_can_trigger_once_only_is_not_kept_twice(prefetches: Prefetches) -> None:
    once = replace(_NEW, origin="study 1.2")
    assert len(prefetches.add([once, once], now=90.0)) == 1
    assert prefetches.add([once], now=9999.0) == []
    assert len(prefetches.add([replace(once, rule="mr")], now=90.0)) == 1


def test_fetched_studies_that_somebody_opens_are_hits(prefetches: Prefetches) -> None:
    for uid in ("1.1", "1.2", "1.1"):
        prefetches.note_fetched(uid, rule="ct", source="pacs", now=100.0)
    assert prefetches.note_opened(["1.1", "1.9"], now=110.0) == 1
    assert prefetches.note_opened(["1.1"], now=120.0) == 0
    assert prefetches.hits() == HitCounts(fetched=2, opened=1)
    assert prefetches.was_fetched("1.2")
    assert not prefetches.was_fetched("1.9")


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(prefetches: Prefetches) -> None:
    runs = prefetches.add([replace(_NEW, subject=str(number)) for number in range(3)], now=90.0)
    for run, finished_at in zip(runs, (100.0, 200.0, None), strict=True):
        prefetches.replace(replace(run, finished_at=finished_at, state=RunState.DONE if finished_at else run.state))
    prefetches.note_fetched("1.1", rule="ct", source="pacs", now=100.0)
    assert prefetches.forget(before=150.0) == 1
    assert [run.run_key for run in prefetches.recent(limit=9)] == [runs[2].run_key, runs[1].run_key]
    assert prefetches.hits() == HitCounts()
