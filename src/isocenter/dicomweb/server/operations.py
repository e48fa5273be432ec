"""Operations: how far long work is, and its pause (dicom-service 8)."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.archive.operations import OperationDesk
from isocenter.dicomweb.codec.operation_json import (
    encode_operation,
    encode_reference,
    operation_path,
    parse_operation_id,
    parse_pause,
)
from isocenter.dicomweb.server.request_body import iter_body
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import NotFound, TooLarge
from isocenter.domain.operation import Operation

JSON = "application/json; charset=utf-8"
PAUSE_SIZE_MAX_BYTES = 1024
"""`{"paused": false}` and some blanks."""


async def read_operation(call: Call) -> Response:
    """Return an operation: 202 while it goes on, 200 when it has ended."""
    operation_id = parse_operation_id(call.parameters["operation"])
    return _answer(call, await call.service.run(_desk(call).find, call.principal, operation_id))


async def pause_operation(call: Call) -> Response:
    """Pause an operation, or let it go on; beyond what Azure's service offers."""
    operation_id = parse_operation_id(call.parameters["operation"])
    is_paused = parse_pause(await read_body(call, size_max_bytes=PAUSE_SIZE_MAX_BYTES))
    desk = _desk(call)
    return _answer(
        call, await call.service.run(desk.set_paused, call.principal, operation_id, is_paused=is_paused), status=200
    )


async def read_body(call: Call, *, size_max_bytes: int) -> bytes:
    """Return a body that is held in memory. Raises TooLarge beyond a limit, TooSlow where it stands still."""
    body = bytearray()
    async for chunk in iter_body(call.request, idle_max_s=call.service.body_idle_max_s):
        body += chunk
        if len(body) > size_max_bytes:
            raise TooLarge(f"The request exceeded the allowed limit of {size_max_bytes} bytes.")
    return bytes(body)


def accepted(call: Call, operation: Operation) -> Response:
    """Return the answer to who started an operation."""
    content = encode_reference(operation, service_url=call.root)
    return Response(content, status_code=202, media_type=JSON, headers={"Location": operation_url(call, operation)})


def operation_url(call: Call, operation: Operation) -> str:
    """Return where an operation is asked about."""
    return f"{call.root}/{operation_path(operation)}"


def _answer(call: Call, operation: Operation, *, status: int | None = None) -> Response:
    content = encode_operation(operation, call.dialect, service_url=call.root)
    if status is None:
        status = 200 if operation.status.is_final else 202
    headers = {"Location": operation_url(call, operation)} if status == 202 else {}
    return Response(content, status_code=status, media_type=JSON, headers=headers)


def _desk(call: Call) -> OperationDesk:
    desk = call.service.operations
    if desk is None:
        raise NotFound("The specified operation cannot be found.")
    return desk
