"""WADO-RS: instances, frames and bulk data (PS3.18 10.4, dicom-service 3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.responses import Response

from isocenter.archive import bulk_data, retrieve, transcode
from isocenter.dicomweb.codec.accept import (
    AS_STORED,
    DICOM,
    OCTET_STREAM,
    Representation,
    choose_bulkdata,
    choose_dicom,
    choose_frames,
)
from isocenter.dicomweb.server.counts import Form
from isocenter.dicomweb.server.multipart_body import (
    Part,
    lazy_multipart_body,
    multipart_body,
    single_body,
    whole_multipart_response,
)
from isocenter.dicomweb.server.service import Call
from isocenter.dicomweb.server.streaming import Body, answer
from isocenter.domain.errors import InvalidRequest, NotAcceptable
from isocenter.domain.identifiers import Level, Scope
from isocenter.ports.index import InstanceRow

ATTACHMENT = {"Content-Disposition": "attachment"}
"""Stored bytes are hostile until shown otherwise: no browser is to render them (S31)."""
FRAMES_PER_REQUEST_MAX = 10_000
"""More frames than a request line holds in any form that clients write."""

_FRAME_LIST = (
    "The specified frames value is not valid. At least one frame must be present, and all requested frames must have "
    "value greater than 0."
)
_ONE_FRAME = "The accept header is supported for single frame retrieval, use multi-part accept header instead."


async def retrieve_instances(call: Call) -> Response:
    """Return the instances of a study, a series, or one instance."""
    scope = call.scope()
    chosen = choose_dicom(call.accept, call.dialect, is_instance=scope.level is Level.INSTANCE)
    is_as_stored = chosen.transfer_syntax == AS_STORED and (call.accept or "").count("transfer-syntax") < 2
    service = call.service if is_as_stored else call.for_pictures().service
    return await answer(service, partial(_instances_body, call, scope), ATTACHMENT)


def _instances_body(call: Call, scope: Scope) -> Body:
    rows = retrieve.find_instances(call.archive, call.principal, scope, original=call.wants_original)
    stored = {row.transfer_syntax_uid for row in rows}
    chosen = choose_dicom(
        call.accept,
        call.dialect,
        is_instance=scope.level is Level.INSTANCE,
        stored_transfer_syntax_uid=stored.pop() if len(stored) == 1 else None,
    )
    _refuse_many(call, chosen, rows)
    for row in rows:
        transcode.check_target(call.archive, row, chosen.transfer_syntax)
    parts = [instance_part(call, row, chosen.transfer_syntax) for row in rows]
    return multipart_body(parts, part_type=DICOM) if chosen.is_multipart else single_body(parts[0])


def _refuse_many(call: Call, chosen: Representation, rows: Sequence[InstanceRow]) -> None:
    """Refuse as Azure does: a specific syntax is for one instance only (dicom-service 3.2)."""
    if call.dialect.is_azure and chosen.transfer_syntax != AS_STORED and len(rows) > 1:
        raise NotAcceptable(
            f"Accept transfer syntax '{chosen.transfer_syntax}' is not supported when multiple instances are matched. "
            "Matching instances can be retrieved with their original transfer syntax by specifying 'transfer-syntax=*' "
            "in the Accept header."
        )


def instance_part(call: Call, row: InstanceRow, transfer_syntax_uid: str) -> Part:
    """Return an instance in a transfer syntax, or as it is stored."""
    is_as_stored = transfer_syntax_uid in (AS_STORED, row.transfer_syntax_uid)
    call.service.counts.note_retrieved(Form.STORED if is_as_stored else Form.TRANSCODED)
    if is_as_stored:
        content_type = f"{DICOM}; transfer-syntax={row.transfer_syntax_uid}"
        return Part(content_type, row.address.length, partial(retrieve.read_instance, call.archive, row))
    content_type = f"{DICOM}; transfer-syntax={transfer_syntax_uid}"
    return Part(content_type, None, partial(transcode.iter_transcoded, call.archive, row, transfer_syntax_uid))


def parse_frame_numbers(text: str) -> list[int]:
    """Return the frame numbers of a path segment, counted from 1 (dicom-service 3.4)."""
    pieces = text.replace("%2C", ",").replace("%2c", ",").split(",")
    if len(pieces) > FRAMES_PER_REQUEST_MAX or not all(piece.isascii() and piece.isdigit() for piece in pieces):
        raise InvalidRequest(_FRAME_LIST)
    numbers = [int(piece[:10]) for piece in pieces]
    if not all(numbers):
        raise InvalidRequest(_FRAME_LIST)
    return numbers


async def retrieve_frames(call: Call) -> Response:
    """Return frames, each in a part that names its transfer syntax."""
    numbers = parse_frame_numbers(call.parameters["frames"])
    scope = call.scope()
    early = choose_frames(call.accept, call.dialect)
    if not early.is_multipart and len(numbers) > 1:
        raise InvalidRequest(_ONE_FRAME)
    try:
        return await _answer_frames(call, scope, numbers)
    except _NeedsDecoding:
        return await _answer_frames(call.for_pictures(), scope, numbers)


async def _answer_frames(call: Call, scope: Scope, numbers: Sequence[int]) -> Response:
    if len(numbers) == 1:
        return await call.service.run(_frame_response, call, scope, numbers[0])
    return await answer(call.service, partial(_frames_body, call, scope, numbers), {})


class _NeedsDecoding(Exception):
    """The frames may have to be decoded, for which the threads of the call are not."""


def _choose_frames(call: Call, scope: Scope) -> tuple[InstanceRow, Representation, str]:
    row = retrieve.find_instance(call.archive, call.principal, scope)
    chosen = choose_frames(call.accept, call.dialect, stored_transfer_syntax_uid=row.transfer_syntax_uid)
    wanted = chosen.transfer_syntax
    if wanted == AS_STORED and chosen.media_type == OCTET_STREAM and not call.dialect.is_azure:
        wanted = transcode.FOR_VIEWER
    if not call.service.is_for_pictures and transcode.needs_decoding(row, wanted):
        raise _NeedsDecoding
    return row, chosen, wanted


def _frame_response(call: Call, scope: Scope, number: int) -> Response:
    row, chosen, wanted = _choose_frames(call, scope)
    [frame] = transcode.read_frames(call.archive, row, [number], transfer_syntax_uid=wanted)
    content_type = f"{chosen.media_type}; transfer-syntax={frame.transfer_syntax_uid}"
    if not chosen.is_multipart:
        return Response(frame.content, media_type=content_type, headers=ATTACHMENT)
    return whole_multipart_response([(content_type, frame.content)], part_type=chosen.media_type)


def _frames_body(call: Call, scope: Scope, numbers: Sequence[int]) -> Body:
    row, chosen, wanted = _choose_frames(call, scope)
    frames = transcode.read_frames(call.archive, row, numbers, transfer_syntax_uid=wanted)
    parts = ((f"{chosen.media_type}; transfer-syntax={frame.transfer_syntax_uid}", frame.content) for frame in frames)
    return lazy_multipart_body(parts, part_type=chosen.media_type)


async def retrieve_bulk_data(call: Call) -> Response:
    """Return one value of an instance, as its BulkDataURI names it."""
    chosen = choose_bulkdata(call.accept)
    path = "/".join(value for name, value in call.parameters.items() if name.startswith("path"))
    return await answer(call.service, partial(_bulk_body, call, call.scope(), path, chosen), ATTACHMENT)


def _bulk_body(call: Call, scope: Scope, path: str, chosen: Representation) -> Body:
    row = retrieve.find_instance(call.archive, call.principal, scope)
    values = bulk_data.open_bulk_data(call.archive, row, path)
    parts = [Part(OCTET_STREAM, value.length, value.read) for value in values]
    if chosen.is_multipart:
        return multipart_body(parts, part_type=OCTET_STREAM)
    if len(parts) > 1:
        raise NotAcceptable("The frames of this value come in several parts: accept multipart/related.")
    return single_body(parts[0])
