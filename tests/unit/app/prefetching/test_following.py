"""Triggers that the node finds itself, over the adapters in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.app.prefetching.following import StudyFollower, WorklistFollower
from isocenter.archive.archive import Archive
from isocenter.archive.worklist import add_items, make_item_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.prefetches import PrefetchRun, RunState
from isocenter.routing.prefetch.rule import PrefetchRule
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.prior_studies import PriorStudy

RULE = PrefetchRule("priors", ("pacs",))


@dataclass
class Following:
    """An archive whose feed and work list are followed."""

    archive: Archive
    clock: FakeClock
    studies: StudyFollower
    worklist: WorklistFollower

    @property
    def runs(self) -> list[PrefetchRun]:
        return list(reversed(self.archive.prefetches.recent(limit=99)))

    def schedule(self, accession: str, when: datetime, *, patient_id: str = "P1") -> None:
        def text(vr: str, value: str) -> dict[str, object]:
            return {"vr": vr, "Value": [value]}

        step = {
            "00080060": text("CS", "CT"),
            "00400002": text("DA", f"{when:%Y%m%d}"),
            "00400003": text("TM", f"{when:%H%M}"),
            "00400007": text("LO", "CT chest"),
            "00400009": text("SH", "S1"),
        }
        document = {
            "00080050": text("SH", accession),
            "00100020": text("LO", patient_id),
            "00400100": {"vr": "SQ", "Value": [step]},
        }
        item = make_item_of(parse_dicom_json(document), source="test")
        add_items(self.archive.worklist, LOCAL_OWNER, [item], now=self.clock.now().timestamp())


@pytest.fixture
def following() -> Iterator[Following]:
    clock = FakeClock()
    with memory_archive(clock=clock) as archive:
        store(archive, next(content for _, content in PriorStudy("OLD", "20200101").files()))
        desk = PrefetchDesk(archive.prefetches, [RULE], clock)
        studies = StudyFollower(archive, desk, archive.prefetches)
        yield Following(archive, clock, studies, WorklistFollower(archive, desk, local=UTC))


def _store(following: Following, study: PriorStudy) -> None:
    for _, content in study.files():
        store(following.archive, content)


def test_a_new_study_triggers_once_with_what_it_says(following: Following) -> None:
    study = PriorStudy("P1", "20261101")
    _store(following, study)
    assert following.studies.look()
    assert not following.studies.look()
    (run,) = following.runs
    assert run.trigger == {
        "kind": "study",
        "patient_id": "P1",
        "birth_date": "19600101",
        "modality": "CT",
        "description": "CT chest",
        "study_instance_uid": study.study_instance_uid,
        "study_date": "20261101",
    }


def test_what_was_there_before_and_what_was_fetched_triggers_nothing(following: Following) -> None:
    study = PriorStudy("P1", "20250101")
    following.archive.prefetches.note_fetched(study.study_instance_uid, rule="priors", source="pacs", now=0.0)
    _store(following, study)
    following.studies.look()
    assert following.runs == []


def test_a_follower_that_starts_again_triggers_nothing_twice(following: Following) -> None:
    _store(following, PriorStudy("P1", "20261101"))
    following.studies.look()
    desk = PrefetchDesk(following.archive.prefetches, [RULE], following.clock)
    again = StudyFollower(following.archive, desk, following.archive.prefetches)
    _store(following, PriorStudy("P1", "20261101", instances=4))
    again.look()
    assert len(following.runs) == 1


def test_a_step_that_is_scheduled_soon_triggers_once_and_in_time(following: Following) -> None:
    now = following.clock.now()
    following.schedule("A1", now + timedelta(hours=20))
    following.schedule("A2", now + timedelta(days=9), patient_id="P2")
    following.schedule("A3", now - timedelta(days=1), patient_id="P3")
    assert following.worklist.look() == 1
    assert following.worklist.look() == 0
    (run,) = following.runs
    assert (run.kind, run.trigger["patient_id"], run.state) == ("worklist", "P1", RunState.WAITING)
    assert run.deadline is not None
    assert now.timestamp() + 17 * 3600 < run.deadline <= now.timestamp() + 18 * 3600
    following.clock.advance(8 * 86400)
    assert following.worklist.look() == 1, "A2 has come near"


def test_a_step_that_is_moved_triggers_nothing_more(following: Following) -> None:
    now = following.clock.now()
    following.schedule("A1", now + timedelta(hours=20))
    following.worklist.look()
    following.schedule("A1", now + timedelta(hours=30))
    again = WorklistFollower(
        following.archive, PrefetchDesk(following.archive.prefetches, [RULE], following.clock), local=UTC
    )
    again.look()
    assert len(following.runs) == 1
