"""What `ports.watched_studies.WatchedStudies` promises, over every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.ports.watched_studies import Completion, KeptExpectation, WatchedStudies, WatchedStudy
from isocenter.storage.memory import MemoryWatchedStudies
from isocenter.storage.sqlite.index import SqliteInstanceIndex

_STUDY = WatchedStudy("1.2", "CT1", "CT", 100.0, 110.0, last_sequence=7, instances=3, look_at=120.0)
_EXPECTED = KeptExpectation("1.2", "count", "pacs", ("1.2.3",), count=4, is_final=False, noted_at=115.0)


@pytest.fixture(params=["memory", "sqlite"])
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WatchedStudies]:
    if request.param == "memory":
        yield MemoryWatchedStudies()
        return
    with SqliteInstanceIndex(tmp_path / "index.sqlite3") as index:
        yield index.watched_studies


def test_a_study_is_given_back_as_it_was_kept_and_is_due_in_time(watched: WatchedStudies) -> None:
    watched.keep([_STUDY, replace(_STUDY, study_instance_uid="1.3", look_at=None, last_at=111.0)])
    assert watched.find(["1.2", "1.9"]) == {"1.2": _STUDY}
    assert watched.due(now=119.0, limit=9) == []
    assert watched.due(now=120.0, limit=9) == [_STUDY]
    assert [study.study_instance_uid for study in watched.recent(limit=9)] == ["1.3", "1.2"]


def test_a_study_that_is_whole_is_told_with_its_part_of_the_feed(watched: WatchedStudies) -> None:
    watched.keep([_STUDY])
    first = watched.complete(replace(_STUDY, evidence="quiet", told="nothing came", completed_at=130.0))
    assert first == Completion(first.completion_key, "1.2", "quiet", "nothing came", 130.0, 0, 7, 3)
    (kept,) = watched.find(["1.2"]).values()
    assert (kept.is_complete, kept.completed_sequence, kept.look_at) == (True, 7, None)
    assert watched.due(now=999.0, limit=9) == []
    late = replace(kept, is_complete=False, last_sequence=9, instances=4, reopened=1, completed_at=140.0)
    second = watched.complete(late)
    assert (second.after_sequence, second.last_sequence) == (7, 9)
    assert watched.completions(after=0, limit=9) == [first, second]
    assert watched.completions(after=first.completion_key, limit=9) == [second]


def test_what_is_expected_is_kept_and_has_the_study_judged(watched: WatchedStudies) -> None:
    watched.keep([_STUDY])
    watched.expect(_EXPECTED)
    assert watched.expectations("1.2") == [_EXPECTED]
    assert [study.look_at for study in watched.due(now=115.0, limit=9)] == [115.0]
    watched.expect(replace(_EXPECTED, count=5, noted_at=116.0))
    assert [one.count for one in watched.expectations("1.2")] == [5]
    assert watched.expectations("1.3") == []


def test_gaps_are_kept_by_device_and_modality(watched: WatchedStudies) -> None:
    watched.keep_gaps({("CT1", "CT"): (0.5, 2.0), ("CT1", "SR"): ()})
    watched.keep_gaps({("CT1", "CT"): (1.0,)})
    assert watched.gaps("CT1", "CT") == (1.0,)
    assert watched.gaps("MR1", "MR") == ()


def test_studies_that_are_whole_and_old_are_forgotten(watched: WatchedStudies) -> None:
    watched.keep([replace(_STUDY, study_instance_uid=uid) for uid in ("1.2", "1.3")])
    watched.complete(replace(_STUDY, completed_at=130.0))
    watched.expect(_EXPECTED)
    assert watched.forget(before=111.0) == 1
    assert list(watched.find(["1.2", "1.3"])) == ["1.3"]
    assert watched.expectations("1.2") == [_EXPECTED], "noted later than that"
    watched.forget(before=200.0)
    assert watched.expectations("1.2") == []
    assert watched.completions(after=0, limit=9) == []
