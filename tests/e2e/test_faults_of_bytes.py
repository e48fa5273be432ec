"""Faults of bytes on real sockets: each does to a connection what it says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from isocenter.modality.faults.fault import Bandwidth, Close, Direction, Garble, Latency, Refuse, Reset, Silence, Stall
from tests.support.fault_plane import FaultLink, fault_link

WAIT_S = 20.0
SHORT_S = 0.3
"""Loopback brings what is on its way in a fraction of it."""


class EchoServer:
    """Sends back what it gets, and remembers how connections ended."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.received = bytearray()
        self.ends: list[str] = []
        self._ended = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        end = "closed"
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received += data
                    connection.sendall(data)
            except OSError:
                end = "reset"
        with self._ended:
            self.ends.append(end)
            self._ended.notify_all()

    def wait_end(self) -> str:
        """Return how the first connection ended."""
        with self._ended:
            assert self._ended.wait_for(lambda: self.ends, WAIT_S)
            return self.ends[0]


@pytest.fixture
def server() -> Iterator[EchoServer]:
    echo = EchoServer()
    yield echo
    with contextlib.suppress(OSError):
        echo.listener.shutdown(socket.SHUT_RDWR)
    echo.listener.close()


@pytest.fixture
def link(server: EchoServer) -> Iterator[FaultLink]:
    with fault_link(server.port) as running:
        yield running


def _connect(link: FaultLink) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), WAIT_S)


def _read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := client.recv(size - len(data))):
        data += piece
    return data


def _echoed(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return _read(client, len(data))


def test_without_faults_bytes_pass_as_they_are_and_ends_too(link: FaultLink, server: EchoServer) -> None:
    data = bytes(range(256)) * 4000
    with _connect(link) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert _read(client, len(data)) == data
        sender.join()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert server.wait_end() == "closed"
    assert link.state()["counts"] == {"connections": 1, "bytes of requests": len(data), "bytes of answers": len(data)}


def test_a_line_that_is_gone_refuses_and_resets_and_comes_back(link: FaultLink, server: EchoServer) -> None:
    with _connect(link) as client:
        assert _echoed(client, b"before") == b"before"
        fault = link.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert server.wait_end() == "reset"
    with pytest.raises(ConnectionRefusedError):
        _connect(link)
    link.clear(fault)
    with _connect(link) as client:
        assert _echoed(client, b"after") == b"after"


def test_some_connections_are_refused_where_a_count_says_how_many(link: FaultLink) -> None:
    link.set(Refuse(count=1))
    with pytest.raises(ConnectionError), _connect(link) as client:
        _echoed_or_end(client)
    with _connect(link) as client:
        assert _echoed(client, b"second") == b"second"


def _echoed_or_end(client: socket.socket) -> None:
    client.sendall(b"first")
    if client.recv(1) == b"":
        raise ConnectionResetError


def test_a_reset_strikes_behind_so_many_bytes_on_both_sides(link: FaultLink, server: EchoServer) -> None:
    link.reset_after(1000)
    with _connect(link) as client:
        assert _echoed(client, bytes(1000)) == bytes(1000)
        client.sendall(b"one more")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert server.wait_end() == "reset"
    assert bytes(server.received) == bytes(1000)


def test_an_answer_that_is_lost_has_reached_the_target_before(link: FaultLink, server: EchoServer) -> None:
    link.set(Reset(direction=Direction.ANSWERS))
    with _connect(link) as client:
        client.sendall(b"stored")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert bytes(server.received) == b"stored"


def test_an_answer_that_is_closed_early_ends_in_peace_at_its_byte(link: FaultLink) -> None:
    link.set(Close(after_bytes=10))
    with _connect(link) as client:
        client.sendall(bytes(100))
        assert _read(client, 100) == bytes(10)


def test_a_fault_with_a_count_strikes_so_often(link: FaultLink) -> None:
    link.reset_after(0, count=1)
    with _connect(link) as client:
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with _connect(link) as client:
        assert _echoed(client, b"y") == b"y"
    assert link.state()["faults"][0]["is_spent"]


def test_what_a_stall_keeps_back_comes_when_it_is_over(link: FaultLink, server: EchoServer) -> None:
    link.set(Stall(after_bytes=4, direction=Direction.REQUESTS))
    with _connect(link) as client:
        client.sendall(b"fourmore")
        assert _read(client, 4) == b"four"
        client.settimeout(SHORT_S)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert bytes(server.received) == b"four"
        client.settimeout(WAIT_S)
        link.clear()
        assert _read(client, 4) == b"more"


def test_a_silent_link_accepts_and_the_target_sees_nothing(link: FaultLink, server: EchoServer) -> None:
    link.set(Silence())
    with _connect(link) as client:
        client.sendall(b"anybody there")
        client.settimeout(SHORT_S)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert not server.received


def test_garbled_answers_are_as_long_as_the_true_ones(link: FaultLink) -> None:
    link.set(Garble(after_bytes=8))
    with _connect(link) as client:
        found = _echoed(client, bytes(64))
    assert found[:8] == bytes(8)
    assert found[8:] != bytes(56)


def test_latency_delays_each_way(link: FaultLink) -> None:
    link.set(Latency(delay_s=0.1))
    loop_time = link.loop.time
    with _connect(link) as client:
        before = loop_time()
        assert _echoed(client, b"ping") == b"ping"
        assert loop_time() - before >= 0.2


def test_a_narrow_line_takes_its_time(link: FaultLink) -> None:
    link.set(Bandwidth(bytes_per_s=100_000, direction=Direction.REQUESTS))
    with _connect(link) as client:
        before = link.loop.time()
        assert len(_echoed(client, bytes(40_000))) == 40_000
        assert link.loop.time() - before >= 0.35


def test_a_fault_ends_by_itself_after_its_time(link: FaultLink) -> None:
    fault = link.set(Stall(), for_s=0.2)
    with _connect(link) as client:
        assert _echoed(client, b"late") == b"late"
    assert fault not in [one["id"] for one in link.state()["faults"]]


def test_a_target_that_is_not_there_is_told_by_a_reset() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with fault_link(bound.getsockname()[1]) as link, pytest.raises(ConnectionError), _connect(link) as client:
            _echoed_or_end(client)
