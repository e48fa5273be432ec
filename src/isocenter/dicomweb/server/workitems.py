"""UPS-RS: create, search, retrieve, update, change state, request cancellation (PS3.18 11, dicom-service 9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import wraps

from starlette.responses import Response

from isocenter.archive.workitem import (
    WorkitemName,
    change_workitem_state,
    create_workitem,
    decode_content,
    find_workitem,
    search_workitems,
    update_workitem,
)
from isocenter.archive.workitem_cancellation import cancel_workitem
from isocenter.archive.workitem_creation import complete_attributes
from isocenter.dicom.json_document import Document
from isocenter.dicomweb.codec.accept import DICOM_JSON, require_dicom_json
from isocenter.dicomweb.codec.store_request import check_content_encoding
from isocenter.dicomweb.codec.warning import format_warning
from isocenter.dicomweb.codec.workitem_json import FoundWorkitems, encode_found, encode_message, encode_workitem
from isocenter.dicomweb.codec.workitem_query import WorkitemSearch, parse_workitem_search
from isocenter.dicomweb.codec.workitem_request import (
    parse_uid_parameter,
    parse_workitem_body,
    require_dicom_json_body,
)
from isocenter.dicomweb.server.metadata import GZIP_SIZE_MIN_BYTES, accepts_gzip, gzip
from isocenter.dicomweb.server.request_body import iter_body
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import (
    AlreadyCanceled,
    CancellationRefused,
    InvalidAttributes,
    IsocenterError,
    TooLarge,
    WorkitemChanged,
    WorkitemExists,
    WorkitemNotFound,
    WorkitemRefused,
)
from isocenter.domain.identifiers import parse_uid
from isocenter.domain.statuses import statuses_of
from isocenter.domain.workitem import REQUESTABLE_STATES, WORKITEM_SIZE_MAX_BYTES, Outcome, already_final

MORE = "There are additional results that can be requested."
"""PS3.18 8.3.4.4."""
WARNINGS_MAX = 16
"""More in one header say nothing more, and proxies refuse long ones."""

_FAILURES = (
    AlreadyCanceled,
    CancellationRefused,
    InvalidAttributes,
    WorkitemChanged,
    WorkitemExists,
    WorkitemNotFound,
    WorkitemRefused,
)
"""What is said of a workitem, as opposed to a request that is not understood at all."""
_CANCELED = "The workitem instance has been cancelled."
_INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
_STANDARD_WARNINGS: Mapping[str, str] = {
    "C300": _INCONSISTENT,
    "C301": "The Transaction UID is incorrect.",
    "C302": _INCONSISTENT,
    "C310": _INCONSISTENT,
    "C311": "The UPS is already COMPLETED.",
    "C312": "Performer chooses not to cancel.",
}
"""How the standard says why a request was refused, by DIMSE's status (PS3.18 11.6.3.2, 11.7.3.2, 11.8.3.2)."""

_Handler = Callable[[Call], Awaitable[Response]]


def _with_failures_in_json(handler: _Handler) -> _Handler:
    """Return a handler that says in JSON what is wrong with a workitem; other refusals go their usual way."""

    @wraps(handler)
    async def answer(call: Call) -> Response:
        try:
            return await handler(call)
        except _FAILURES as error:
            return _failure(call, error)

    return answer


def _failure(call: Call, error: IsocenterError) -> Response:
    headers = {}
    warning = _warning(call, error)
    if warning:
        headers["Warning"] = format_warning(call.root, warning)
    status = statuses_of(error).http_status
    return Response(encode_message(error.message), status_code=status, media_type=DICOM_JSON, headers=headers)


def _warning(call: Call, error: IsocenterError) -> str:
    if isinstance(error, AlreadyCanceled):
        return error.message
    if isinstance(error, WorkitemRefused | CancellationRefused) and not call.dialect.is_azure:
        return _STANDARD_WARNINGS[error.code]
    return ""


@_with_failures_in_json
async def create(call: Call) -> Response:
    """Create a workitem, under the UID of the query or of its attributes."""
    require_dicom_json(call.accept, call.dialect)
    uid = parse_uid_parameter(call.request.url.query, call.dialect)
    attributes = await _read_document(call)
    if not call.dialect.is_azure:
        attributes = complete_attributes(attributes)
    created = await call.service.run(
        create_workitem,
        call.archive,
        call.principal,
        attributes,
        partition_name=call.partition_name,
        sop_instance_uid=uid,
    )
    url = _url(call, created.sop_instance_uid)
    return Response(status_code=201, headers={"Location": url, "Content-Location": url})


