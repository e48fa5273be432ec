from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import orjson
import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.operation_json import (
    encode_operation,
    encode_reference,
    parse_operation_id,
    parse_pause,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.operation import Operation, OperationStatus, OperationType

GUID = uuid.UUID("1323c079-a1b6-4efc-b894-3ef7707b5438")
URL = "https://host/v2"
NEW = Operation(GUID.hex, OperationType.REINDEX, 0.0, 1.5, b"{}", resources=("extendedquerytags/00101010",))


def _read(operation: Operation, dialect: Dialect = Dialect.AZURE_V2) -> Any:
    return orjson.loads(encode_operation(operation, dialect, service_url=URL))


@pytest.mark.parametrize("text", [GUID.hex, str(GUID), GUID.hex.upper(), f"{{{GUID}}}", f"({GUID})", GUID.urn])
def test_a_guid_is_read_in_any_form(text: str) -> None:
    assert parse_operation_id(text) == GUID.hex


@pytest.mark.parametrize("text", ["", "1", "x" * 32, "1" * 33, "1" * 100_000])
def test_what_is_no_guid_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_operation_id(text)


def test_an_operation_that_has_not_begun_says_what_it_is() -> None:
    assert _read(NEW) == {
        "operationId": GUID.hex,
        "type": "reindex",
        "createdTime": "1970-01-01T00:00:00.0000000+00:00",
        "lastUpdatedTime": "1970-01-01T00:00:01.5000000+00:00",
        "status": "notStarted",
        "resources": ["https://host/v2/extendedquerytags/00101010"],
    }


def test_progress_pause_and_results_are_told() -> None:
    running = replace(NEW.advanced(now=2.0, checkpoint=b"1", percent_complete=7), is_paused=True)
    told = _read(running)
    assert (told["status"], told["percentComplete"], told["paused"]) == ("running", 7, True)
    ended = running.ended(OperationStatus.SUCCEEDED, now=3.0, results=b'{"exported":9}')
    told = _read(ended)
    assert (told["status"], told["percentComplete"], told["results"]) == ("succeeded", 100, {"exported": 9})
    assert "paused" not in told


def test_the_first_version_has_another_word_for_success() -> None:
    ended = NEW.ended(OperationStatus.SUCCEEDED, now=3.0, results=b"null")
    assert _read(ended, Dialect.AZURE_V1)["status"] == "completed"
    assert "percentComplete" not in _read(ended)


def test_who_starts_an_operation_is_told_where_to_ask() -> None:
    assert orjson.loads(encode_reference(NEW, service_url=URL)) == {
        "id": GUID.hex,
        "href": f"https://host/v2/operations/{GUID.hex}",
    }


def test_a_pause_is_asked_for_in_so_many_words() -> None:
    assert parse_pause(b'{"paused": true}')
    assert not parse_pause(b' { "paused" : false } ')


@pytest.mark.parametrize("body", [b"", b"true", b"{}", b'{"paused": 1}', b'{"paused": true, "x": 1}', b"[]", b"\xff"])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_pause(body)
