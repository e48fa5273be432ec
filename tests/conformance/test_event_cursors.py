"""What every store of the cursors of events does."""

from __future__ import annotations

from dataclasses import replace

from isocenter.ports.event_cursors import EventCursor, EventCursors


def test_a_new_cursor_begins_where_it_is_told_to(event_cursors: EventCursors) -> None:
    assert event_cursors.open("ris", sequence=7, timestamp=5.5) == EventCursor("ris", 7, 5.5)


def test_a_kept_cursor_stays_where_it_is(event_cursors: EventCursors) -> None:
    event_cursors.open("ris", sequence=7, timestamp=5.5)
    assert event_cursors.open("ris", sequence=100, timestamp=90.0) == EventCursor("ris", 7, 5.5)


def test_cursors_go_on_one_by_one(event_cursors: EventCursors) -> None:
    first = event_cursors.open("ris", sequence=7, timestamp=5.5)
    event_cursors.open("pacs", sequence=8, timestamp=6.5)
    event_cursors.replace(replace(first, sequence=9, timestamp=7.5))
    assert event_cursors.open("ris", sequence=0, timestamp=0.0) == EventCursor("ris", 9, 7.5)
    assert event_cursors.open("pacs", sequence=0, timestamp=0.0) == EventCursor("pacs", 8, 6.5)


def test_the_mark_of_an_older_feed_is_kept_and_taken_away(event_cursors: EventCursors) -> None:
    first = event_cursors.open("ris", sequence=7, timestamp=5.5)
    event_cursors.replace(replace(first, is_of_older_feed=True))
    marked = event_cursors.open("ris", sequence=0, timestamp=0.0)
    assert marked.is_of_older_feed
    event_cursors.replace(replace(marked, is_of_older_feed=False))
    assert not event_cursors.open("ris", sequence=0, timestamp=0.0).is_of_older_feed
