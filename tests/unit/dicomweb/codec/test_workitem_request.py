from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.workitem_request import (
    parse_uid_parameter,
    parse_workitem_body,
    require_dicom_json_body,
)
from isocenter.domain.errors import InvalidRequest, UnsupportedMediaType

AZURE, STANDARD = Dialect.AZURE_V2, Dialect.STANDARD
BOTH = pytest.mark.parametrize("dialect", [AZURE, STANDARD])


@BOTH
@pytest.mark.parametrize("given", ["application/dicom+json", "Application/DICOM+JSON; charset=utf-8"])
def test_a_body_is_dicom_json(given: str, dialect: Dialect) -> None:
    require_dicom_json_body(given, dialect)


@BOTH
@pytest.mark.parametrize("given", [None, "", "application/dicom", "text/plain", "application/dicom+xml", "json"])
def test_any_other_body_is_refused(given: str | None, dialect: Dialect) -> None:
    with pytest.raises(UnsupportedMediaType):
        require_dicom_json_body(given, dialect)


def test_plain_json_will_do_by_the_standard_alone() -> None:
    require_dicom_json_body("application/json", STANDARD)
    with pytest.raises(UnsupportedMediaType):
        require_dicom_json_body("application/json", AZURE)


@BOTH
def test_a_body_is_an_array_with_one_data_set(dialect: Dialect) -> None:
    content = b'[{"00100020": {"vr": "LO", "Value": ["P1"]}}]'
    assert parse_workitem_body(content, dialect) == {"00100020": {"vr": "LO", "Value": ["P1"]}}
    assert parse_workitem_body(b"[{}]", dialect) == {}


def test_an_object_alone_will_do_by_the_standard_alone() -> None:
    assert parse_workitem_body(b"{}", STANDARD) == {}
    with pytest.raises(InvalidRequest):
        parse_workitem_body(b"{}", AZURE)


@BOTH
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The request body is missing."),
        (b" \n", "The request body is missing."),
        (b"[", "The syntax of the request body is invalid."),
        (b"null", "The syntax of the request body is invalid."),
        (b"[]", "The syntax of the request body is invalid."),
        (b"[{}, {}]", "The syntax of the request body is invalid."),
        (b'["x"]', "The syntax of the request body is invalid."),
        (b'[{"nonsense": {}}]', "The syntax of the request body is invalid."),
        (b'[{"00100020": {"vr": "LO", "Value": "P1"}}]', "The syntax of the request body is invalid."),
        (b"\xff\xfe", "The syntax of the request body is invalid."),
        (b"[" * 100_000, "The syntax of the request body is invalid."),
    ],
)
def test_what_is_none_is_refused(content: bytes, message: str, dialect: Dialect) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_workitem_body(content, dialect)
    assert caught.value.message.startswith(message)


def test_no_refusal_repeats_a_value() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_workitem_body(b'[{"00100010": {"vr": "PN", "Value": [["Secret^Name"]]}}]', AZURE)
    assert "Secret" not in caught.value.message


@pytest.mark.parametrize(
    ("query_string", "dialect", "expected"),
    [
        ("", AZURE, None),
        ("1.2.3", AZURE, "1.2.3"),
        ("1.2.3=", AZURE, "1.2.3"),
        ("1.2.3&x=y", AZURE, "1.2.3"),
        ("1.2.3", STANDARD, "1.2.3"),
        ("workitem=1.2.3", STANDARD, "1.2.3"),
        ("AffectedSOPInstanceUID=1.2.3", STANDARD, "1.2.3"),
        ("transaction-uid=1.2.3", STANDARD, "1.2.3"),
        ("accept=application/dicom%2Bjson&1.2.3", STANDARD, "1.2.3"),
        ("accept=application/dicom%2Bjson", STANDARD, None),
    ],
)
def test_the_uid_stands_alone_in_the_query(query_string: str, dialect: Dialect, expected: str | None) -> None:
    assert parse_uid_parameter(query_string, dialect) == expected


@pytest.mark.parametrize(
    ("query_string", "dialect"),
    [
        ("abc", AZURE),
        ("workitem=1.2.3", AZURE),
        ("x=1.2.3", STANDARD),
        ("1" * 65, AZURE),
        ("%ff", AZURE),
        ("workitem=", STANDARD),
        ("&".join(f"{number}=" for number in range(20)), AZURE),
    ],
)
def test_what_is_no_uid_is_refused(query_string: str, dialect: Dialect) -> None:
    with pytest.raises(InvalidRequest):
        parse_uid_parameter(query_string, dialect)
