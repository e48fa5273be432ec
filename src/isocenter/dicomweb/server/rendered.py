"""Pictures for people: rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4)."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from isocenter.archive import render, retrieve
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dicomweb.codec.accept import RENDERED_TYPES, WEBP, choose_rendered
from isocenter.dicomweb.codec.byte_range import parse_byte_range
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.render_request import RenderRequest, parse_render_request
from isocenter.dicomweb.server.multipart_body import lazy_multipart_body
from isocenter.dicomweb.server.retrieve import parse_frame_numbers
from isocenter.dicomweb.server.service import Call
from isocenter.dicomweb.server.streaming import Body, answer
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.identifiers import Level, Scope
from isocenter.ports.index import InstanceRow

OFFERED = (*RENDERED_TYPES, WEBP)
CACHE = {"Cache-Control": "private, max-age=300", "Vary": "Accept"}
"""A picture changes only when its study does; five minutes keep a list from asking again while one looks at it."""
RENDERED_INSTANCES_MAX = 1000
"""A rendered study or series takes a thread some milliseconds a picture."""
RENDERED_FRAMES_MAX = 1000
"""The same, for frames: a request line could name one large frame ten thousand times."""


async def render_instances(call: Call) -> Response:
    """Render an instance's first frame, or every instance of a series or study in a part of its own."""
    request = parse_render_request(call.request.query_params, call.dialect)
    scope = call.scope()
    if scope.level is Level.INSTANCE:
        row = await call.service.run(_find_video, call, scope)
        if row is not None:
            return await video_response(call, row)
        return await call.for_pictures().service.run(_render_instance, call, scope, request)
    return await answer(call.for_pictures().service, partial(_many_body, call, scope, request), {})


async def render_frames(call: Call) -> Response:
    """Render one frame, or several in a part each."""
    request = parse_render_request(call.request.query_params, call.dialect)
    numbers = parse_frame_numbers(call.parameters["frames"])
    if len(numbers) == 1:
        return await call.for_pictures().service.run(_render_one, call, call.scope(), numbers[0], request)
    if call.dialect.is_azure:
        _media_type(call)
        raise InvalidRequest("Only one frame can be rendered at a time.")
    if len(numbers) > RENDERED_FRAMES_MAX:
        raise InvalidRequest(f"More than {RENDERED_FRAMES_MAX} frames are not rendered at once.")
    return await answer(call.for_pictures().service, partial(_frames_body, call, call.scope(), numbers, request), {})


async def render_thumbnail(call: Call) -> Response:
    """Return a small picture that stands for a study, series, instance or frame."""
    request = parse_render_request(call.request.query_params, call.dialect, is_thumbnail=True)
    frame_number = None
    if "frames" in call.parameters:
        frame_number = parse_frame_numbers(call.parameters["frames"])[0]
    return await call.for_pictures().service.run(_render_thumbnail, call, call.scope(), frame_number, request)


def _media_type(call: Call) -> str:
    offered = OFFERED[:2] if call.dialect.is_azure else OFFERED
    return choose_rendered(call.accept, call.dialect, offered=offered)


def _find_video(call: Call, scope: Scope) -> InstanceRow | None:
    """Return the instance if it is a video and the caller takes it as one."""
    accept = call.accept or ""
    if call.dialect.is_azure or ("video/" not in accept and accept.strip() not in ("", "*/*")):
        return None
    row = retrieve.find_instance(call.archive, call.principal, scope)
    return row if transfer_syntax(row.transfer_syntax_uid).is_video else None


def _render_instance(call: Call, scope: Scope, request: RenderRequest) -> Response:
    return _render_one(call, scope, 1, request)


def _render_one(call: Call, scope: Scope, number: int, request: RenderRequest) -> Response:
    media_type = _media_type(call)
    row = retrieve.find_instance(call.archive, call.principal, scope)
    return Response(_picture(call, row, number, media_type, request), media_type=media_type, headers=CACHE)


def _picture(call: Call, row: InstanceRow, frame_number: int, media_type: str, request: RenderRequest) -> bytes:
    return render.render_frame(
        call.archive,
        row,
        frame_number,
        render.Picture(
            media_type=media_type,
            quality=request.quality,
            viewport=request.viewport,
            source=request.source,
            window=None
            if request.window is None
            else (request.window.center, request.window.width, request.window.function),
        ),
    )


def _frames_body(call: Call, scope: Scope, numbers: list[int], request: RenderRequest) -> Body:
    media_type = _media_type(call)
    row = retrieve.find_instance(call.archive, call.principal, scope)
    retrieve.open_frames(call.archive, row, numbers)
    pictures = ((media_type, _picture(call, row, number, media_type, request)) for number in numbers)
    return lazy_multipart_body(pictures, part_type=media_type)


def _many_body(call: Call, scope: Scope, request: RenderRequest) -> Body:
    media_type = choose_rendered(_inner_type(call.accept), Dialect.STANDARD, offered=OFFERED)
    rows = retrieve.find_instances(call.archive, call.principal, scope)
    with_pixels = [row for row in rows if render.has_pixels(call.archive, row)]
    if not with_pixels:
        raise NotFound("There is nothing in it that can be rendered.")
    if len(with_pixels) > RENDERED_INSTANCES_MAX:
        raise InvalidRequest(f"More than {RENDERED_INSTANCES_MAX} instances are not rendered at once; ask by series.")
    pictures = ((media_type, _picture(call, row, 1, media_type, request)) for row in with_pixels)
    return lazy_multipart_body(pictures, part_type=media_type)


def _inner_type(accept: str | None) -> str | None:
    """Return the media type of the parts where several are asked for in one message."""
    if accept and "multipart/related" in accept.lower():
        return next((offered for offered in OFFERED if offered in accept.lower()), None)
    return accept


def _render_thumbnail(call: Call, scope: Scope, frame_number: int | None, request: RenderRequest) -> Response:
    media_type = choose_rendered(call.accept, Dialect.STANDARD, offered=OFFERED)
    rows = retrieve.find_instances(call.archive, call.principal, scope)
    row = render.representative(call.archive, rows)
    number = frame_number or render.middle_frame(row)
    return Response(_picture(call, row, number, media_type, request), media_type=media_type, headers=CACHE)


async def video_response(call: Call, row: InstanceRow) -> Response:
    """Return the stream of a video instance, whole or the range asked for (viewer-ui 2.1)."""
    video = await call.service.run(render.open_video, call.archive, row)
    media_type = transfer_syntax(row.transfer_syntax_uid).media_type
    headers = {"Accept-Ranges": "bytes", **CACHE}
    asked = parse_byte_range(call.request.headers.get("range"), video.length)
    if asked is None:
        return await answer(call.service, lambda: Body(media_type, video.length, video.iter_chunks()), headers)
    start, count = asked
    if count == 0:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{video.length}"})
    count = min(count, render.VIDEO_RANGE_MAX_BYTES)
    headers["Content-Range"] = f"bytes {start}-{start + count - 1}/{video.length}"
    content = await call.service.run(video.read, start, count)
    return Response(content, status_code=206, media_type=media_type, headers=headers)
