"""A lean HTTP client on a raw socket: requests are built beforehand, answers are counted, not kept."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

BOUNDARY = b"isocenter-bench"
RECEIVE_BYTES = 1 << 20
TIMEOUT_S = 300
VECTOR_MAX = 1000

Request = Sequence[bytes]


@dataclass(slots=True)
class Answer:
    """Status and size of one answer, and how long it took."""

    status: int
    body_bytes: int
    seconds: float
    first_byte_s: float
    body: bytes = b""


@dataclass(slots=True)
class Connection:
    """One kept-alive connection."""

    port: int
    _socket: socket.socket | None = None
    _buffer: bytearray = field(default_factory=lambda: bytearray(RECEIVE_BYTES))

    def request(self, pieces: Request, *, keep_body: bool = False) -> Answer:
        """Send a request and read its answer to the end."""
        began = time.perf_counter()
        self._send(pieces)
        status, length, is_chunked, rest = self._read_head()
        first_byte_s = time.perf_counter() - began
        body = bytearray(rest) if keep_body else None
        if is_chunked:
            size = self._read_chunked(rest, body)
        elif length is None:
            size = self._read_to_end(len(rest), body)
        else:
            size = self._read_length(len(rest), length, body)
        return Answer(status, size, time.perf_counter() - began, first_byte_s, bytes(body or b""))

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, pieces: Request) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        send_pieces(self._socket, pieces)

    def _receive(self) -> memoryview:
        assert self._socket is not None
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise EOFError("the server closed the connection")
        return memoryview(self._buffer)[:count]

    def _read_head(self) -> tuple[int, int | None, bool, bytes]:
        head = bytearray()
        while (end := head.find(b"\r\n\r\n")) < 0:
            head += self._receive()
        lines = bytes(head[:end]).lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
        is_chunked = headers.get(b"transfer-encoding") == b"chunked"
        status = int(lines[0].split()[1])
        stated = headers.get(b"content-length", b"0" if status in (204, 304) else None)
        length = None if stated is None else int(stated)
        return status, length, is_chunked, bytes(head[end + 4 :])

    def _read_length(self, have: int, length: int, body: bytearray | None) -> int:
        while have < length:
            chunk = self._receive()
            have += len(chunk)
            if body is not None:
                body += chunk
        return length

    def _read_to_end(self, have: int, body: bytearray | None) -> int:
        """Read until the server closes the connection, which is how Orthanc ends an answer of several parts."""
        assert self._socket is not None
        while count := self._socket.recv_into(self._buffer):
            have += count
            if body is not None:
                body += memoryview(self._buffer)[:count]
        self.close()
        return have

    def _read_chunked(self, rest: bytes, body: bytearray | None) -> int:
        """Read to the closing chunk; sizes of chunks are read so that the body is counted exactly."""
        pending, total = bytearray(rest), 0
        if body is not None:
            body.clear()
        while True:
            while (end := pending.find(b"\r\n")) < 0:
                pending += self._receive()
            size = int(pending[:end], 16)
            del pending[: end + 2]
            total += size
            left = size + 2
            while left > len(pending):
                if body is not None and left > 2:
                    body += pending[: min(len(pending), left - 2)]
                left -= len(pending)
                pending[:] = self._receive()
            if body is not None and left > 2:
                body += pending[: left - 2]
            del pending[:left]
            if not size:
                return total


def send_pieces(connected: socket.socket, pieces: Sequence[bytes | memoryview]) -> None:
    """Send buffers in order without joining them."""
    views = [memoryview(piece) for piece in pieces]
    first = 0
    while first < len(views):
        sent = connected.sendmsg(views[first : first + VECTOR_MAX])
        while first < len(views) and sent >= len(views[first]):
            sent -= len(views[first])
            first += 1
        if sent:
            views[first] = views[first][sent:]


def get(path: str, accept: str) -> Request:
    """Return a GET request."""
    return [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n".encode()]


def stow(path: str, instances: Sequence[bytes]) -> Request:
    """Return a store request of several instances."""
    part = b"\r\n--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    closing = b"\r\n--" + BOUNDARY + b"--\r\n"
    length = sum(len(part) + len(instance) for instance in instances) + len(closing)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/dicom+json\r\n"
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY.decode()}\r\n'
        f"Content-Length: {length}\r\n\r\n"
    ).encode()
    pieces = [head]
    for instance in instances:
        pieces += (part, instance)
    return [*pieces, closing]
