"""Run the gateways of a node: a cache for each, what calls the archive behind it, and a listener where that moves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog
from starlette.types import ASGIApp

from isocenter.app.delivering import own_side
from isocenter.app.dicom import DicomNode, bind
from isocenter.app.eraser import Eraser
from isocenter.app.gateway.application import Gateways, gateway_application
from isocenter.app.gateway.fetch import Fetcher
from isocenter.app.gateway.pulling import Pulling
from isocenter.app.gateway.search import GatewaySearch
from isocenter.app.gateway.storing import Forwarding
from isocenter.app.gateway.upstream import Upstream
from isocenter.app.senders.converting import Converter
from isocenter.app.senders.dimse import DimseSender, OwnSide
from isocenter.app.senders.dimse_lane import PeerKnowledge
from isocenter.app.settings import Settings
from isocenter.app.wiring import open_archive
from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.archive.search import search
from isocenter.dicomweb.server.service import Service
from isocenter.dimse.scp.echo import echo_service
from isocenter.dimse.scp.listener import BACKLOG, Endpoint, Listener, ListenerLimits
from isocenter.dimse.scp.store import Storage
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.service import ServiceTable
from isocenter.dimse.shell.tls import client_context
from isocenter.domain.application_entity import AeService, RemoteAe
from isocenter.domain.errors import IsocenterError, NotFound
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Query
from isocenter.identity.application_entity import AeTable
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.destination import DimseTarget
from isocenter.routing.configuration.gateway import Gateway

_log = structlog.get_logger()

TIDY_INTERVAL_S = 60.0
"""How often a cache is looked through for what nobody asks for any more."""
TIDY_PAGE = 200
_STUDY_INSTANCE_UID = 0x0020000D


@dataclass(frozen=True, slots=True)
class GatewayAe:
    """One gateway with the archive behind it."""

    gateway: Gateway
    target: DimseTarget
    own: OwnSide
    """As whom it is called."""

    @property
    def remote(self) -> RemoteAe:
        """Return the archive's AE."""
        return self.target.remote


def _bound(gateway: Gateway) -> socket.socket | None:
    return None if gateway.listen is None else bind(gateway.listen)


