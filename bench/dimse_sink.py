"""A lean C-STORE sink: takes every proposal, acknowledges every instance, keeps nothing. Destination of moves."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType

from bench import dimse_wire as wire
from bench.dimse_load import store_response

AE_TITLE = "BENCHSINK"
ASSOCIATIONS_MAX = 16


class Sink:
    """Listens on a port of loopback for the length of a block."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=ASSOCIATIONS_MAX)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Sink:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connected, _address = self._listener.accept()
            except OSError:  # the block has ended
                return
            threading.Thread(target=_serve, args=(connected,), daemon=True).start()


def _serve(connected: socket.socket) -> None:
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = wire.PduReader(connected)
    with connected:
        try:
            _kind, body = reader.read_pdu()
            connected.sendall(_associate_ac(bytes(body)))
            while (message := reader.read_message()) is not None:
                connected.sendall(store_response(message))
            connected.sendall(wire.release_pdu(wire.RELEASE_RP))
        except (OSError, EOFError):  # the server ended the connection, as it does when it is stopped
            return


def _associate_ac(request: bytes) -> bytes:
    items = b""
    for kind, content in wire.items_of(request, 68):
        if kind == 0x20:
            transfer_syntax = next(value for kind, value in wire.items_of(content, 4) if kind == 0x40)
            items += wire.item(0x21, struct.pack("4B", content[0], 0, 0, 0) + wire.item(0x40, transfer_syntax))
    return wire.associate_pdu(wire.ASSOCIATE_AC, request[4:36], items + wire.user_information())
