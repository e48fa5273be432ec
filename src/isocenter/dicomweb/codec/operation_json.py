"""Operations as the service writes them (dicom-service 8)."""

from __future__ import annotations

import uuid

import orjson

from isocenter.dicomweb.codec.change_feed import format_timestamp
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.json_body import parse_json_body
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.operation import Operation, OperationStatus

_GUID_LENGTH_MAX = 68
"""The longest form: hexadecimal numbers in braces."""


def parse_operation_id(text: str) -> str:
    """Return the 32 digits of a GUID in any of its forms. Raises InvalidRequest."""
    try:
        if len(text) > _GUID_LENGTH_MAX:
            raise ValueError
        return uuid.UUID(text.strip("()")).hex
    except ValueError as error:
        raise InvalidRequest("The operation ID is not a GUID.") from error


def operation_path(operation: Operation) -> str:
    """Return the path of an operation below the root of a service."""
    return f"operations/{operation.operation_id}"


def encode_reference(operation: Operation, *, service_url: str) -> bytes:
    """Return what a caller gets who started an operation."""
    href = f"{service_url}/{operation_path(operation)}"
    return orjson.dumps({"id": operation.operation_id, "href": href})


def encode_operation(operation: Operation, dialect: Dialect, *, service_url: str) -> bytes:
    """Return an operation as a JSON object; what is not known is left out."""
    fields: dict[str, object] = {
        "operationId": operation.operation_id,
        "type": operation.type.value,
        "createdTime": format_timestamp(operation.created_at),
        "lastUpdatedTime": format_timestamp(operation.updated_at),
        "status": _status(operation.status, dialect),
    }
    if operation.percent_complete is not None:
        fields["percentComplete"] = operation.percent_complete
    if operation.is_paused and not operation.status.is_final:
        fields["paused"] = True
    if operation.resources:
        fields["resources"] = [f"{service_url}/{path}" for path in operation.resources]
    if operation.results != b"null":
        fields["results"] = orjson.Fragment(operation.results)
    return orjson.dumps(fields)


def _status(status: OperationStatus, dialect: Dialect) -> str:
    is_renamed = status is OperationStatus.SUCCEEDED and dialect is Dialect.AZURE_V1
    return "completed" if is_renamed else status.value


def parse_pause(body: bytes) -> bool:
    """Return whether an operation is to be paused, by the body of a PATCH: `{"paused": true}` or false.

    Raises InvalidRequest.
    """
    fields = parse_json_body(body)
    if not isinstance(fields, dict) or list(fields) != ["paused"] or not isinstance(fields["paused"], bool):
        raise InvalidRequest('The request body must be {"paused": true} or {"paused": false}.')
    return fields["paused"]
