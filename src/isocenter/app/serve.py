"""Run a node: one process, one event loop, the web server inside it.

run ──▶ open the archive (repair) ──▶ eraser thread ──▶ uvicorn ──▶ SIGTERM ──▶ requests end ──▶ intake ends ──▶ closed
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from isocenter import __version__
from isocenter.app.allocator import keep_freed_memory
from isocenter.app.dicom import DicomNode, bound_endpoints
from isocenter.app.http_protocol import BoundedProtocol, bound_sending
from isocenter.app.logging_setup import set_up_logging
from isocenter.app.settings import Settings
from isocenter.app.wiring import open_archive
from isocenter.archive.archive import Archive
from isocenter.archive.delete import ERASE_BATCH_MAX, erase_due
from isocenter.archive.search import count, search
from isocenter.dicomweb.codec.azure_options import AzureOptions
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import ROOTS
from isocenter.dicomweb.server.service import Service
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.errors import InvalidRequest, IsocenterError, StorageFailed, Unavailable
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.identity.authenticate import LoopbackAuthenticator, is_loopback
from isocenter.web.api.associations import association_routes
from isocenter.web.api.metrics import metrics_routes
from isocenter.web.pages.studies import console_routes
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
CONNECTIONS_MAX = 1000
"""Each may hold a few megabytes of buffers; beyond it callers get 503 (R17)."""
SHUTDOWN_TIMEOUT_S = 20
"""How long running requests may take to end after SIGTERM."""
ERASE_INTERVAL_S = 1.0
"""How much later than its grace a deleted instance may be destroyed."""
KEEP_ALIVE_S = 30
OPEN_FILES_MAX = 65_536
"""Far above what connections and packs need; more would only cost a table."""


class _Readiness:
    """Whether the node takes requests, and if not, why."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def __call__(self, request: Request) -> Response:
        archive = self._archive
        failure = archive.intake.failure
        if failure is None and (archive.index.is_failed or archive.blobs.is_failed):
            failure = StorageFailed()
        if failure is not None:
            return JSONResponse({"ready": False, "reason": failure.message}, status_code=503)
        return JSONResponse({"ready": True, "version": __version__})


async def _alive(request: Request) -> Response:
    return JSONResponse({"alive": True, "version": __version__})


class _Node:
    """The node's web application: DICOMweb below its roots, pages and health everywhere else.

    DICOMweb is looked at first and without a framework's layers, which cost as much as a small answer.
    """

    def __init__(self, services: Mapping[str, ASGIApp], pages: ASGIApp) -> None:
        self._services = services
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        path: str = scope.get("path", "")
        application = self._services.get("/" + path[1:].split("/", 1)[0].lower(), self._pages)
        await application(scope, receive, send)


def azure_options(settings: Settings) -> AzureOptions:
    """Return what an operator chose about the roots that follow Azure's service."""
    return AzureOptions(
        study_mismatch_reason=int(settings.azure.study_mismatch_reason),
        refuses_all_with_others=settings.azure.include_all_with_others == "refuse",
    )


def build_application(
    archive: Archive,
    settings: Settings,
    executor: Executor,
    picture_executor: Executor,
    *,
    register: AssociationRegister,
) -> ASGIApp:
    """Return the node's web application over an open archive, with threads for what decodes frames and for the rest."""
    authenticate = LoopbackAuthenticator(allowed_hosts=frozenset(settings.http.allowed_hosts))
    service = Service(
        archive=archive,
        executor=executor,
        authenticate=authenticate,
        picture_executor=picture_executor,
        azure=azure_options(settings),
    )
    routes: list[BaseRoute] = [
        Route("/health/ready", _Readiness(archive).__call__),
        Route("/health/live", _alive),
    ]
    shows_notice = settings.viewer.investigational_use_dialog == "always"
    routes += viewer_routes(open_viewer_archive(), ViewerSettings(shows_investigational_use_notice=shows_notice))
    routes += console_routes(_ArchiveDirectory(archive), authenticate=authenticate)
    routes += association_routes(register, authenticate=authenticate)
    routes += metrics_routes(register, authenticate=authenticate)
    services = {root: DicomwebApplication(service, root_path=root) for root in ROOTS}
    return _Node(services, Starlette(routes=routes))


