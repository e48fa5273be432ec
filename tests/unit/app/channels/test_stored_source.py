"""Channels that look into the archive: what is new, what came lately, what a rebuilt feed makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.app.channels.gate import Gate
from isocenter.app.channels.planner import ChannelRules
from isocenter.app.channels.refusals import Refusals
from isocenter.app.channels.stored_source import SOURCE_DELIVERY, FeedReader, Timetable
from isocenter.archive.archive import Archive
from isocenter.archive.store import begin_store
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.ledger import Selection
from isocenter.routing.configuration.channel import Channel, FeedSource, ScheduleSource
from isocenter.routing.rules.decide import Rule
from isocenter.routing.rules.parse import parse_expression
from tests.support.instances import identify
from tests.support.memory_archive import FakeClock, memory_archive
from tests.support.small_instances import make_instance

HOUR_S = 3600.0
RULES = (Rule("CT", parse_expression('Modality = "CT"'), to=("pacs",)),)


@dataclass(slots=True)
class Scene:
    """An archive with a clock, and what a channel told."""

    archive: Archive
    clock: FakeClock
    gate: Gate
    notified: list[str]

    def destinations(self) -> list[tuple[str, str]]:
        """Return which instances go where, in the order in which that began."""
        rows = self.archive.index.ledger.page(Selection())
        return [(row.identifier.sop_instance_uid, row.plan.destination) for row in reversed(rows)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock, notified = FakeClock(), list[str]()
    channel = Channel("copies", FeedSource(), RULES)
    with memory_archive(clock=clock) as archive:
        gate = Gate(ChannelRules(channel, 4), now=clock.now, refusals=Refusals(tmp_path), notify=notified.extend)
        yield Scene(archive, clock, gate, notified)


def _store(archive: Archive, number: int, *, source: str = "test") -> str:
    reception = begin_store(archive, LOCAL_OWNER, source=source)
    reception.write(make_instance(identify(number)).content)
    return reception.finish().result(30).identifier.sop_instance_uid


def test_a_new_channel_sends_what_is_stored_from_now_on(scene: Scene) -> None:
    _store(scene.archive, 1)
    reader = FeedReader(FeedSource(), scene.gate, scene.archive, is_new=True)
    reader.do_some()
    new = _store(scene.archive, 2)
    reader.do_some()
    assert scene.destinations() == [(new, "pacs")]
    assert scene.notified == ["pacs"]


def test_a_channel_makes_up_for_what_came_while_it_was_not_there(scene: Scene) -> None:
    FeedReader(FeedSource(), scene.gate, scene.archive, is_new=True).do_some()
    missed = _store(scene.archive, 1)
    FeedReader(FeedSource(), scene.gate, scene.archive, is_new=False).do_some()
    assert scene.destinations() == [(missed, "pacs")]


def test_a_channel_that_comes_back_under_an_old_name_begins_anew(scene: Scene) -> None:
    FeedReader(FeedSource(), scene.gate, scene.archive, is_new=True).do_some()
    _store(scene.archive, 1)
    FeedReader(FeedSource(), scene.gate, scene.archive, is_new=True).do_some()
    assert scene.destinations() == []


def test_what_a_delivery_brings_into_the_archive_is_not_sent_on(scene: Scene) -> None:
    reader = FeedReader(FeedSource(), scene.gate, scene.archive, is_new=True)
    reader.do_some()
    _store(scene.archive, 1, source=SOURCE_DELIVERY)
    reader.do_some()
    assert scene.destinations() == []


def test_only_the_partition_that_is_named_is_looked_at(scene: Scene) -> None:
    reader = FeedReader(FeedSource("north"), scene.gate, scene.archive, is_new=True)
    reader.do_some()
    _store(scene.archive, 1)
    reader.do_some()
    assert scene.destinations() == []


def test_the_same_row_twice_begins_nothing_twice(scene: Scene) -> None:
    first = FeedReader(FeedSource(), scene.gate, scene.archive, is_new=True)
    first.do_some()
    _store(scene.archive, 1)
    second = FeedReader(FeedSource(), scene.gate, scene.archive, is_new=False)
    second._open_cursor()
    first.do_some()
    second.do_some()
    assert len(scene.destinations()) == 1


def test_a_schedule_takes_what_came_lately_when_it_is_time(scene: Scene) -> None:
    scene.clock.advance(-scene.clock.now().astimezone().utcoffset().total_seconds())  # type: ignore[union-attr]
    old = _store(scene.archive, 1)
    scene.clock.advance(20 * HOUR_S)
    timetable = Timetable(ScheduleSource(("22:00",), 10 * HOUR_S), scene.gate, scene.archive, is_new=True)
    timetable.do_some()
    assert scene.destinations() == []
    new = _store(scene.archive, 2)
    scene.clock.advance(2.5 * HOUR_S)
    timetable.do_some()
    timetable.do_some()
    assert scene.destinations() == [(new, "pacs")]
    assert old != new


def test_a_time_that_was_missed_is_made_up_for_at_the_next_start(scene: Scene) -> None:
    source = ScheduleSource(("22:00",), 48 * HOUR_S)
    Timetable(source, scene.gate, scene.archive, is_new=True).do_some()
    new = _store(scene.archive, 1)
    scene.clock.advance(30 * HOUR_S)
    Timetable(source, scene.gate, scene.archive, is_new=False).do_some()
    assert scene.destinations() == [(new, "pacs")]
