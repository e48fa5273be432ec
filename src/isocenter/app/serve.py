"""Run a node: one process, one event loop, the web server inside it.

run ──▶ open the archive (repair) ──▶ eraser thread ──▶ uvicorn ──▶ SIGTERM ──▶ requests end ──▶ intake ends ──▶ closed
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from isocenter.app.allocator import exempt_from_collection, keep_freed_memory
from isocenter.app.audit_log import AuditLog
from isocenter.app.channels.dimse_source import Associations
from isocenter.app.channels.stow_source import FIRST_SEGMENT as CHANNELS_SEGMENT
from isocenter.app.channels.stow_source import ChannelStores
from isocenter.app.completing.opening import watching_studies
from isocenter.app.console.opening import ConsoleNeeds, console_routes, live_topics
from isocenter.app.console.query_desk import QueryDesk
from isocenter.app.console.send_jobs import SendJobs
from isocenter.app.console.system import open_system_desk
from isocenter.app.dicom import DicomNode, bound_endpoints
from isocenter.app.edge_guard import guarded
from isocenter.app.eraser import Eraser
from isocenter.app.gateway.application import FIRST_SEGMENT
from isocenter.app.gateway.running import open_gateways
from isocenter.app.health import health_routes
from isocenter.app.http_listeners import bound_listeners
from isocenter.app.http_server import Edge, serve_http
from isocenter.app.http_tls import HttpTls
from isocenter.app.logging_setup import set_up_logging
from isocenter.app.long_work import running_long_work
from isocenter.app.node_address import noting_addresses
from isocenter.app.node_identity import KeyFetcher, open_identity, open_to_anybody
from isocenter.app.node_parts import ALONE, Parts, Threads
from isocenter.app.prefetching.opening import open_prefetching
from isocenter.app.routing_file import load_routing
from isocenter.app.routing_running import running_routing
from isocenter.app.settings import Settings
from isocenter.app.translating.running import TranslatorNeeds
from isocenter.app.wiring import SystemClock, azure_options, open_archive
from isocenter.archive.archive import Archive
from isocenter.archive.delete import oldest_erasure_age_s
from isocenter.archive.partition import require_switch
from isocenter.dicomweb.server.counts import TransactionCounts
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import ROOTS
from isocenter.dicomweb.server.service import Service
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.audit import AuditRecord
from isocenter.domain.principal import DataAction, Principal
from isocenter.web.api.associations import association_routes
from isocenter.web.api.completeness import completeness_routes
from isocenter.web.api.metrics import Observed, metrics_routes
from isocenter.web.api.prefetch import prefetch_routes
from isocenter.web.api.router import router_routes
from isocenter.web.api.router_metrics import RouterObserved
from isocenter.web.api.worklist import worklist_routes
from isocenter.web.console.live import LiveTopics
from isocenter.web.console_page import Templates
from isocenter.web.light.asked import Light
from isocenter.web.light.routes import light_routes
from isocenter.web.pages.api_reference import api_reference_routes
from isocenter.web.viewer import viewer_routes
from isocenter.web.viewer_assets import open_viewer_archive
from isocenter.web.viewer_page import ViewerSettings

if sys.platform != "win32":
    import resource

_log = structlog.get_logger()

READER_THREADS = 8
"""Reads wait for the disk or run code that frees the interpreter; more threads than this only take turns."""
PICTURE_THREADS = 8
"""The same for what decodes frames; while hostile ones hold some of them, searches, stores and stored bytes go on."""
DICOM_THREADS = 8
"""The same for associations: instances on their way to disk and from it."""
OPEN_FILES_MAX = 65_536
"""Far above what connections and packs need; more would only cost a table."""


class _Node:
    """The node's web application: DICOMweb below its roots, pages and health everywhere else.

    DICOMweb is looked at first and without a framework's layers, which cost as much as a small answer.
    """

    def __init__(self, services: Mapping[str, ASGIApp], pages: ASGIApp, prepare: KeyFetcher | None) -> None:
        self._services = services
        self._pages = pages
        self._prepare = prepare

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        path: str = scope.get("path", "")
        application = self._services.get("/" + path[1:].split("/", 1)[0].lower(), self._pages)
        if self._prepare is not None:
            await self._prepare(scope)
        await application(scope, receive, send)


def build_application(
    archive: Archive,
    settings: Settings,
    threads: Threads,
    *,
    register: AssociationRegister,
    parts: Parts = ALONE,
) -> ASGIApp:
    """Return the node's web application over an open archive."""
    identity = parts.identity or open_to_anybody(settings)
    audit, long_work = parts.audit, parts.long_work
    service = Service(
        archive=archive,
        executor=threads.readers,
        authenticate=identity.admit_call,
        picture_executor=threads.pictures,
        challenge=identity.challenge,
        audit=audit,
        azure=azure_options(settings),
        has_partitions=settings.azure.partitions == "on",
        operations=long_work.desk if long_work else None,
        exporter=long_work.exporter if long_work else None,
        updater=long_work.updater if long_work else None,
        query_tags=long_work.query_tags if long_work else None,
    )
    require_switch(archive, is_on=service.has_partitions)
    if parts.system is not None:
        parts.system.figures.count_requests(service.counts)
    viewer = ViewerSettings(
        login_path=identity.login_path,
        shows_investigational_use_notice=settings.viewer.investigational_use_dialog == "always",
    )

    def admit_reader(headers: Mapping[str, str]) -> Principal:
        principal = identity.admit_call(headers)
        principal.require(DataAction.READ)
        return principal

    routes: list[BaseRoute] = [
        *health_routes(archive),
        *viewer_routes(open_viewer_archive(), viewer, authenticate=identity.admit_page),
        *light_routes(Light(service, Templates(), identity.admit_page, identity.login_path)),
        *api_reference_routes(service),
        *console_routes(ConsoleNeeds(archive, settings, identity, register, threads, parts)),
        *association_routes(register, authenticate=admit_reader),
        *metrics_routes(_observed(archive, register, service.counts, parts), authenticate=admit_reader),
        *identity.routes,
    ]
    if parts.routing is not None:
        desk, executor = parts.routing.desk, threads.readers
        routes += router_routes(desk, authenticate=identity.admit_call, executor=executor, audit=audit)
    if parts.completeness is not None:
        routes += completeness_routes(parts.completeness, authenticate=identity.admit_call)
    if parts.worklist_overview is not None:
        routes += worklist_routes(parts.worklist_overview, authenticate=admit_reader)
    if parts.prefetch is not None:
        routes += prefetch_routes(parts.prefetch, authenticate=identity.admit_call)
    services: dict[str, ASGIApp] = {root: DicomwebApplication(service, root_path=root) for root in ROOTS}
    if parts.gateways is not None:
        services[FIRST_SEGMENT] = parts.gateways.application(service)
    if parts.routing is not None:
        services[CHANNELS_SEGMENT] = ChannelStores(parts.routing.router, service)
    return _Node(services, Starlette(routes=routes), identity.prepare)


