"""Multipart answers whose length is known before the first byte leaves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from isocenter.dicomweb.codec.multipart import encode_closing, encode_part_header, multipart_content_type
from isocenter.dicomweb.server.service import Call
from isocenter.dicomweb.server.streaming import open_stream


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its media type, its length where that is known, and how to read it."""

    content_type: str
    length: int | None
    read: Callable[[], Iterator[bytes]]


def new_boundary() -> str:
    """Return a boundary that no content holds, as far as chance allows."""
    return secrets.token_hex(16)


async def multipart_response(call: Call, parts: Sequence[Part], *, part_type: str) -> StreamingResponse:
    """Return a streamed multipart/related answer, with its length if every part tells its own."""
    boundary = new_boundary()
    closing = encode_closing(boundary)
    headers = [
        encode_part_header(boundary, part.content_type, is_first=number == 0) for number, part in enumerate(parts)
    ]

    def chunks() -> Iterator[bytes]:
        for header, part in zip(headers, parts, strict=True):
            yield header
            yield from part.read()
        yield closing

    lengths = [part.length for part in parts if part.length is not None]
    known = {}
    if len(lengths) == len(parts):
        known["Content-Length"] = str(sum(lengths) + sum(map(len, headers)) + len(closing))
    return StreamingResponse(
        await open_stream(call.service, chunks()),
        media_type=multipart_content_type(boundary, part_type),
        headers=known,
    )


def whole_multipart_response(contents: Sequence[tuple[str, bytes]], *, part_type: str) -> Response:
    """Return a multipart/related answer of small parts that are in memory: content type and bytes of each."""
    boundary = new_boundary()
    pieces: list[bytes] = []
    for number, (content_type, content) in enumerate(contents):
        pieces += (encode_part_header(boundary, content_type, is_first=number == 0), content)
    pieces.append(encode_closing(boundary))
    return Response(b"".join(pieces), media_type=multipart_content_type(boundary, part_type))