@_with_failures_in_json
async def retrieve(call: Call) -> Response:
    """Return all attributes of a workitem; its lock is not among them."""
    require_dicom_json(call.accept, call.dialect)
    workitem = await call.service.run(find_workitem, call.archive, call.principal, _name(call))
    decode_content(workitem)
    in_array = not call.dialect.is_azure or call.service.azure.workitem_in_array
    return Response(encode_workitem(workitem, in_array=in_array), media_type=DICOM_JSON)


async def search(call: Call) -> Response:
    """Search for workitems."""
    require_dicom_json(call.accept, call.dialect)
    asked = parse_workitem_search(call.request.url.query, call.dialect, partition_name=call.partition_name)
    found, has_more = await call.service.run(_find, call, asked)
    warnings = (*asked.warnings[:WARNINGS_MAX], *((MORE,) if has_more else ()))
    headers = {"Vary": "Accept, Accept-Encoding"}
    if warnings:
        headers["Warning"] = ", ".join(format_warning(call.root, warning) for warning in warnings)
    if not found.count and not found.is_partial:
        return Response(status_code=204, headers=headers)
    content = found.content
    if len(content) >= GZIP_SIZE_MIN_BYTES and accepts_gzip(call):
        content = gzip(content)
        headers["Content-Encoding"] = "gzip"
    status = 206 if found.is_partial or has_more else 200
    return Response(content, status_code=status, media_type=DICOM_JSON, headers=headers)


def _find(call: Call, asked: WorkitemSearch) -> tuple[FoundWorkitems, bool]:
    """Return the answer and, by the standard, whether there is more behind it, which one too many tells."""
    limit = asked.query.limit
    query = asked.query if call.dialect.is_azure else replace(asked.query, limit=limit + 1)
    found = search_workitems(call.archive, call.principal, query)
    return encode_found(found[:limit], asked), len(found) > limit


@_with_failures_in_json
async def update(call: Call) -> Response:
    """Change attributes of a workitem, with the Transaction UID in the query once it is claimed."""
    name = _name(call)
    transaction_uid = parse_uid_parameter(call.request.url.query, call.dialect)
    changes = await _read_document(call)
    await call.service.run(
        update_workitem, call.archive, call.principal, name, changes, transaction_uid=transaction_uid
    )
    return Response(status_code=200, headers={"Content-Location": _url(call, name.sop_instance_uid)})


@_with_failures_in_json
async def change_state(call: Call) -> Response:
    """Claim a workitem, complete or cancel it."""
    name = _name(call)
    wanted = await _read_document(call)
    verdict = await call.service.run(change_workitem_state, call.archive, call.principal, name, wanted)
    headers = {}
    if verdict.outcome is Outcome.ALREADY_THERE:
        state = REQUESTABLE_STATES[wanted["00741000"]["Value"][0]]
        message = already_final(state, verdict)
        if not call.dialect.is_azure:
            message = f"The UPS is already in the requested state of {state.value}."
        headers["Warning"] = format_warning(call.root, message)
    return Response(status_code=200, headers=headers)


@_with_failures_in_json
async def request_cancellation(call: Call) -> Response:
    """Ask that a workitem be canceled."""
    name = _name(call)
    request = await _read_document(call, may_be_empty=not call.dialect.is_azure)
    await call.service.run(cancel_workitem, call.archive, call.principal, name, request)
    return Response(encode_message(_CANCELED), status_code=202, media_type=DICOM_JSON)


async def _read_document(call: Call, *, may_be_empty: bool = False) -> Document:
    """Return the data set of the body."""
    headers = call.request.headers
    check_content_encoding(headers.get("content-encoding"))
    is_typed = "content-type" in headers
    if is_typed or not may_be_empty:
        require_dicom_json_body(headers.get("content-type"), call.dialect)
    content = bytearray()
    async for chunk in iter_body(call.request, idle_max_s=call.service.body_idle_max_s):
        content += chunk
        if len(content) > WORKITEM_SIZE_MAX_BYTES:
            raise TooLarge(f"The request exceeded the allowed limit of {WORKITEM_SIZE_MAX_BYTES} bytes.")
    if may_be_empty and not content:
        return {}
    require_dicom_json_body(headers.get("content-type"), call.dialect)
    return parse_workitem_body(bytes(content), call.dialect)


def _name(call: Call) -> WorkitemName:
    return WorkitemName(call.partition_name, parse_uid(call.parameters["workitem"]))


def _url(call: Call, sop_instance_uid: str) -> str:
    return f"{call.resource_root}/workitems/{sop_instance_uid}"
