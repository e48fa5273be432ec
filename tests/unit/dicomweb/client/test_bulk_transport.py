"""Large answers over connections that stay open: read whole however they are framed, and never taken for more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest

from isocenter.dicomweb.client.bulk_transport import PIECE_BYTES, BulkTransport, has_proxy

CONTENT = bytes(range(256)) * (3 * PIECE_BYTES // 512)


def _plain(content: bytes, *, length: int | None = None) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(content) if length is None else length) + content


def _chunked(content: bytes, *, size: int = 70_001) -> bytes:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


@contextmanager
def _answering(connections: Sequence[Sequence[bytes]]) -> Iterator[str]:
    """Run a service that gives these answers, connection by connection, and closes each behind its last."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answers in connections:
                connection, _ = listener.accept()
                with connection:
                    for answer in answers:
                        if not connection.recv(65536):
                            break
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def _client() -> httpx.Client:
    return httpx.Client(transport=BulkTransport(None), timeout=10)


@pytest.mark.parametrize("content", [CONTENT, b"x", b""], ids=len)
@pytest.mark.parametrize("frame", [_plain, _chunked])
def test_an_answer_is_read_whole(frame: Callable[[bytes], bytes], content: bytes) -> None:
    with _answering([[frame(content)]]) as url, _client() as client:
        assert client.get(url).content == content


def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    with _answering([[_plain(b"one"), _chunked(b"two"), _plain(b"three")]]) as url, _client() as client:
        assert [client.get(url).content for _ in range(3)] == [b"one", b"two", b"three"]


def test_a_connection_that_was_closed_meanwhile_is_opened_anew() -> None:
    with _answering([[_plain(b"one")], [_plain(b"two")]]) as url, _client() as client:
        assert [client.get(url).content for _ in range(2)] == [b"one", b"two"]


def test_an_answer_that_is_not_read_to_its_end_is_not_used_again() -> None:
    with _answering([[_plain(CONTENT)], [_plain(b"two")]]) as url, _client() as client:
        with client.stream("GET", url) as answer:
            assert next(answer.iter_raw()) == CONTENT[:PIECE_BYTES]
        assert client.get(url).content == b"two"


@pytest.mark.parametrize(
    "cut",
    [_plain(CONTENT, length=len(CONTENT) + 1), _chunked(CONTENT)[:-20], b"HTTP/1.1 200 OK\r\n"[:9], b"garbage\r\n"],
)
def test_an_answer_that_ends_early_is_none(cut: bytes) -> None:
    with _answering([[cut]]) as url, _client() as client, pytest.raises(httpx.TransportError):
        client.get(url)


def test_nobody_there_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with _client() as client, pytest.raises(httpx.ConnectError):
        client.get(f"http://127.0.0.1:{port}")


def test_silence_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(transport=BulkTransport(None), timeout=0.1) as client, pytest.raises(httpx.ReadTimeout):
            client.get(url)


def test_a_proxy_of_the_environment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert not has_proxy(httpx.URL("https://archive.example"))
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert has_proxy(httpx.URL("https://archive.example"))
    assert not has_proxy(httpx.URL("http://archive.example"))
    monkeypatch.setenv("no_proxy", "archive.example")
    assert not has_proxy(httpx.URL("https://archive.example"))
