"""What the kernel is told about the socket of an association.

Acknowledge what comes at once: some peers leave Nagle's algorithm on (DCMTK's clients do). Such a peer sends a command,
and its data set only when the command is acknowledged; a kernel that delays acknowledgements makes it wait 40 ms for
each instance. Linux forgets the option after a while, so it is set after each read.

Drop a connection whose other end takes nothing for a long time: what was sent to it would stay in memory.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

UNSENT_TIMEOUT_S = 120
"""Longer than any interruption that TCP survives on a sound network."""

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Linux only; elsewhere acknowledgements are delayed, and connections dropped, as the system does it."""


class TunedSocket:
    """The socket of a transport.

    It has a descriptor of its own for that socket: what uvloop shows of one makes a new descriptor for each call.
    """

    __slots__ = ("_socket",)

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        found: socket.socket | None = transport.get_extra_info("socket")
        self._socket: socket.socket | None = None
        if _QUICK_ACK is None or found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
            return
        with suppress(OSError):
            self._socket = socket.socket(fileno=os.dup(found.fileno()))
            if _USER_TIMEOUT is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNSENT_TIMEOUT_S * 1000)
        self.acknowledge_at_once()

    def acknowledge_at_once(self) -> None:
        """Have the kernel acknowledge what it has received."""
        if self._socket is not None and _QUICK_ACK is not None:
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            except OSError:  # the connection is gone; its end is reported by the transport
                self.close()

    def close(self) -> None:
        """Let the socket go."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
