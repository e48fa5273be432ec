"""Acknowledge what comes at once: for peers that leave Nagle's algorithm on (DCMTK's clients do).

Such a peer sends a command, and its data set only when the command is acknowledged. A kernel that delays
acknowledgements makes it wait 40 ms for each. Linux forgets the option after a while, so it is set after each read.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux only; elsewhere acknowledgements are delayed as the system does it."""


class QuickAck:
    """Set the option on the socket of a transport, again and again.

    It has a descriptor of its own for that socket: what uvloop shows of one makes a new descriptor for each call.
    """

    __slots__ = ("_socket",)

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        found: socket.socket | None = transport.get_extra_info("socket")
        self._socket: socket.socket | None = None
        if _QUICK_ACK is not None and found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):
                self._socket = socket.socket(fileno=os.dup(found.fileno()))

    def rearm(self) -> None:
        """Have the kernel acknowledge at once what it has received."""
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
