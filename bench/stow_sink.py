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
_BOUNDARY = re.compile(rb'boundary="?([^";\r\n]+)', re.IGNORECASE)
NEAR_BYTES = 4096
"""SOP Instance UID is among the first elements of a data set."""
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
    buffer = bytearray()
    with connected:
        try:
            while (request := _read_request(connected, buffer)) is not None:
                connected.sendall(_response(request))
        except OSError:  # the node ended the connection, as it does when it is stopped
            return


def _read_request(connected: socket.socket, buffer: bytearray) -> list[bytes] | None:
    """Return the SOP Instance UIDs in the body of the next request; None at the end of the connection.

    The buffer grows to the largest body and serves all of a connection, so that the sink costs little beside the node.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        received = connected.recv(READ_BYTES)
        if not received or len(head) > HEAD_LENGTH_MAX:
            return None
        head += received
    head, _, begun = head.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    length = int(found[1]) if found else 0
    buffer.extend(bytes(max(0, length - len(buffer))))
    buffer[: len(begun)] = begun
    filled = len(begun)
    with memoryview(buffer) as view:
        while filled < length:
            count = connected.recv_into(view[filled:length])
            if not count:
                return None
            filled += count
    boundary = _BOUNDARY.search(head)
    return _sop_instance_uids(buffer, length, b"--" + boundary[1]) if boundary else []


def _sop_instance_uids(buffer: bytearray, end: int, delimiter: bytes) -> list[bytes]:
    """Return the UID of each part, looked for near its beginning alone: a search of all pixels takes a millisecond."""
    uids = []
    part = buffer.find(delimiter, 0, end)
    while part >= 0:
        place = buffer.find(_SOP_INSTANCE, part, min(part + NEAR_BYTES, end))
        if place >= 0:
            (length,) = struct.unpack_from("<H", buffer, place + 6)
            uids.append(bytes(buffer[place + 8 : place + 8 + length]).rstrip(b"\0"))
        part = buffer.find(delimiter, part + len(delimiter), end)
    return uids


def _response(uids: list[bytes]) -> bytes:
    items = [{"00081155": {"vr": "UI", "Value": [uid.decode("ascii", "replace")]}} for uid in uids]
    body = json.dumps({"00081199": {"vr": "SQ", "Value": items}}).encode() if uids else b"[]"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
