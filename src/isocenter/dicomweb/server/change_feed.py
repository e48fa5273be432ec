"""The change feed (dicom-service 6)."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.archive import change_feed
from isocenter.dicomweb.codec.change_feed import (
    FeedRequest,
    encode_change,
    encode_changes,
    parse_feed_request,
    parse_latest_request,
)
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.server.service import Call

JSON = "application/json; charset=utf-8"


async def read_change_feed(call: Call) -> Response:
    """Return rows of the feed."""
    asked = parse_feed_request(call.request.url.query, call.dialect)
    return Response(await call.service.run(_read, call, asked), media_type=JSON)


async def read_latest_change(call: Call) -> Response:
    """Return the last row of the feed."""
    includes_metadata = parse_latest_request(call.request.url.query)
    content = await call.service.run(_read_latest, call, includes_metadata)
    return Response(status_code=204) if content is None else Response(content, media_type=JSON)


def _read(call: Call, asked: FeedRequest) -> bytes:
    archive, principal = call.archive, call.principal
    if call.dialect is Dialect.AZURE_V1:
        changes = change_feed.read_changes(archive, principal, after=asked.offset, limit=asked.limit)
    else:
        changes = change_feed.read_changes_between(
            archive, principal, start=asked.start, end=asked.end, offset=asked.offset, limit=asked.limit
        )
    metadata = change_feed.metadata_of(archive, principal, changes) if asked.includes_metadata else {}
    return encode_changes(changes, metadata)


def _read_latest(call: Call, includes_metadata: bool) -> bytes | None:
    change = change_feed.latest_change(call.archive, call.principal)
    if change is None:
        return None
    metadata = change_feed.metadata_of(call.archive, call.principal, [change]) if includes_metadata else {}
    return encode_change(change, metadata)
