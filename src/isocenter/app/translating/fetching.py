"""Instances of a service on their way to a receiver: fetched ahead of the wire by some threads (6.2).

    jobs: a whole series in one answer, or single instances ─▶ threads ─▶ spool ─▶ a syntax that is taken ─▶ take
              └─ what did not come with it ─▶ single jobs

A few instances are ready at a time and the rest waits upstream, so that memory and disk stay flat. One that cannot be
had is given with its error, and the others go on.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from isocenter.app.translating.listing import ListedInstance, list_instances
from isocenter.app.translating.received import Received, receive
from isocenter.app.translating.spool import Spool, iter_pieces
from isocenter.app.translating.upstream import Upstream
from isocenter.app.web_report import report_of
from isocenter.archive.decoding import decoding_by
from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicom.transcode import transcode_instance
from isocenter.dimse.scp.outgoing import TARGETS
from isocenter.dimse.scp.supply import READ_AHEAD_BYTES, ContextKey, Flow, Opened, Outgoing
from isocenter.dimse.shell.runtime import Runtime
from isocenter.domain.errors import (
    IsocenterError,
    NotAcceptable,
    NotFound,
    TooLarge,
    Unavailable,
)
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import Principal
from isocenter.domain.selection import Selection
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.routing.deliveries.report import HttpAnswered
from isocenter.routing.deliveries.verdict import SUSPENDING, judge

_log = structlog.get_logger()

SERIES_MIN = 4
"""Of fewer instances each is fetched by itself: they come side by side, and a failure costs one."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How instances are fetched."""

    executor: Executor
    """Threads that wait for the service; each retrieval uses some of them."""
    fetches: int
    """Instances that are fetched ahead."""
    folder: Path
    """Where large ones lie meanwhile."""
    decoder: FrameDecoder
    transcode_size_max_bytes: int


class UpstreamSupply:
    """A service, for C-MOVE and C-GET (`Supply`)."""

    def __init__(self, upstream: Upstream, settings: FetchSettings) -> None:
        self._upstream = upstream
        self._settings = settings

    def select(self, principal: Principal, selection: Selection, *, count_max: int) -> list[ListedInstance]:
        """Return the instances that are named; raises TooLarge, Forbidden, FinalStatus."""
        return list_instances(self._upstream, principal, selection, count_max=count_max)

    def begin(self, runtime: Runtime, outgoing: Sequence[Outgoing], *, accepted: Collection[ContextKey]) -> Flow:
        """Begin to fetch instances."""
        flow = _Fetching(self._upstream, self._settings, runtime.loop, outgoing, frozenset(accepted))
        flow.start()
        return flow


@dataclass(frozen=True, slots=True)
class _Job:
    """Instances of one series that are asked for together, or a single one."""

    outgoing: tuple[Outgoing, ...]


def _jobs(outgoing: Sequence[Outgoing]) -> Iterable[_Job]:
    """Return the instances as they are asked for, in their order."""
    series: dict[tuple[str, str], list[Outgoing]] = {}
    for one in outgoing:
        identifier = one.instance.identifier
        series.setdefault((identifier.study_instance_uid, identifier.series_instance_uid), []).append(one)
    for together in series.values():
        is_whole = all(isinstance(one.instance, ListedInstance) and one.instance.is_whole_series for one in together)
        if is_whole and len(together) >= SERIES_MIN:
            yield _Job(tuple(together))
        else:
            yield from (_Job((one,)) for one in together)