def _observed(archive: Archive, register: AssociationRegister, counts: TransactionCounts, parts: Parts) -> Observed:
    """Return those who know what is counted."""
    erasure_age_s, long_work = partial(oldest_erasure_age_s, archive), parts.long_work
    router = RouterObserved(parts.routing.desk if parts.routing is not None else None)
    if long_work is None:
        return Observed(register, transactions=counts, router=router, erasure_age_s=erasure_age_s)
    return Observed(
        register,
        imports=long_work.imports,
        events=long_work.events,
        transactions=counts,
        exports=long_work.exported,
        updates=long_work.updater.counts,
        fhir=long_work.fhir,
        router=router,
        erasure_age_s=erasure_age_s,
    )


def run(settings: Settings) -> None:
    """Run a node until SIGTERM or SIGINT.

    Raises InvalidRequest where it would listen beyond this machine without authentication or in the clear, Unavailable
    where a port is taken, and the errors of opening the archive.
    """
    set_up_logging(settings.log.level, settings.log.format)
    _allow_open_files()
    keep_freed_memory()
    configuration = load_routing(settings)
    with bound_listeners(settings) as listeners, bound_endpoints(settings.dicom) as endpoints:
        tls = HttpTls(settings) if settings.http.tls_listen is not None else None
        with (
            open_archive(settings) as archive,
            open_identity(settings) as identity,
            _audit_log(settings) as audit,
            running_long_work(archive, settings, audit=audit) as long_work,
            ThreadPoolExecutor(READER_THREADS, "reader") as executor,
            ThreadPoolExecutor(PICTURE_THREADS, "picture") as picture_executor,
            ThreadPoolExecutor(DICOM_THREADS, "dicom") as dicom_executor,
            ExitStack() as stack,
        ):
            dicom = DicomNode(
                archive,
                settings,
                endpoints,
                executor=dicom_executor,
                picture_executor=picture_executor,
                users=identity.users,
            )
            gateways = stack.enter_context(open_gateways(configuration, settings, dicom))
            associations = Associations(
                *(archive, settings.dicom, dicom.register, identity.users, dicom.runtime),
                further=dicom.worklist.services_of_channels,
                claim_title=dicom.claim_title,
            )
            needs = TranslatorNeeds(archive, settings, dicom, identity.users)
            dicom.titles_of_others = configuration.titles - dicom.titles
            routing = stack.enter_context(running_routing(archive, settings, associations, needs, audit=audit))
            prefetch = stack.enter_context(open_prefetching(archive, settings, configuration, dicom, audit=audit))
            query = QueryDesk(
                archive,
                settings,
                dicom,
                lambda: configuration if routing is None else routing.desk.current.configuration,
            )
            system = open_system_desk(archive, settings, dicom.register, routing)
            topics = live_topics(archive, dicom.register, routing)
            sends = stack.enter_context(SendJobs(archive, settings, None if routing is None else routing.desk))
            live = LiveTopics({**topics, **system.marks(), "retrievals": query.mark, "sends": sends.mark})
            application = build_application(
                archive,
                settings,
                Threads(executor, picture_executor),
                register=dicom.register,
                parts=Parts(
                    *(identity, prefetch.audit, long_work, gateways, routing),
                    prefetch=prefetch.table,
                    worklist_overview=dicom.worklist_overview,
                    live=live,
                    sends=sends,
                    query=query,
                    system=system,
                    completeness=stack.enter_context(
                        watching_studies(archive, settings, notify=None if routing is None else routing.notify_all)
                    ),
                ),
            )
            application = guarded(application, settings.http, has_own_certificate=tls is None or tls.is_own)
            exempt_from_collection()
            with Eraser(archive), noting_addresses(settings.data_dir, [listener.url for listener in listeners]):
                edges: list[Edge] = [
                    dicom,
                    live,
                    query,
                    system.figures,
                    gateways,
                    *([] if routing is None else [routing.router]),
                    *prefetch.edges,
                ]
                serve_http(application, listeners, edges, tls=tls, data_dir=settings.data_dir)


@contextmanager
def _audit_log(settings: Settings) -> Iterator[Callable[[AuditRecord], None] | None]:
    """Keep an audit log for the length of a block, where the settings want one."""
    if not settings.keeps_audit_log:
        yield None
        return
    with closing(AuditLog(settings.audit.dir, keep_s=settings.audit.keep_s, now=SystemClock().now)) as log:
        yield log.write


def _allow_open_files() -> None:
    """Take what the system grants: each connection is an open file, and each large instance on its way another."""
    if sys.platform != "win32":
        granted, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES_MAX if highest == resource.RLIM_INFINITY else min(highest, OPEN_FILES_MAX)
        if granted != resource.RLIM_INFINITY and granted < wanted:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, highest))
