"""A reverse proxy that puts a node below a path of its site, and strips that path as such proxies do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from tests.support.processes import free_port

START_TIMEOUT_S = 30.0
HOP_HEADERS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@contextlib.contextmanager
def prefix_proxy(base_url: str, prefix: str) -> Iterator[str]:
    """Serve a node below `prefix` until the block ends; give the address of the site."""
    port = free_port()
    with httpx.Client(base_url=base_url, timeout=60) as client:

        def forward(request: Request) -> Response:
            path = f"/{request.path_params['path']}"
            address = f"{path}?{request.url.query}" if request.url.query else path
            headers = {name: value for name, value in request.headers.items() if name not in {"host", "connection"}}
            forwarded = headers | {"x-forwarded-prefix": prefix, "x-forwarded-host": request.headers["host"]}
            with client.stream(request.method, address, headers=forwarded) as answer:
                content = b"".join(answer.iter_raw())
            kept = {name: value for name, value in answer.headers.items() if name not in HOP_HEADERS}
            return Response(content, answer.status_code, kept)

        def outside(request: Request) -> Response:
            return PlainTextResponse("outside of the path of the node", 404)

        routes = [Mount(prefix, routes=[Route("/{path:path}", forward)]), Route("/{path:path}", outside)]
        server = _Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            assert server.listens.wait(START_TIMEOUT_S), "the proxy did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(START_TIMEOUT_S)


class _Server(uvicorn.Server):
    """A server that tells another thread when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.listens.set()