class _Fetching:
    """One retrieval's instances under way (`Flow`)."""

    def __init__(
        self,
        upstream: Upstream,
        settings: FetchSettings,
        loop: asyncio.AbstractEventLoop,
        outgoing: Sequence[Outgoing],
        accepted: frozenset[ContextKey],
    ) -> None:
        self._upstream = upstream
        self._settings = settings
        self._loop = loop
        self._accepted = accepted
        self._left = len(outgoing)
        """Still to be taken."""
        self._ready: asyncio.Queue[Opened | None] = asyncio.Queue()
        self._room = threading.Semaphore(settings.fetches)
        self._jobs = deque(_jobs(outgoing))
        self._under_way = 0
        """Series, of which instances may still turn out to be missing."""
        self._changed = threading.Condition()
        self._is_closed = False
        self._failure: IsocenterError | None = None
        """What every further instance would meet."""

    def start(self) -> None:
        """Begin to fetch."""
        if not self._left:
            self._ready.put_nowait(None)
        for _ in range(min(self._settings.fetches, self._left)):
            self._loop.run_in_executor(self._settings.executor, self._work)

    # ---- what the association takes

    async def take(self) -> Opened | None:
        """Return an instance that has come, or cannot; None behind the last."""
        opened = await self._ready.get()
        if opened is None:
            self._ready.put_nowait(None)  # for the others who take
            return None
        self._room.release()
        self._left -= 1
        if not self._left:
            self._ready.put_nowait(None)
        return opened

    async def close(self) -> None:
        """Fetch no more; what is on its way is dropped when it comes."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for _ in range(self._settings.fetches):
            self._room.release()

    # ---- threads

    def _work(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                if len(job.outgoing) == 1:
                    self._give(self._fetched(job.outgoing[0]))
                else:
                    self._stream(job)
        except Exception:  # outermost loop of the thread: what it had in hand counts as failed in the end
            if not self._is_over():
                _log.exception("translator.fetch_broken", upstream=self._upstream.name)
            with suppress(RuntimeError):  # the loop is closed: nobody takes any more
                self._loop.call_soon_threadsafe(self._ready.put_nowait, None)

    def _is_over(self) -> bool:
        return self._is_closed or self._upstream.stopping.is_set()

    def _next_job(self) -> _Job | None:
        with self._changed:
            while not self._is_over():
                if self._jobs:
                    job = self._jobs.popleft()
                    self._under_way += len(job.outgoing) > 1
                    return job
                if not self._under_way:
                    return None
                self._changed.wait(1.0)
        return None

    def _give(self, opened: Opened) -> None:
        self._room.acquire()
        if not self._is_over():
            self._loop.call_soon_threadsafe(self._ready.put_nowait, opened)

    def _stream(self, job: _Job) -> None:
        """Fetch a series in one answer; what of it did not come is left to single jobs."""
        waiting = {one.sop_instance_uid: one for one in job.outgoing}
        identifier = job.outgoing[0].instance.identifier
        scope = Scope(identifier.study_instance_uid, identifier.series_instance_uid)
        try:
            with closing(self._upstream.client.retrieve(scope)) as parts:
                for part in parts:
                    received = receive(self._spooled(part.chunks))
                    outgoing = waiting.pop(received.sop_instance_uid, None)
                    if outgoing is not None:
                        self._give(self._opened(outgoing, received))
                    if self._is_over() or not waiting:
                        break
        except IsocenterError as error:
            self._note(error)
            _log.warning("translator.series_interrupted", upstream=self._upstream.name, reason=error.message)
        finally:
            with self._changed:
                self._jobs.extendleft(_Job((one,)) for one in reversed(waiting.values()))
                self._under_way -= 1
                self._changed.notify_all()

    def _fetched(self, outgoing: Outgoing) -> Opened:
        """Return one instance, asked for some times while that may help."""
        try:
            if self._failure is not None:
                raise self._failure
            return self._opened(outgoing, self._retrieve(outgoing))
        except IsocenterError as error:
            self._note(error)
            return Opened(outgoing, error=error.without_frames())

    def _note(self, error: IsocenterError) -> None:
        """Remember a failure that every further instance would meet: the service does not let us in."""
        report = report_of(error)
        is_gone = isinstance(report, HttpAnswered) and report.status in (404, 410)
        if judge(report).verdict in SUSPENDING and not is_gone and error.__cause__ is not None:
            self._failure = error

    def _retrieve(self, outgoing: Outgoing) -> Received:
        identifier = outgoing.instance.identifier
        scope = Scope(identifier.study_instance_uid, identifier.series_instance_uid, identifier.sop_instance_uid)
        try:
            return self._ask(scope, outgoing.sop_instance_uid, "*")
        except NotAcceptable:  # some services give what they store only by name
            return self._ask(scope, outgoing.sop_instance_uid, EXPLICIT_VR_LITTLE_ENDIAN)

    def _ask(self, scope: Scope, sop_instance_uid: str, transfer_syntax: str) -> Received:
        def ask() -> Received:
            with closing(self._upstream.client.retrieve(scope, transfer_syntax=transfer_syntax)) as parts:
                for part in parts:
                    received = receive(self._spooled(part.chunks))
                    if received.sop_instance_uid == sop_instance_uid:
                        return received
            raise NotFound("The service did not send the instance that was asked for.")

        return self._upstream.patiently(ask, is_cancelled=self._is_over, again_after_timeout=True)

    def _spooled(self, chunks: Iterable[bytes | memoryview]) -> Spool:
        spool = Spool(self._settings.folder)
        for chunk in chunks:
            spool.write(chunk)
            if self._is_over():
                raise Unavailable("Nobody waits for it any more.")
        return spool

    # ---- one that has come

    def _opened(self, outgoing: Outgoing, received: Received) -> Opened:
        """Return an instance ready to be sent, in the syntax that it came in or one that the receiver takes."""
        try:
            sop_class_uid = outgoing.instance.sop_class_uid
            if (sop_class_uid, received.transfer_syntax_uid) not in self._accepted:
                targets = (target for target in TARGETS if (sop_class_uid, target) in self._accepted)
                received = receive(self._transcoded(received.spool, next(targets, None)))
            return _readable(replace(outgoing, transfer_syntax_uid=received.transfer_syntax_uid), received)
        except IsocenterError as error:
            return Opened(outgoing, error=error.without_frames())

    def _transcoded(self, spool: Spool, target: str | None) -> Spool:
        if target is None:
            raise NotAcceptable("The receiver takes neither its transfer syntax nor one that it can be turned into.")
        if spool.size_bytes > self._settings.transcode_size_max_bytes:
            raise TooLarge("It is too large to be turned into a transfer syntax that the receiver takes.")
        content = spool.content()
        scanned = scan_instance(content, wanted=PIXEL_TAGS)
        has_pixels = scanned.pixel_element is not None
        frames = PixelDescription.of_scanned(scanned).number_of_frames if has_pixels else None
        table = build_frame_table(content, scanned, number_of_frames=frames) if has_pixels else None
        decode = decoding_by(self._settings.decoder)
        return self._spooled(transcode_instance(content, scanned, table, target, decode=decode))


def _readable(outgoing: Outgoing, received: Received) -> Opened:
    if not received.spool.is_on_disk:
        return Opened(outgoing, received.dataset())
    content, offset = received.spool.content(), received.dataset_offset

    def open_again() -> Opened:
        first = bytes(content[offset : offset + READ_AHEAD_BYTES])
        rest = iter_pieces(content, offset + len(first))
        return Opened(outgoing, [first], rest, open_again=open_again)

    return open_again()
