"""From blocking iterators to streamed responses, reading ahead by a bounded amount."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from isocenter.dicomweb.server.service import Service

READ_AHEAD_BYTES = 4 * 1024**2
"""One trip to a reader's thread brings about this much, while as much is being sent: two such batches at most."""


def _take(chunks: Iterator[bytes]) -> list[bytes]:
    batch: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        batch.append(chunk)
        size_bytes += len(chunk)
        if size_bytes >= READ_AHEAD_BYTES:
            break
    return batch


async def open_stream(service: Service, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Return what a blocking iterator yields, one batch being read while the one before is sent.

    The first batch is read before this returns, so that what cannot be read at all is answered with its status.
    """
    first = await service.run(_take, chunks)
    return _stream(service, first, chunks)


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
