"""One request to an ASGI application in this process, with a body that comes as the test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message

from isocenter.dicomweb.server.dispatch import DicomwebApplication
from tests.support.described_answers import check_described

CALL_TIMEOUT_S = 30


@dataclass(slots=True)
class Answer:
    """What an application answered, message by message."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    largest_message_bytes: int = 0


def ask(
    application: ASGIApp,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: Iterable[bytes] = (),
    query: str = "",
    stalls: bool = False,
    hangs_up: bool = False,
    pause_s: float = 0,
    as_described: bool = True,
) -> Answer:
    """Return the answer to a request; after its chunks the body ends, or `stalls`, or the caller `hangs_up`.

    Before each chunk there is a pause. An answer of the DICOMweb edge must be one that its route is described to give;
    a test that makes up errors says that it need not.
    """
    answer = Answer()
    chunks = iter(body)
    given = {"host": "127.0.0.1", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    pieces: list[bytes] = []
    is_ended = False

    async def receive() -> Message:
        nonlocal is_ended
        chunk = next(chunks, None)
        if chunk is not None:
            await asyncio.sleep(pause_s)
            return {"type": "http.request", "body": chunk, "more_body": True}
        if hangs_up:
            return {"type": "http.disconnect"}
        if is_ended or stalls:
            await asyncio.Event().wait()
        is_ended = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            piece = message.get("body", b"")
            pieces.append(piece)
            answer.largest_message_bytes = max(answer.largest_message_bytes, len(piece))

    async def call() -> None:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await application(scope, receive, send)

    asyncio.run(call())
    answer.body = b"".join(pieces)
    if as_described and not hangs_up and isinstance(application, DicomwebApplication):
        check_described(method, path, status=answer.status, headers=answer.headers, has_content=bool(answer.body))
    return answer
