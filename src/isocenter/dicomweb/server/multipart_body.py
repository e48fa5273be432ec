"""Multipart answers whose length is known before the first byte leaves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from isocenter.dicomweb.codec.multipart import encode_closing, encode_part_header, multipart_content_type
from isocenter.dicomweb.server.streaming import Body


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its media type, its length where that is known, and how to read it."""

    content_type: str
    length: int | None
    read: Callable[[], Iterator[bytes]]


def new_boundary() -> str:
    """Return a boundary that no content holds, as far as chance allows."""
    return secrets.token_hex(16)


def multipart_body(parts: Sequence[Part], *, part_type: str) -> Body:
    """Return a multipart/related message, with its length if every part tells its own."""
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
    total = None
    if len(lengths) == len(parts):
        total = sum(lengths) + sum(map(len, headers)) + len(closing)
    return Body(multipart_content_type(boundary, part_type), total, chunks())


def single_body(part: Part) -> Body:
    """Return a message that is one part alone."""
    return Body(part.content_type, part.length, part.read())


def lazy_multipart_body(contents: Iterable[tuple[str, bytes]], *, part_type: str) -> Body:
    """Return a multipart/related message whose parts (content type and bytes) are made only when it is their turn."""
    boundary = new_boundary()

    def chunks() -> Iterator[bytes]:
        for number, (content_type, content) in enumerate(contents):
            yield encode_part_header(boundary, content_type, is_first=number == 0)
            yield content
        yield encode_closing(boundary)

    return Body(multipart_content_type(boundary, part_type), None, chunks())


def whole_multipart_response(contents: Sequence[tuple[str, bytes]], *, part_type: str) -> Response:
    """Return a multipart/related answer of small parts that are in memory: content type and bytes of each."""
    boundary = new_boundary()
    pieces: list[bytes] = []
    for number, (content_type, content) in enumerate(contents):
        pieces += (encode_part_header(boundary, content_type, is_first=number == 0), content)
    pieces.append(encode_closing(boundary))
    return Response(b"".join(pieces), media_type=multipart_content_type(boundary, part_type))