class RunningGateways:
    """The gateways of a node, in its event loop (`http_server.Edge`)."""

    def __init__(self, caches: Sequence[tuple[GatewayAe, Archive]], dicom: DicomNode) -> None:
        """Prepare to serve; associations are opened as those of the node are."""
        self._caches = caches
        self._dicom = dicom
        self._service: Service | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._closing: list[Callable[[], None]] = []
        self._sockets = {each.gateway.name: bound for each, _ in caches if (bound := _bound(each.gateway)) is not None}
        self._applications: dict[str, ASGIApp] = {}
        """By name; filled when they start."""

    def application(self, service: Service) -> ASGIApp:
        """Return what serves them; `service` is that of the node, whose callers and threads they share."""
        self._service = service
        return Gateways(self._applications)

    def listen(self) -> None:
        """Let connections come in."""
        for bound in self._sockets.values():
            bound.listen(BACKLOG)

    async def start(self) -> None:
        """Begin to serve, in the running event loop."""
        runtime = self._dicom.runtime()
        assert self._service is not None
        for each, cache in self._caches:
            await self._start(each, cache, runtime, self._service)

    async def _start(self, each: GatewayAe, cache: Archive, runtime: Runtime, service: Service) -> None:
        gateway = each.gateway
        title = each.own.ae_title if gateway.listen is None else gateway.listen.ae_title
        tls = client_context(each.own.tls) if each.remote.uses_tls else None
        upstream = Upstream(Opener(runtime, self._dicom.register, title, tls=tls), each.remote)
        storage = Storage(cache, principal=LOCAL_OWNER)
        pulling = Pulling(
            upstream,
            storage,
            move_destination="" if gateway.listen is None else gateway.listen.ae_title,
            prefers_move=gateway.prefers_move,
        )
        monotonic_s = asyncio.get_running_loop().time
        fetcher = Fetcher(upstream, cache, pulling, monotonic_s)
        searching = GatewaySearch(upstream, monotonic_s=monotonic_s)
        self._applications[gateway.name] = gateway_application(
            gateway.name, service, searching=searching, fetcher=fetcher, forwarding=self._forwarding(each, fetcher)
        )
        if gateway.listen is not None:
            await self._take_moves(each, storage, runtime, gateway.listen.ae_title)
        self._tasks.append(asyncio.get_running_loop().create_task(_tidy(fetcher, gateway.keep_s)))
        _log.info("gateway.started", gateway=gateway.name, upstream=str(each.remote.address))

    def _forwarding(self, each: GatewayAe, fetcher: Fetcher) -> Forwarding:
        converter = Converter(fetcher.cache.decoder)
        sender = DimseSender(each.target, each.own, converter, PeerKnowledge())
        executor = ThreadPoolExecutor(1, f"gateway-{each.gateway.name}")
        self._closing.append(partial(_close, sender, executor))
        return Forwarding(fetcher.cache, sender, fetcher.forget, executor)

    async def _take_moves(self, each: GatewayAe, storage: Storage, runtime: Runtime, ae_title: str) -> None:
        """Let the archive behind, and nobody else, store into the cache."""
        may_store = replace(each.remote, services=frozenset({AeService.STORE, AeService.ECHO}))
        table = AeTable(ae_title=ae_title, remotes=(may_store,), accepts_unknown_callers=False)
        services = ServiceTable([echo_service()], other=storage.find)
        listener = Listener(runtime, self._dicom.register, table, services, limits=ListenerLimits())
        await listener.start([Endpoint(self._sockets[each.gateway.name])])
        self._listeners.append(listener)

    async def stop(self) -> None:
        """End in peace."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(listener.stop() for listener in self._listeners))
        await asyncio.gather(*(asyncio.to_thread(close) for close in self._closing))


def _close(sender: DimseSender, executor: ThreadPoolExecutor) -> None:
    executor.submit(sender.close).result()
    executor.shutdown()


async def _tidy(fetcher: Fetcher, keep_s: float) -> None:
    """Delete again and again what nobody asks for any more."""
    while True:
        await asyncio.sleep(min(TIDY_INTERVAL_S, keep_s))
        try:
            gone = await fetcher.forget_unused(keep_s)
        except IsocenterError as error:
            _log.error("gateway.tidy_failed", reason=error.message)
            continue
        if gone:
            _log.info("gateway.tidied", studies=gone)


@contextmanager
def open_gateways(configuration: Configuration, settings: Settings, dicom: DicomNode) -> Iterator[RunningGateways]:
    """Open a cache for each gateway below the data folder, emptied of what an earlier run had fetched.

    Raises Unavailable where a port is taken, and the errors of opening an archive.
    """
    with ExitStack() as stack:
        caches = []
        for gateway in configuration.gateways:
            cache = stack.enter_context(open_archive(_cache_settings(settings, gateway.name)))
            _empty(cache)
            stack.enter_context(Eraser(cache))
            caches.append((_ae_of(configuration, gateway, settings), cache))
        yield RunningGateways(caches, dicom)


def _ae_of(configuration: Configuration, gateway: Gateway, settings: Settings) -> GatewayAe:
    destination = configuration.destination(gateway.upstream)
    assert destination is not None
    assert isinstance(destination.target, DimseTarget)
    return GatewayAe(gateway, destination.target, own_side(settings.dicom))


def _cache_settings(settings: Settings, name: str) -> Settings:
    folder = settings.data_dir / "gateways" / name
    storage = replace(settings.storage, packs_dir=folder / "packs", index_dir=folder / "index")
    archive = replace(settings.archive, duplicate_policy="replace")
    return replace(settings, storage=storage, archive=archive)


def _empty(cache: Archive) -> None:
    while rows := search(cache, LOCAL_OWNER, Query(Level.STUDY, limit=TIDY_PAGE)):
        for row in rows:
            with suppress(NotFound):
                delete(cache, LOCAL_OWNER, Scope(row.attributes[_STUDY_INSTANCE_UID]))
