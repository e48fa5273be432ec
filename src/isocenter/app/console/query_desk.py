"""Talk to other archives for the people at the console (`web.pages.query_exchange.Exchange`).

Associations live in the node's event loop and stand in its register; DICOMweb runs in threads of its own, so that an
archive that does not answer takes nothing from anybody else.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from isocenter.app.console.query_dimse import Course, DimseAsking
from isocenter.app.console.query_ending import conclude
from isocenter.app.console.query_jobs import Job, Jobs
from isocenter.app.console.query_kept import Kept
from isocenter.app.console.query_peers import DimsePeer, Peer, Peers, WebPeer
from isocenter.app.console.query_web import WADO, OpenClients, WebAsking, WebFetch
from isocenter.app.dicom import DicomNode, tls_settings
from isocenter.app.secrets_by_name import SecretsByName
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.archive.search import search as search_archive
from isocenter.dimse.scp.store import Storage
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.tls import client_context
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.attributes import (
    BY_KEYWORD,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
)
from isocenter.domain.errors import Conflict, IsocenterError, Overloaded
from isocenter.domain.identifiers import Level
from isocenter.domain.principal import Principal
from isocenter.domain.query import OneOf, Query, SearchRow
from isocenter.routing.configuration.channel import Configuration
from isocenter.web.pages.query_exchange import (
    ENDED,
    Found,
    Order,
    PeerFailed,
    PeerRow,
    Retrieval,
    RetrievalState,
)
from isocenter.web.pages.query_filter import FOUND_MAX, QueryFilter

_log = structlog.get_logger()
T = TypeVar("T")

CALLING_AE_TITLE = "ISOCENTER"
"""Of a node that does not listen."""
RUNNING_MAX = 2
"""Retrievals at a time: archives of hospitals serve a handful of callers well, and people are not the only ones."""
ASKED_MAX = 8
"""Searches and echoes at a time; each may hold an association or a thread until its archive answers."""
ANSWER_TIMEOUT_S = 45.0
"""Of a search or an echo; people wait no longer, and proxies give up after a minute."""
CANCEL_TIMEOUT_S = 10.0
"""For an archive to end a retrieval when it is asked to; after that the association is aborted."""
WADO_TIMEOUT_S = 120.0
"""Without a byte of a service that sends a study."""
KEPT_SEARCHES_MAX = 20
KEPT_SERIES_MAX = 200
"""Answers that are shown again while what is here changes around them; some hundred rows each."""
KEPT_S = 600.0
"""How long a search is shown again; after that a person asks anew."""
HERE_MAX = 1_000_000
"""Series and studies that are looked up at once, beyond any page."""


class QueryDesk:
    """Searches and retrievals for people; an edge of the node, so that they end before it does."""

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        dicom: DicomNode,
        configuration: Callable[[], Configuration],
        *,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._archive = archive
        self._settings = settings
        self._dicom = dicom
        self._peers = Peers(settings.dicom, configuration)
        self._jobs = Jobs()
        self._changes = 0
        self._asking = 0
        self._answer_timeout_s = answer_timeout_s
        self._under_way: dict[asyncio.Future[Any], Callable[[], object]] = {}
        """What is asked, and how it is given up."""
        self._found: Kept[tuple[str, QueryFilter], Found] = Kept(KEPT_SEARCHES_MAX)
        self._series: Kept[tuple[str, str], Sequence[SearchRow]] = Kept(KEPT_SERIES_MAX)
        self._runtime: Runtime | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._clients = OpenClients()
        self._turns = asyncio.Semaphore(RUNNING_MAX)

    # ---- an edge of the node

    def listen(self) -> None:
        """Need no port."""

    async def start(self) -> None:
        """Be ready to be asked."""
        self._runtime = self._dicom.runtime()
        self._threads = ThreadPoolExecutor(ASKED_MAX + RUNNING_MAX, "query")

    async def stop(self) -> None:
        """End what is under way."""
        tasks = [job.task for job in self._jobs if job.task is not None and not job.task.done()]
        for job in self._jobs:
            job.ask_to_end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(job.ending for job in self._jobs if job.ending is not None), return_exceptions=True)
        self._clients.interrupt()
        for give_up in list(self._under_way.values()):
            give_up()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def is_offered(self) -> bool:
        """Tell whether the node has anything to do with other archives."""
        has_listener = self._settings.dicom.listen is not None or self._settings.dicom.tls_listen is not None
        return has_listener or self._settings.routing.configuration is not None or bool(self._peers.all())

    def mark(self) -> int:
        """Return what changes when a retrieval changes."""
        return self._changes

    # ---- what archives tell

    def peers(self) -> Sequence[PeerRow]:
        """Return all that can be asked."""
        return [peer.row for peer in self._peers.all()]

    def kept(self, principal: Principal, state: QueryFilter) -> Found | None:
        """Return what an archive answered lately, None where that is not kept."""
        found = self._found.get(_key(principal, state))
        return None if found is None or self._now() - found.asked_at > KEPT_S else found

    async def search(self, principal: Principal, state: QueryFilter) -> Found:
        """Return the studies that match."""
        peer = self._peers.find(state.peer)
        began = time.perf_counter()
        rows = await self._ask(
            peer,
            lambda one: one.studies(state.keys(), limit=FOUND_MAX + 1),
            lambda one: one.studies(state.query(), limit=FOUND_MAX + 1),
        )
        found = Found(rows[:FOUND_MAX], len(rows) > FOUND_MAX, self._now(), time.perf_counter() - began)
        self._found.put(_key(principal, state), found)
        self._series.forget(lambda key: key[0] == state.peer)
        return found

    async def series(self, principal: Principal, peer: str, study_instance_uid: str) -> Sequence[SearchRow]:
        """Return the series of a study, as they were told since the last search."""
        key = (peer, study_instance_uid)
        rows = self._series.get(key)
        if rows is None:
            rows = await self._ask(
                self._peers.find(peer),
                lambda one: one.series(study_instance_uid),
                lambda one: one.series(study_instance_uid),
            )
            self._series.put(key, rows)
        return rows

    async def echo(self, peer: str) -> str:
        """Return in a sentence what an archive answered."""
        return await self._ask(self._peers.find(peer), lambda one: one.echo(), lambda one: one.echo())

    async def _ask(
        self, peer: Peer, by_dimse: Callable[[DimseAsking], Awaitable[T]], by_web: Callable[[WebAsking], T]
    ) -> T:
        """Ask an archive, within bounds of number and time; one that is given up counts until its thread has ended."""
        if self._asking >= ASKED_MAX:
            raise Overloaded(f"{self._asking} searches wait for their archives already; try again in a moment.")
        if isinstance(peer, DimsePeer):
            asked = asyncio.ensure_future(by_dimse(self._dimse(peer)))
            give_up: Callable[[], object] = asked.cancel
        else:
            clients = OpenClients()
            asking = self._web(peer, clients, timeout_s=ANSWER_TIMEOUT_S)
            asked = asyncio.ensure_future(self._in_thread(partial(by_web, asking)))
            give_up = clients.interrupt
        self._asking += 1
        self._under_way[asked] = give_up
        asked.add_done_callback(self._has_ended)
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await asyncio.shield(asked)
        except TimeoutError as error:
            message = f"{peer.row.name} did not answer within {self._answer_timeout_s:.0f} s."
            raise PeerFailed(message, remedy="Narrow the search, or see whether the archive is busy.") from error
        finally:
            if not asked.done():
                give_up()

    def _has_ended(self, asked: asyncio.Future[Any]) -> None:
        self._asking -= 1
        del self._under_way[asked]
        if not asked.cancelled():
            asked.exception()  # who asked may have gone: nobody else is told

    # ---- what is here

    def studies_here(self, principal: Principal, study_instance_uids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Return how many series and instances of studies are stored here."""
        if not study_instance_uids:
            return {}
        uids = OneOf(BY_KEYWORD["StudyInstanceUID"].tag, tuple(study_instance_uids))
        rows = search_archive(self._archive, principal, Query(Level.STUDY, (uids,), limit=len(study_instance_uids)))
        return {
            _value(row, BY_KEYWORD["StudyInstanceUID"].tag): (
                _number(row, NUMBER_OF_STUDY_RELATED_SERIES),
                _number(row, NUMBER_OF_STUDY_RELATED_INSTANCES),
            )
            for row in rows
        }

    def series_here(self, principal: Principal, study_instance_uid: str) -> Mapping[str, int]:
        """Return how many instances of each series of a study are stored here."""
        query = Query(Level.SERIES, study_instance_uid=study_instance_uid, limit=HERE_MAX)
        rows = search_archive(self._archive, principal, query)
        uid, count = BY_KEYWORD["SeriesInstanceUID"].tag, NUMBER_OF_SERIES_RELATED_INSTANCES
        return {_value(row, uid): _number(row, count) for row in rows}

    # ---- retrievals

    async def retrieve(self, principal: Principal, order: Order) -> Retrieval:
        """Begin to retrieve."""
        job = Job(
            self._jobs.next_number(),
            self._peers.find(order.peer),
            order.scope,
            order.label,
            principal,
            self._now(),
            order.expected,
        )
        self._jobs.add(job)
        job.task = asyncio.create_task(self._run(job))
        self._changes += 1
        return job.shown(self._now())

    async def cancel(self, number: int) -> Retrieval:
        """Have a retrieval end."""
        job = self._jobs.find(number)
        if job.state in ENDED or job.task is None:
            raise Conflict("This retrieval has ended already.")
        job.is_cancelled = True
        job.ask_to_end()
        if job.state is RetrievalState.WAITING:
            job.task.cancel()
        else:
            job.abort = asyncio.get_running_loop().call_later(CANCEL_TIMEOUT_S, job.task.cancel)
        self._changes += 1
        return job.shown(self._now())

    async def retrievals(self) -> Sequence[Retrieval]:
        """Return all that are known, the latest first."""
        now = self._now()
        return [job.shown(now) for job in self._jobs]

    async def retrieval(self, number: int) -> Retrieval:
        """Return one."""
        return self._jobs.find(number).shown(self._now())

    async def _run(self, job: Job) -> None:
        try:
            async with self._turns:
                job.state, job.began_at = RetrievalState.RUNNING, self._now()
                self._changes += 1
                await (self._run_dimse(job) if isinstance(job.peer, DimsePeer) else self._run_web(job))
        except asyncio.CancelledError:
            await self._end(job)
            if not job.is_cancelled:
                raise
        except IsocenterError as error:
            await self._end(job, error=error)
        except Exception:  # the outermost loop of a retrieval: the others go on
            _log.exception("console.retrieval_broken", retrieval=job.number)
            await self._end(job, told="an error of this node, which its log has")

    async def _run_dimse(self, job: Job) -> None:
        assert isinstance(job.peer, DimsePeer)
        course = Course(
            on_listed=self._noting(job.note_listed),
            on_way=self._noting(partial(setattr, job, "way")),
            on_begin=partial(setattr, job, "ask_to_end"),
            on_progress=self._noting(job.note_progress),
        )
        own = self._settings.dicom.listen or self._settings.dicom.tls_listen
        storage = Storage(self._archive, principal=job.principal)
        asking = self._dimse(job.peer)
        retrieved = await asking.retrieve(job.scope, course, move_to=own.ae_title if own else "", storage=storage)
        job.note_progress(retrieved.progress)
        reasons = dict.fromkeys(retrieved.failed_sop_instance_uids, "the archive could not send it")
        await self._end(job, told=retrieved.told, reasons=reasons)

    async def _run_web(self, job: Job) -> None:
        assert not isinstance(job.peer, DimsePeer)
        fetch, loop = WebFetch(), asyncio.get_running_loop()
        job.way, job.ask_to_end = WADO, fetch.stop

        def note() -> None:
            if fetch.listed and not job.listed:
                job.note_listed(fetch.listed)
            job.completed, job.failed = fetch.stored, fetch.failed
            self._changes += 1

        asking = self._web(job.peer, self._clients, timeout_s=WADO_TIMEOUT_S)
        work = partial(
            asking.fetch,
            job.scope,
            fetch,
            archive=self._archive,
            principal=job.principal,
            on_stored=lambda: _then(loop, note),
        )
        try:
            await self._in_thread(work)
        finally:
            fetch.stop()
            note()
        await self._end(job, told=f"{fetch.failed} that cannot be kept here: {fetch.reason}" if fetch.failed else "")

    def _noting(self, note: Callable[..., None]) -> Callable[..., None]:
        def call(*values: object) -> None:
            note(*values)
            self._changes += 1

        return call

    async def _end(
        self,
        job: Job,
        *,
        told: str = "",
        reasons: Mapping[str, str] | None = None,
        error: IsocenterError | None = None,
    ) -> None:
        """Write how a retrieval ended, once, whoever cancels it meanwhile: none is to be shown as running for good."""
        if job.abort is not None:
            job.abort.cancel()
        if job.ending is None:
            job.ending = asyncio.create_task(self._conclude(job, told=told, reasons=reasons, error=error))
        await asyncio.shield(job.ending)

    async def _conclude(
        self, job: Job, *, told: str, reasons: Mapping[str, str] | None, error: IsocenterError | None
    ) -> None:
        here: frozenset[str] = frozenset()
        with suppress(IsocenterError):
            rows = await asyncio.to_thread(self._archive.index.instances, job.scope)
            here = frozenset(row.identifier.sop_instance_uid for row in rows)
        conclude(job, here=here, told=told, reasons=reasons, error=error)
        job.ended_at, job.ask_to_end = self._now(), lambda: None
        self._changes += 1
        study, state = job.scope.study_instance_uid, job.state.value
        _log.info("console.retrieved", peer=job.peer.row.name, study_instance_uid=study, state=state, here=job.here)

    # ---- means

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        assert self._threads is not None
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _dimse(self, peer: DimsePeer) -> DimseAsking:
        assert self._runtime is not None
        own = self._settings.dicom.listen or self._settings.dicom.tls_listen
        title = CALLING_AE_TITLE if own is None else own.ae_title
        opener = Opener(self._runtime, self._dicom.register, title, tls=self._tls(peer.remote))
        return DimseAsking(peer, opener)

    def _tls(self, remote: RemoteAe) -> ssl.SSLContext | None:
        return client_context(tls_settings(self._settings.dicom)) if remote.uses_tls else None

    def _web(self, peer: WebPeer, clients: OpenClients, *, timeout_s: float) -> WebAsking:
        secrets = SecretsByName(self._settings.data_dir, os.environ)
        return WebAsking(peer, secrets.read, timeout_s, clients)


def _then(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Have something called on the event loop, from a thread; nobody waits for it where that is closed."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


def _key(principal: Principal, state: QueryFilter) -> tuple[str, QueryFilter]:
    return principal.object_id or principal.name, replace(state, page=1)


def _value(row: SearchRow, tag: int) -> str:
    return row.attributes.get(tag, "")


def _number(row: SearchRow, tag: int) -> int:
    text = row.attributes.get(tag, "")
    return int(text) if text.isascii() and text.isdigit() else 0
