"""The sockets of a client, so that who waits for an answer can be woken: closing a socket does not wake its reader."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakSet

_OPENED = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})
"""What httpcore calls the moments at which there is a socket, plain and with TLS on it."""


class OpenSockets:
    """Sockets that are open, as far as somebody still holds them."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()
        self._is_over = False

    def add(self, opened: socket.socket) -> None:
        """Know of a socket; one that comes after the end is shut down at once."""
        with self._lock:
            self._sockets.add(opened)
            if self._is_over:
                _shut_down(opened)

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take notice of what httpcore does for a request (its extension `trace`)."""
        if event in _OPENED:
            opened = info["return_value"].get_extra_info("socket")
            if isinstance(opened, socket.socket):
                self.add(opened)

    def shut_down(self) -> None:
        """End all conversations, for good: somebody may be opening one at this moment."""
        with self._lock:
            self._is_over = True
            for opened in self._sockets:
                _shut_down(opened)


def _shut_down(opened: socket.socket) -> None:
    with suppress(OSError):  # it is closed, or the other side was quicker
        opened.shutdown(socket.SHUT_RDWR)
