"""Bulk update (dicom-service 11.2)."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.dicomweb.codec.accept import DICOM_JSON
from isocenter.dicomweb.codec.update_request import (
    BODY_SIZE_MAX_BYTES,
    encode_failed_attributes,
    parse_update_request,
)
from isocenter.dicomweb.server.operations import accepted, read_body
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import InvalidChanges, NotFound


async def start_update(call: Call) -> Response:
    """Begin an update and say where to ask about it."""
    desk, updater = call.service.operations, call.service.updater
    if desk is None or updater is None:
        raise NotFound("Updates are not enabled.")
    body = await read_body(call, size_max_bytes=BODY_SIZE_MAX_BYTES)
    try:
        request = parse_update_request(body, partition_name=call.partition_name)
    except InvalidChanges as error:  # what is wrong is told as a data set, not as a sentence
        return Response(encode_failed_attributes(error.comments), status_code=400, media_type=DICOM_JSON)
    started = await call.service.run(updater.start, desk, call.principal, request)
    return accepted(call, started.operation)
