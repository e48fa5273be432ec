"""A small web application in an event loop that does other things as well, for the length of a block."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

ENDING_MAX_S = 2
"""Requests that are still being answered when the block ends get so long; a stream of events would have no end."""


@asynccontextmanager
async def serving(application: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a listening socket, which is closed in the end."""
    server = _Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            loop="none",
            server_header=False,
            timeout_graceful_shutdown=ENDING_MAX_S,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn without hands on the signals of the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
