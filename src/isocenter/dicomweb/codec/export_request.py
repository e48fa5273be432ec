"""The body of an export request (dicom-service 11.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.archive.export import ExportRequest
from isocenter.dicomweb.codec.json_body import parse_json_body
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Scope, is_uid
from isocenter.ports.export_sink import ExportDestination

BODY_SIZE_MAX_BYTES = 2 * 1024**2
"""Ten thousand identifiers of three UIDs."""
_EMULATOR_ACCOUNT = "devstoreaccount1"


def parse_export_request(body: bytes, *, partition_name: str) -> ExportRequest:
    """Return what an export is asked to do; without a source it is everything. Raises InvalidRequest."""
    fields = _object(parse_json_body(body), "$")
    return ExportRequest(_source(fields), _destination(fields), partition_name)


def _source(fields: Mapping[str, Any]) -> tuple[Scope, ...] | None:
    if fields.get("source") is None:
        return None
    source = _object(fields["source"], "source")
    kind = str(source.get("type", ""))
    if kind.lower() != "identifiers":
        raise InvalidRequest(f"Unsupported export source '{kind}'.")
    values = _object(source.get("settings"), "source.settings").get("values")
    if not isinstance(values, list) or not values:
        raise InvalidRequest(_invalid("source.settings.values", "At least one DICOM identifier must be specified."))
    return tuple(_scope(value) for value in values)


def _scope(value: object) -> Scope:
    parts = str(value).split("/")
    if not 1 <= len(parts) <= 3 or not all(is_uid(part) for part in parts):
        raise InvalidRequest(f"The string '{value}' was not recognized as a valid DICOM identifier.")
    return Scope(*parts)


def _destination(fields: Mapping[str, Any]) -> ExportDestination:
    destination = _object(fields.get("destination"), "destination")
    kind = str(destination.get("type", ""))
    settings = _object(destination.get("settings"), "destination.settings")
    if kind.lower() == "folder":
        name = settings.get("path", ".")
        return ExportDestination(folder=str(name) or ".")
    if kind.lower() != "azureblob":
        raise InvalidRequest(f"Unsupported export destination '{kind}'.")
    return _azure_blob(settings)


def _azure_blob(settings: Mapping[str, Any]) -> ExportDestination:
    url = str(settings.get("blobcontaineruri") or "")
    connection_string = str(settings.get("connectionstring") or "")
    name = str(settings.get("blobcontainername") or "")
    uses_identity = settings.get("usemanagedidentity") is True
    if url and (connection_string or name):
        raise InvalidRequest("Please specify either a BlobContainerUri or a ConnectionString and BlobContainerName.")
    if not url and not (connection_string and name):
        raise InvalidRequest("Please specify both ConnectionString and BlobContainerName.")
    if uses_identity and (connection_string or "sig=" in url):
        raise InvalidRequest("A managed identity cannot be used together with a SAS token or a connection string.")
    lowered = connection_string.lower()
    if "accountkey=" in lowered and f"accountname={_EMULATOR_ACCOUNT}" not in lowered:
        raise InvalidRequest("Account key authentication is not supported.")
    return ExportDestination(url, connection_string, name, uses_identity)


def _object(value: object, path: str) -> Mapping[str, Any]:
    """Return a JSON object by names in lower case, as the service reads them without regard to case."""
    if not isinstance(value, dict):
        raise InvalidRequest(_invalid(path, "It must be an object."))
    return {str(name).lower(): field for name, field in value.items()}


def _invalid(path: str, reason: str) -> str:
    return f"The field '{path}' in request body is invalid: {reason}"
