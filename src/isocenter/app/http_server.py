"""uvicorn in the node's own event loop, with associations beside it, over plain sockets and TLS alike."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog
import uvicorn
from starlette.types import ASGIApp

from isocenter.app.http_listeners import HttpListener
from isocenter.app.http_protocol import BoundedProtocol
from isocenter.app.http_tls import HttpTls
from isocenter.domain.errors import IsocenterError

_log = structlog.get_logger()

CONNECTIONS_MAX = 1000
"""Each may hold a few megabytes of buffers; beyond it callers get 503 (R17)."""
SHUTDOWN_TIMEOUT_S = 20
"""How long running requests may take to end after SIGTERM."""
KEEP_ALIVE_S = 30
HANDSHAKE_TIMEOUT_S = 10.0
"""A caller that connects and says nothing holds a socket no longer."""
RENEWAL_INTERVAL_S = 12 * 3600.0
"""How often to look whether the certificate is about to expire; there are weeks for it."""


class Edge(Protocol):
    """What serves others in the event loop of the web server, beside it: associations, translators, gateways."""

    def listen(self) -> None:
        """Let connections come in; they wait until `start`. Raises Unavailable where a port is taken."""
        ...

    async def start(self) -> None:
        """Begin to serve, in the running event loop."""
        ...

    async def stop(self) -> None:
        """End in peace, within some seconds."""
        ...


def serve_http(
    application: ASGIApp,
    listeners: Sequence[HttpListener],
    edges: Sequence[Edge],
    *,
    tls: HttpTls | None,
    data_dir: Path,
) -> None:
    """Serve until SIGTERM or SIGINT."""
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
        proxy_headers=False,  # the application is behind what believes proxies, and something before that
    )
    server = _Server(config, edges, [listener for listener in listeners if listener.uses_tls], tls)
    for edge in edges:
        edge.listen()
    for listener in listeners:
        listener.listen(config.backlog)  # two that were bound before either listened: the second learns of it here
        _log.info("node.listening", address=listener.url, data_dir=str(data_dir))
    server.run(sockets=[listener.socket for listener in listeners if not listener.uses_tls])
    _log.info("node.stopped")


class _Server(uvicorn.Server):
    """uvicorn, with associations beside it, ended by the first signal in peace: the stores are closed after it."""

    def __init__(
        self, config: uvicorn.Config, edges: Sequence[Edge], tls_listeners: Sequence[HttpListener], tls: HttpTls | None
    ) -> None:
        super().__init__(config)
        self._edges = edges
        self._tls_listeners = tls_listeners
        self._tls = tls
        self._renewal: asyncio.TimerHandle | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests and associations."""
        for edge in self._edges:
            await edge.start()
        await super().startup(sockets)
        if self._tls is not None:
            await self._start_tls(self._tls)

    async def _start_tls(self, tls: HttpTls) -> None:
        """Take connections over TLS as uvicorn takes plain ones: it knows one kind at a time."""
        loop = asyncio.get_running_loop()

        def create_protocol() -> asyncio.Protocol:
            return BoundedProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        for listener in self._tls_listeners:
            server = await loop.create_server(
                create_protocol,
                sock=listener.socket,
                ssl=tls.context,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                backlog=self.config.backlog,
            )
            self.servers.append(server)
        self._expect_renewal(tls)

    def _expect_renewal(self, tls: HttpTls) -> None:
        loop = asyncio.get_running_loop()

        def renew() -> None:
            try:
                tls.renew()
            except (OSError, IsocenterError) as error:
                _log.error("tls.renewal_failed", reason=str(error))
            self._expect_renewal(tls)

        self._renewal = loop.call_later(RENEWAL_INTERVAL_S, renew)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests and associations end."""
        if self._renewal is not None:
            self._renewal.cancel()
        await asyncio.gather(*(edge.stop() for edge in self._edges), super().shutdown(sockets))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask the server to end on SIGTERM and SIGINT, and let the process go on behind it."""
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
