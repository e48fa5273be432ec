from __future__ import annotations

import json
from typing import Any

import pytest

from isocenter.archive.export import ExportRequest
from isocenter.dicomweb.codec.export_request import parse_export_request
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Scope
from isocenter.ports.export_sink import ExportDestination

URL = "https://acct.blob.core.windows.net/export"


def _body(settings: dict[str, Any] | None = None, *, kind: str = "azureblob", **fields: Any) -> bytes:
    destination = {"type": kind, "settings": {"blobContainerUri": URL} if settings is None else settings}
    return json.dumps({"destination": destination, **fields}).encode()


def _source(*values: object, kind: str = "identifiers") -> dict[str, Any]:
    return {"type": kind, "settings": {"values": list(values)}}


def _parse(body: bytes) -> ExportRequest:
    return parse_export_request(body, partition_name="here")


def test_identifiers_name_studies_series_and_instances() -> None:
    request = _parse(_body(source=_source("1.2", "1.2/3", "1.2/3/4.5")))
    assert request.scopes == (Scope("1.2"), Scope("1.2", "3"), Scope("1.2", "3", "4.5"))
    assert request.destination == ExportDestination(container_url=URL)
    assert request.partition_name == "here"


def test_no_source_is_everything_and_names_are_read_in_any_case() -> None:
    body = b'{"Destination":{"TYPE":"AzureBlob","Settings":{"BLOBCONTAINERURI":"https://a.blob.core.windows.net/c"}}}'
    request = _parse(body)
    assert request.scopes is None
    assert request.destination.container_url == "https://a.blob.core.windows.net/c"


def test_a_folder_of_the_node_may_be_named() -> None:
    assert _parse(_body({"path": "trial"}, kind="folder")).destination == ExportDestination(folder="trial")
    assert _parse(_body({}, kind="folder")).destination == ExportDestination(folder=".")


def test_the_key_of_the_emulator_is_no_secret() -> None:
    text = "AccountName=devstoreaccount1;AccountKey=x;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"
    request = _parse(_body({"connectionString": text, "blobContainerName": "c"}))
    assert request.destination == ExportDestination(connection_string=text, container_name="c")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The request body is missing."),
        (b"{", "The syntax of the request body is invalid."),
        (b"[]", "It must be an object."),
        (b"{}", "The field 'destination' in request body is invalid"),
        (_body(kind="ftp"), "Unsupported export destination 'ftp'."),
        (_body(source=_source("1.2", kind="query")), "Unsupported export source 'query'."),
        (_body(source=_source()), "At least one DICOM identifier"),
        (_body(source=_source("1.2/x")), "The string '1.2/x' was not recognized as a valid DICOM identifier."),
        (_body(source=_source("1/2/3/4")), "The string '1/2/3/4' was not recognized"),
        (_body(source=_source(7.5)), None),
        (_body({}), "Please specify both ConnectionString and BlobContainerName."),
        (_body({"connectionString": "x"}), "Please specify both ConnectionString and BlobContainerName."),
        (_body({"blobContainerUri": URL, "connectionString": "x"}), "Please specify either"),
        (
            _body({"connectionString": "AccountName=a;AccountKey=k", "blobContainerName": "c"}),
            "Account key authentication is not supported.",
        ),
        (_body({"blobContainerUri": f"{URL}?sig=x", "useManagedIdentity": True}), "A managed identity cannot"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_what_to_change(body: bytes, told: str | None) -> None:
    if told is None:
        assert _parse(body).scopes == (Scope("7.5"),)
        return
    with pytest.raises(InvalidRequest) as refused:
        _parse(body)
    assert told in refused.value.message
