"""Export (dicom-service 11.1)."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.dicomweb.codec.export_request import BODY_SIZE_MAX_BYTES, parse_export_request
from isocenter.dicomweb.server.operations import accepted, read_body
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import NotFound


async def start_export(call: Call) -> Response:
    """Begin an export and say where to ask about it."""
    desk, exporter = call.service.operations, call.service.exporter
    if desk is None or exporter is None:
        raise NotFound("Exports are not enabled.")
    body = await read_body(call, size_max_bytes=BODY_SIZE_MAX_BYTES)
    request = parse_export_request(body, partition_name=call.partition_name)
    started = await call.service.run(exporter.start, desk, call.principal, request)
    return accepted(call, started.operation)