@dataclass(frozen=True, slots=True)
class _ArchiveDirectory:
    """The archive's searches as the console asks for them."""

    archive: Archive

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        return search(self.archive, principal, query)

    def count(self, principal: Principal, query: Query) -> int:
        return count(self.archive, principal, query)


def run(settings: Settings) -> None:
    """Run a node until SIGTERM or SIGINT.

    Raises InvalidRequest where it would listen beyond this machine without authentication, Unavailable where the port
    is taken, and the errors of opening the archive.
    """
    set_up_logging(settings.log.level, settings.log.format)
    _allow_open_files()
    keep_freed_memory()
    with (
        closing(_listen(settings)) as listener,
        bound_endpoints(settings.dicom) as endpoints,
        open_archive(settings) as archive,
        ThreadPoolExecutor(READER_THREADS, "reader") as executor,
        ThreadPoolExecutor(PICTURE_THREADS, "picture") as picture_executor,
        ThreadPoolExecutor(DICOM_THREADS, "dicom") as dicom_executor,
    ):
        dicom = DicomNode(archive, settings, endpoints, executor=dicom_executor, picture_executor=picture_executor)
        application = build_application(archive, settings, executor, picture_executor, register=dicom.register)
        with _Eraser(archive):
            _serve(application, listener, dicom, settings)


def _allow_open_files() -> None:
    """Take what the system grants: each connection is an open file, and each large instance on its way another."""
    if sys.platform != "win32":
        granted, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES_MAX if highest == resource.RLIM_INFINITY else min(highest, OPEN_FILES_MAX)
        if granted != resource.RLIM_INFINITY and granted < wanted:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, highest))


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.http.listen.host, settings.http.listen.port
    if settings.auth == "off" and not is_loopback(host):
        raise InvalidRequest(
            f"Refusing to listen on {host} without authentication. Listen on 127.0.0.1 and put an authenticating proxy "
            "in front."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound_sending(listener)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> Unavailable:
    return Unavailable(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --http.")


def _serve(application: ASGIApp, listener: socket.socket, dicom: DicomNode, settings: Settings) -> None:
    config = uvicorn.Config(
        application,
        http=BoundedProtocol,
        loop="auto" if sys.platform == "win32" else "uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1,::1",
    )
    server = _Server(config, dicom)
    dicom.listen()
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(config.backlog)  # two that were bound before either listened: the second learns of it here
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    _log.info("node.listening", address=f"http://{host}:{port}", data_dir=str(settings.data_dir))
    server.run(sockets=[listener])
    _log.info("node.stopped")


class _Server(uvicorn.Server):
    """uvicorn, with associations beside it, ended by the first signal in peace: the stores are closed after it."""

    def __init__(self, config: uvicorn.Config, dicom: DicomNode) -> None:
        super().__init__(config)
        self._dicom = dicom

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests and associations."""
        await self._dicom.start()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests and associations end."""
        await asyncio.gather(self._dicom.stop(), super().shutdown(sockets))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask the server to end on SIGTERM and SIGINT, and let the process go on behind it."""
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


class _Eraser:
    """Destroy deleted bytes in the background, a little at a time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eraser", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(ERASE_INTERVAL_S):
            try:
                while erase_due(self._archive) == ERASE_BATCH_MAX and not self._stop.is_set():
                    pass
            except IsocenterError as error:
                _log.error("eraser.failed", reason=error.message)
            except Exception:  # outermost loop of the thread: deleted bytes wait for the next round
                _log.exception("eraser.broken")
