"""Join prefetching to a node: sources from the configuration, an edge that serves beside the web server."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial

import structlog

from isocenter.app.completing.opening import tracks
from isocenter.app.dicom import DicomNode, tls_settings
from isocenter.app.machine_zone import MachineZone
from isocenter.app.mllp import MllpListener
from isocenter.app.prefetching.desk import PrefetchDesk
from isocenter.app.prefetching.dimse_source import DimseSource
from isocenter.app.prefetching.opened import OpenedStudies
from isocenter.app.prefetching.serving import Prefetching
from isocenter.app.prefetching.source import Source
from isocenter.app.prefetching.table import RunningTable
from isocenter.app.prefetching.web_source import WebSource
from isocenter.app.secrets_by_name import SecretsByName
from isocenter.app.settings import Settings
from isocenter.app.web_target import open_web_client
from isocenter.archive.archive import Archive
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.tls import client_context
from isocenter.domain.audit import AuditRecord
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.destination import Destination, DimseTarget, WebTarget
from isocenter.routing.prefetch.rule import FetchBy

_log = structlog.get_logger()

CALLING_AE_TITLE = "ISOCENTER"
"""Of a node that does not listen."""


class SourceFactory:
    """Makes the sources that a configuration names."""

    def __init__(
        self,
        archive: Archive | None,
        settings: Settings,
        configuration: Configuration,
        register: AssociationRegister,
    ) -> None:
        """Without an archive they can be searched only."""
        self._archive = archive
        self._settings = settings
        self._configuration = configuration
        self._register = register
        self._stop = threading.Event()

    def close(self) -> None:
        """Let what is being fetched end soon; associations end with the task that uses them."""
        self._stop.set()

    @property
    def own_ae_title(self) -> str:
        """Return where series can be moved to; empty where the node does not listen."""
        own = self._settings.dicom.listen or self._settings.dicom.tls_listen
        return "" if own is None else own.ae_title

    def sources_of(self, rule_name: str, runtime: Runtime) -> list[Source]:
        """Return the sources of a rule, in its order."""
        rule = next(one for one in self._configuration.prefetch if one.name == rule_name)
        found = (self._configuration.destination(name) for name in rule.sources)
        return [self._source(one, rule.fetch_by, runtime) for one in found if one is not None]

    def _source(self, destination: Destination, fetch_by: FetchBy, runtime: Runtime) -> Source:
        target = destination.target
        if isinstance(target, WebTarget):
            secrets = SecretsByName(self._settings.data_dir, os.environ)
            return WebSource(
                destination.name,
                open_client=lambda: open_web_client(target, secrets.read),
                archive=self._archive,
                runtime=runtime,
                stop=self._stop,
            )
        assert isinstance(target, DimseTarget)  # the configuration was checked
        opener = Opener(runtime, self._register, self.own_ae_title or CALLING_AE_TITLE, tls=self._tls(target))
        moves_to = self.own_ae_title if fetch_by is FetchBy.MOVE else ""
        return DimseSource(destination.name, target.remote, opener, self._archive, own_ae_title=moves_to)

    def _tls(self, target: DimseTarget) -> ssl.SSLContext | None:
        return client_context(tls_settings(self._settings.dicom)) if target.remote.uses_tls else None


class PrefetchEdge:
    """Prefetching and the listener for HL7, beside the web server (`http_server.Edge`)."""

    def __init__(
        self,
        prefetching: Prefetching,
        factory: SourceFactory,
        make_runtime: Callable[[], Runtime],
        mllp: MllpListener | None,
    ) -> None:
        self._prefetching = prefetching
        self._factory = factory
        self._make_runtime = make_runtime
        self._mllp = mllp
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Let messages come in; they wait until `start`."""
        if self._mllp is not None:
            self._mllp.listen()

    async def start(self) -> None:
        """Begin to take messages, to follow, to fetch."""
        runtime = self._make_runtime()
        self._task = asyncio.create_task(self._prefetching.run(partial(self._factory.sources_of, runtime=runtime)))
        if self._mllp is not None:
            await self._mllp.start()

    async def stop(self) -> None:
        """End it; what is not done goes on at the next start."""
        if self._mllp is not None:
            await self._mllp.stop()
        self._factory.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


@dataclass(frozen=True, slots=True)
class RunningPrefetch:
    """What a node runs and shows of prefetching; nothing where nobody wants it."""

    audit: Callable[[AuditRecord], None] | None
    """Takes the trail of requests, and tells from it what is opened."""
    edges: tuple[PrefetchEdge, ...] = ()
    table: RunningTable | None = None


@contextmanager
def open_prefetching(
    archive: Archive,
    settings: Settings,
    configuration: Configuration,
    dicom: DicomNode,
    *,
    audit: Callable[[AuditRecord], None] | None,
) -> Iterator[RunningPrefetch]:
    """Make prefetching ready, where a rule or the listener wants it. Raises Unavailable where a port is taken."""
    if not configuration.prefetch and settings.mllp.listen is None:
        yield RunningPrefetch(audit)
        return
    zone = MachineZone()
    desk = PrefetchDesk(archive.prefetches, configuration.prefetch, archive.clock)
    mllp = None
    if settings.mllp.listen is not None:
        mllp = MllpListener(settings.mllp.listen, settings.mllp.senders, desk, local=zone, now=archive.clock.now)
        if not configuration.prefetch:
            _log.warning("mllp.no_rules", hint="No rule for prefetching is configured: messages trigger nothing.")
    counts = mllp.counts if mllp is not None else None
    table = RunningTable(archive.prefetches, desk, lambda: {} if counts is None else asdict(counts))
    opened = OpenedStudies(audit)
    prefetching = Prefetching(archive, desk, opened, local=zone, tells_counts=tracks(settings))
    factory = SourceFactory(archive, settings, configuration, dicom.register)
    edge = PrefetchEdge(prefetching, factory, dicom.runtime, mllp)
    yield RunningPrefetch(opened.write, (edge,), table)
