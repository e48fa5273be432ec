"""Channels whose instances the node's own archive holds: all that it stores, or at times what it received lately.

    feed ──▶ rows behind the cursor ──▶ headers ──▶ plans ──▶ ledger ──▶ cursor on

A kill between ledger and cursor plans some rows again, which begins nothing twice. The cursor stays where it is while a
channel is paused or stopped, so that it makes up for it afterwards.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from isocenter.app.channels.gate import Gate
from isocenter.app.channels.moments import last_moment, next_moment, parse_moments
from isocenter.archive.archive import Archive
from isocenter.archive.feed_place import PAGE_ROWS, find_place
from isocenter.archive.retrieve import read_header
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import CorruptInstance, InvalidDataset, IsocenterError, NotFound
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.index import Change, ChangeState, InstanceRow
from isocenter.routing.configuration.channel import FeedSource, ScheduleSource

_log = structlog.get_logger()

SOURCE_DELIVERY = "delivery"
"""As which source instances are stored that a delivery brings into the node's own archive: such are not sent on, or a
channel could feed itself for ever."""
FEED_POLL_S = 0.2
"""How late an instance may begin its way: a look at an idle feed takes some 50 µs."""
SCHEDULE_POLL_S = 15.0
"""How long a change of the machine's clock may go unnoticed."""
WAIT_MAX_S = 60.0
"""Between attempts while the storage does not work."""


class Work(Protocol):
    """What a thread does again and again."""

    def do_some(self) -> float:
        """Do some work and return how long there is nothing more to do; raises errors of the tree."""
        ...


class StoredChannelSource:
    """A thread that looks into the archive for one channel."""

    stays_open_paused = False

    def __init__(self, work: Work, *, name: str, address: str) -> None:
        self._work = work
        self._name = name
        self._address = address
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Return what it looks at."""
        return self._address

    async def open(self) -> None:
        """Begin to look."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[self._stop], name=f"channel-{self._name}", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop after what is in hand."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                wait_s = self._work.do_some()
                failures = 0
            except IsocenterError as error:
                failures += 1
                wait_s = min(WAIT_MAX_S, 2.0 ** min(failures, 16) / 2)
                _log.warning("channel.waits", channel=self._name, reason=error.message, attempt=failures)
            except Exception:  # the outermost loop of the thread: what is stored waits for the next look
                failures += 1
                wait_s = min(WAIT_MAX_S, 2.0 ** min(failures, 16) / 2)
                _log.exception("channel.broken", channel=self._name)
            stop.wait(wait_s)


class FeedReader:
    """Plans for everything that the archive stores."""

    def __init__(self, source: FeedSource, gate: Gate, archive: Archive, *, is_new: bool) -> None:
        """One that is new begins with what is stored from now on, whatever a channel of that name had read."""
        self._source = source
        self._gate = gate
        self._archive = archive
        self._is_new = is_new
        self._cursor: EventCursor | None = None

    def do_some(self) -> float:
        """Plan for the next rows of the feed."""
        index = self._archive.index
        cursor = self._cursor or self._open_cursor()
        if cursor.is_of_older_feed:
            cursor = find_place(index, cursor, is_stopping=lambda: False)
        rows = index.changes(after=cursor.sequence, limit=PAGE_ROWS)
        if rows:
            plan_stored(self._archive, self._gate, rows, partition=self._source.partition)
            cursor = replace(cursor, sequence=rows[-1].sequence, timestamp=rows[-1].timestamp)
            self._archive.event_cursors.replace(cursor)
        self._cursor = cursor
        return 0.0 if len(rows) == PAGE_ROWS else FEED_POLL_S

    def _open_cursor(self) -> EventCursor:
        cursor = open_cursor(self._archive, self._gate.name)
        if self._is_new:
            cursor = replace(
                cursor,
                sequence=self._archive.index.latest_sequence(),
                timestamp=self._archive.clock.now().timestamp(),
                is_of_older_feed=False,
            )
            self._archive.event_cursors.replace(cursor)
            self._is_new = False
        return cursor


