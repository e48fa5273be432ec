"""The limits of a connection that uvicorn leaves open: how long a request's head may be, and how long it may take.

Without them one caller could fill memory with headers, or hold every connection with a byte a minute (S20, S43).
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SIZE_MAX_BYTES = 64 * 1024
"""Request line and headers; the longest that a viewer writes, a list of frames, has some kilobytes."""
HEAD_TIMEOUT_S = 30.0
"""From the connection, or the end of the answer before, to the end of the headers."""
UNSENT_TIMEOUT_S = 120
"""How long what was sent may stay without an acknowledgement, or the receiver's window be shut, before the kernel
drops the connection: a reader that stopped holds the answer's buffers until then."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 36\r\nconnection: close\r\n\r\nThe head of the request is too long."
)


class HeadWithBody:
    """A transport that sends the head of an answer together with what follows it at once.

    uvicorn writes them one by one; each write is a system call, and wakes the reader.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data, behind what was held; hold it where nothing is, until the loop turns."""
        if self._held is None:
            self._held = data
            self._loop.call_soon(self._send_held)
        else:
            held, self._held = self._held, b""
            self._transport.writelines((held, data) if held else (data,))

    def _send_held(self) -> None:
        held, self._held = self._held, None
        if held:
            self._transport.write(held)

    def close(self) -> None:
        """Send what is held and close."""
        self._send_held()
        self._transport.close()


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 by uvicorn, with a bound on the size and the time of a request's head."""

    _head_bytes = 0
    _is_head_complete = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(HeadWithBody(transport))  # type: ignore[arg-type]
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the head of a request stays within its limit."""
        if not self._is_head_complete:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._is_head_complete and self._head_bytes > HEAD_SIZE_MAX_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._is_head_complete = True
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next request's head, which may follow at once."""
        super().on_message_complete()
        self._is_head_complete = False
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        """Give the next request its time."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self._is_head_complete:
            self._expect_head()

    def _expect_head(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.timeout_keep_alive_handler)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def bound_sending(listener: socket.socket) -> None:
    """Have the kernel drop connections whose other end takes nothing; accepted sockets inherit it (Linux)."""
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_TIMEOUT_S * 1000)
