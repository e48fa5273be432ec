"""From blocking iterators to responses: whole where they are small, else streamed with a bounded read-ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response, StreamingResponse

from isocenter.dicomweb.server.service import Service

READ_AHEAD_BYTES = 4 * 1024**2
"""One trip to a reader's thread brings about this much, while as much is being sent: two such batches at most."""


@dataclass(frozen=True, slots=True)
class Body:
    """What an answer consists of: its media type, its length where that is known, and its bytes by and by."""

    media_type: str
    length: int | None
    chunks: Iterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that only who makes it knows."""
    whole_max_bytes: int = READ_AHEAD_BYTES
    """Up to so much it is read to its end before anything is answered, so that a fault in it has its status."""


async def answer(service: Service, make_body: Callable[[], Body], headers: Mapping[str, str]) -> Response:
    """Return the answer with a body that is made and read off the event loop.

    Its first batch is read before this returns, so that what cannot be read at all is answered with its status, and
    what fits into one batch costs one trip to a thread.
    """
    body, first = await service.run(_begin, make_body)
    headers = {**headers, **body.headers}
    size_bytes = sum(map(len, first))
    if size_bytes == body.length or (body.length is None and size_bytes < body.whole_max_bytes):  # that was all
        content = first[0] if len(first) == 1 else b"".join(first)
        return Response(content, media_type=body.media_type, headers=headers)
    known = {} if body.length is None else {"Content-Length": str(body.length)}
    return StreamingResponse(
        _stream(service, first, body.chunks), media_type=body.media_type, headers={**known, **headers}
    )


def _begin(make_body: Callable[[], Body]) -> tuple[Body, list[bytes]]:
    body = make_body()
    return body, _take(body.chunks, body.whole_max_bytes)


def _take(chunks: Iterator[bytes], enough_bytes: int = READ_AHEAD_BYTES) -> list[bytes]:
    batch: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        batch.append(chunk)
        size_bytes += len(chunk)
        if size_bytes >= enough_bytes:
            break
    return batch


async def _stream(service: Service, batch: list[bytes], chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while batch:
        following = loop.run_in_executor(service.executor, _take, chunks)
        try:
            for chunk in batch:
                yield chunk
        finally:
            await asyncio.wait([following])
        batch = following.result()