class Timetable:
    """Plans at certain times for what the archive received lately; a time that was missed is made up for."""

    def __init__(self, source: ScheduleSource, gate: Gate, archive: Archive, *, is_new: bool) -> None:
        """One that is new waits for the next of its times."""
        self._source = source
        self._gate = gate
        self._archive = archive
        self._is_new = is_new
        self._moments = parse_moments(source.at)
        self._looked_at: float | None = None

    def do_some(self) -> float:
        """Plan where it is time, and return how long it is to the next time."""
        now = self._archive.clock.now()
        local = now.astimezone().replace(tzinfo=None)
        if self._looked_at is None:
            self._looked_at = self._open_cursor().timestamp
        if last_moment(self._moments, local).astimezone().timestamp() > self._looked_at:
            self._look(now.timestamp())
        until = (next_moment(self._moments, local).astimezone() - now).total_seconds()
        return min(max(until, 0.0), SCHEDULE_POLL_S)

    def _open_cursor(self) -> EventCursor:
        cursor = open_cursor(self._archive, self._gate.name)
        if self._is_new:
            cursor = replace(cursor, timestamp=self._archive.clock.now().timestamp())
            self._archive.event_cursors.replace(cursor)
            self._is_new = False
        return cursor

    def _look(self, now: float) -> None:
        index = self._archive.index
        first, behind = index.change_window(start=now - self._source.received_within_s, end=None, now=now)
        after, began = first - 1, 0
        while after < behind - 1 and (rows := index.changes(after=after, limit=min(PAGE_ROWS, behind - 1 - after))):
            began += plan_stored(self._archive, self._gate, rows)
            after = rows[-1].sequence
        cursor = replace(open_cursor(self._archive, self._gate.name), timestamp=now, is_of_older_feed=False)
        self._archive.event_cursors.replace(cursor)
        self._looked_at = now
        _log.info("channel.looked", channel=self._gate.name, deliveries=began)


def open_cursor(archive: Archive, channel: str) -> EventCursor:
    """Return how far a channel has come; one that was never asked for begins now."""
    latest, now = archive.index.latest_sequence(), archive.clock.now().timestamp()
    return archive.event_cursors.open(f"channel/{channel}", sequence=latest, timestamp=now)


def plan_stored(archive: Archive, gate: Gate, changes: Sequence[Change], *, partition: str = "") -> int:
    """Begin the deliveries of instances that rows of the feed tell of; return how many began.

    An instance that cannot be read is passed over, with a word for people; raises Unavailable, Broken.
    """
    keys = [row.instance_key for row in changes if row.state is ChangeState.CURRENT and row.instance_key is not None]
    planned: list[tuple[int, DeliveryPlan]] = []
    for key, row in archive.index.instances_of_keys(list(dict.fromkeys(keys))).items():
        is_ours = row.source != SOURCE_DELIVERY and partition in ("", row.identifier.partition_name)
        planned += [(key, plan) for plan in _plans(archive, gate, row)] if is_ours else []
    if not planned:
        return 0
    began = archive.index.ledger.begin(planned, now=archive.clock.now().timestamp())
    gate.note_begun([plan for _, plan in planned])
    return began


def _plans(archive: Archive, gate: Gate, row: InstanceRow) -> tuple[DeliveryPlan, ...]:
    try:
        return gate.rules.plan_stored(
            read_header(archive, row),
            received_at=datetime.fromtimestamp(row.received_at, UTC),
            size_bytes=row.address.length,
            transfer_syntax_uid=row.transfer_syntax_uid,
        )
    except NotFound:  # deleted meanwhile
        return ()
    except (CorruptInstance, InvalidDataset) as error:
        gate.note_refusal(
            "the archive",
            status="",
            reason=f"Its header cannot be read: {type(error).__doc__}",
            sop_instance_uid=row.identifier.sop_instance_uid,
            sop_class_uid=row.sop_class_uid,
        )
        return ()
