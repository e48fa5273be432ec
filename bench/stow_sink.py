"""A lean DICOMweb service that takes every instance and keeps nothing: destination of what is forwarded."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from types import TracebackType

CONNECTIONS_MAX = 16
READ_BYTES = 1 << 20
HEAD_LENGTH_MAX = 64 * 1024
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_SOP_INSTANCE = b"\x08\x00\x18\x00UI"
"""Tag and VR in explicit VR little endian."""


class StowSink:
    """Listens on a port of loopback for the length of a block."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS_MAX)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> StowSink:
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
    with connected:
        try:
            while (request := _read_request(connected)) is not None:
                connected.sendall(_response(request))
        except OSError:  # the node ended the connection, as it does when it is stopped
            return


def _read_request(connected: socket.socket) -> list[bytes] | None:
    """Return the beginnings of instances in the body of the next request; None at the end of the connection."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = connected.recv(READ_BYTES)
        if not received or len(head) > HEAD_LENGTH_MAX:
            return None
        head += received
    head, _, begun = head.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    body = bytearray(int(found[1]) if found else 0)
    body[: len(begun)] = begun
    view, filled = memoryview(body), len(begun)
    while filled < len(body):
        filled += connected.recv_into(view[filled:])
    return _sop_instance_uids(bytes(body))


def _sop_instance_uids(body: bytes) -> list[bytes]:
    uids = []
    place = body.find(_SOP_INSTANCE)
    while place >= 0:
        (length,) = struct.unpack_from("<H", body, place + 6)
        uids.append(body[place + 8 : place + 8 + length].rstrip(b"\0"))
        place = body.find(_SOP_INSTANCE, place + 8 + length)
    return uids


def _response(uids: list[bytes]) -> bytes:
    items = [{"00081155": {"vr": "UI", "Value": [uid.decode("ascii", "replace")]}} for uid in uids]
    body = json.dumps({"00081199": {"vr": "SQ", "Value": items}}).encode() if uids else b"[]"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
