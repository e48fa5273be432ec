"""A receiver of webhooks: a web server on loopback that answers handshakes and keeps what it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    at_s: float

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the events in it."""
        document = json.loads(self.content)
        return document if isinstance(document, list) else [document]


@dataclass(slots=True)
class WebhookReceiver:
    """What came, and what is answered."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    allowed_origin: str | None = "*"
    allowed_rate: str | None = None
    gives_code_back: bool = True
    delay_s: float = 0.0

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def handshakes(self) -> list[Received]:
        """Return the requests that asked whether events are wanted."""
        return [one for one in list(self.received) if _is_handshake(one)]

    @property
    def deliveries(self) -> list[Received]:
        """Return the requests that told of events."""
        return [one for one in list(self.received) if not _is_handshake(one)]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the events that were told, as they came."""
        return [event for one in self.deliveries for event in one.events]

    @property
    def sequences(self) -> list[int]:
        """Return their numbers."""
        return [event["data"]["sequenceNumber"] for event in self.events]

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + TIMEOUT_S
        while not is_done():
            assert time.monotonic() < deadline, f"not in time: {self.sequences}"
            time.sleep(0.005)

    def answer(self, request: Received) -> tuple[int, Mapping[str, str], bytes]:
        """Return what a request is answered."""
        if request.method == "OPTIONS":
            given = {"WebHook-Allowed-Origin": self.allowed_origin, "WebHook-Allowed-Rate": self.allowed_rate}
            return 200, {name: value for name, value in given.items() if value is not None}, b""
        if _is_handshake(request) and self.gives_code_back:
            code = request.events[0]["data"]["validationCode"]
            return 200, {}, json.dumps({"validationResponse": code}).encode()
        return self.status, self.headers, self.body


def _is_handshake(request: Received) -> bool:
    return request.method == "OPTIONS" or request.headers.get("aeg-event-type") == "SubscriptionValidation"


@contextmanager
def receiving(receiver: WebhookReceiver | None = None) -> Iterator[WebhookReceiver]:
    """Run a receiver for the length of a block; one that ran before keeps its port."""
    kept = receiver or WebhookReceiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, self.path, headers, content, time.time())
            time.sleep(kept.delay_s)
            status, answer_headers, body = kept.answer(request)
            if status < 300:
                kept.received.append(request)
            self.send_response(status)
            for name, value in answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_OPTIONS = do_GET = _take  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", kept.port), Handler)
    server.daemon_threads = True
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
