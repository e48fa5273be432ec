"""Requests that wait for an answer can be ended, whichever way they went."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.domain.errors import Unavailable
from isocenter.domain.identifiers import Level, Scope


def _search(client: DicomwebClient) -> object:
    return client.search(Level.STUDY)


def _retrieve(client: DicomwebClient) -> object:
    return next(client.retrieve(Scope("1.2")))


@pytest.mark.parametrize("ask", [_search, _retrieve])
def test_a_request_that_waits_is_ended(ask: Callable[[DicomwebClient], object]) -> None:
    failures: list[Unavailable] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = DicomwebClient(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=60)

        def wait() -> None:
            with pytest.raises(Unavailable) as failure:
                ask(client)
            failures.append(failure.value)

        thread = threading.Thread(target=wait)
        thread.start()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(65536)  # it has asked, and waits
            client.interrupt()
            thread.join(10)
        assert not thread.is_alive()
        client.close()
    assert "broke" in failures[0].message
