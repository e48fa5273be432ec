"""WADO-URI: one instance by a query string (PS3.18 9), for viewers and links that have nothing newer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.responses import Response

from isocenter.archive import render, retrieve, transcode
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dicomweb.codec.accept import AS_STORED, DICOM
from isocenter.dicomweb.codec.media_type import MediaType, parse_accept
from isocenter.dicomweb.codec.wado_uri import WadoUriRequest, parse_wado_uri
from isocenter.dicomweb.server.multipart_body import single_body
from isocenter.dicomweb.server.rendered import CACHE, OFFERED, video_response
from isocenter.dicomweb.server.retrieve import ATTACHMENT, instance_part
from isocenter.dicomweb.server.service import Call
from isocenter.dicomweb.server.streaming import Body, answer
from isocenter.domain.errors import InvalidRequest, NotAcceptable
from isocenter.ports.index import InstanceRow

_ANYTHING = (MediaType("*/*", {}),)


async def retrieve_by_uri(call: Call) -> Response:
    """Return the instance that the query string names, as DICOM, as a picture or as the video that it holds."""
    asked = parse_wado_uri(call.request.url.query, partition_name=call.partition_name)
    row, offered = await call.service.run(_find, call, asked)
    media_type = _choose(asked, call.request.headers.get("accept"), offered)
    if media_type == DICOM:
        service = call.service if asked.transfer_syntax_uid == AS_STORED else call.for_pictures().service
        return await answer(service, partial(_instance_body, call, row, asked), ATTACHMENT)
    if asked.transfer_syntax_uid != AS_STORED:
        raise InvalidRequest("The query parameter 'transferSyntax' is invalid. It is for application/dicom alone.")
    if media_type in OFFERED:
        return await call.for_pictures().service.run(_picture, call, row, media_type, asked)
    return await video_response(call, row)


def _find(call: Call, asked: WadoUriRequest) -> tuple[InstanceRow, Sequence[str]]:
    row = retrieve.find_instance(call.archive, call.principal, asked.scope, original=call.wants_original)
    return row, _offered(asked, row) if render.has_pixels(call.archive, row) else (DICOM,)


def _choose(asked: WadoUriRequest, accept: str | None, offered: Sequence[str]) -> str:
    """Return the media type of the answer: the first of those that the client names; `contentType` before Accept."""
    ranges = asked.media_types or (parse_accept(accept) if accept else _ANYTHING)
    for media_range in sorted(ranges, key=lambda each: -each.quality):
        for media_type in offered:
            if media_range.quality > 0 and media_range.covers(media_type):
                return media_type
    raise NotAcceptable()


def _offered(asked: WadoUriRequest, row: InstanceRow) -> Sequence[str]:
    """Return what an instance with pixels can be given as, the default first (PS3.18 8.7.4)."""
    syntax = transfer_syntax(row.transfer_syntax_uid)
    if syntax.is_video and asked.frame_number is None:
        return (syntax.media_type, DICOM, *OFFERED)
    if (row.number_of_frames or 1) > 1 and asked.frame_number is None:
        return (DICOM, *OFFERED)
    return (*OFFERED, DICOM)


def _instance_body(call: Call, row: InstanceRow, asked: WadoUriRequest) -> Body:
    transcode.check_target(call.archive, row, asked.transfer_syntax_uid)
    return single_body(instance_part(call, row, asked.transfer_syntax_uid))


def _picture(call: Call, row: InstanceRow, media_type: str, asked: WadoUriRequest) -> Response:
    window = asked.window
    picture = render.Picture(
        media_type=media_type,
        quality=asked.quality,
        viewport=asked.viewport,
        region=asked.region,
        window=None if window is None else (window.center, window.width, window.function),
    )
    content = render.render_frame(call.archive, row, asked.frame_number or 1, picture)
    return Response(content, media_type=media_type, headers=CACHE)
