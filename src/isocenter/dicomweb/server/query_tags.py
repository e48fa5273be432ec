"""Extended query tags at the edge (dicom-service 7)."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from isocenter.archive.query_tag import QueryTagDesk
from isocenter.dicomweb.codec import query_tag_json
from isocenter.dicomweb.server.operations import JSON, accepted, operation_url, read_body
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import NotFound


async def add_query_tags(call: Call) -> Response:
    """Add tags and say where to ask about the reindex that makes them ready; 409 while another one runs."""
    desk = _desk(call)
    body = await read_body(call, size_max_bytes=query_tag_json.BODY_SIZE_MAX_BYTES)
    entries = query_tag_json.parse_entries(body)
    started = await call.service.run(desk.add, call.principal, entries)
    if started.is_new:
        return accepted(call, started.operation)
    message = f"There is already an active re-index operation with ID '{started.operation.operation_id}'."
    return PlainTextResponse(message, status_code=409, headers={"Location": operation_url(call, started.operation)})


async def list_query_tags(call: Call) -> Response:
    """Return a page of the tags."""
    limit, offset = query_tag_json.parse_page(call.request.url.query)
    found = await call.service.run(_desk(call).all, call.principal, limit=limit, offset=offset)
    return Response(query_tag_json.encode_query_tags(found, service_url=call.root), media_type=JSON)


async def read_query_tag(call: Call) -> Response:
    """Return one tag."""
    found = await call.service.run(_desk(call).find, call.principal, _tag(call))
    return Response(query_tag_json.encode_query_tag(found, service_url=call.root), media_type=JSON)


async def update_query_tag(call: Call) -> Response:
    """Let searches use a tag or not."""
    tag = _tag(call)
    body = await read_body(call, size_max_bytes=query_tag_json.BODY_SIZE_MAX_BYTES)
    query_status = query_tag_json.parse_query_status(body)
    changed = await call.service.run(_desk(call).set_query_status, call.principal, tag, query_status)
    return Response(query_tag_json.encode_query_tag(changed, service_url=call.root), media_type=JSON)


async def delete_query_tag(call: Call) -> Response:
    """Remove a tag; what is kept of it may go in the background."""
    await call.service.run(_desk(call).remove, call.principal, _tag(call))
    return Response(status_code=204)


async def list_query_tag_errors(call: Call) -> Response:
    """Return a page of the errors of a tag."""
    tag = _tag(call)
    limit, offset = query_tag_json.parse_page(call.request.url.query)
    found = await call.service.run(_desk(call).errors, call.principal, tag, limit=limit, offset=offset)
    return Response(query_tag_json.encode_errors(found), media_type=JSON)


def _tag(call: Call) -> int:
    return query_tag_json.parse_tag_path(call.parameters["tag"])


def _desk(call: Call) -> QueryTagDesk:
    desk = call.service.query_tags
    if desk is None:
        raise NotFound("There are no extended query tags here.")
    return desk
