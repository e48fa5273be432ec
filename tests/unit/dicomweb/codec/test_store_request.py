"""dicom-service 2.1, row by row."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.store_request import StoreBody, check_part, parse_store_content_type
from isocenter.domain.errors import InvalidRequest, UnsupportedMediaType

AZURE = Dialect.AZURE_V2
STANDARD = Dialect.STANDARD


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/dicom", StoreBody(None)),
        ('multipart/related; type="application/dicom"; boundary=abc', StoreBody("abc", "application/dicom")),
        ('multipart/related; boundary="a b:c"; type=application/dicom', StoreBody("a b:c", "application/dicom")),
        ("multipart/related; boundary=abc", StoreBody("abc", None)),
    ],
)
def test_a_body_is_one_instance_or_parts(content_type: str, expected: StoreBody, dialect: Dialect) -> None:
    body = parse_store_content_type(content_type, dialect)
    assert body == expected
    assert body.is_multipart is (expected.boundary is not None)


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "nonsense",
        "multipart/form",
        "multipart/form-data; boundary=abc",
        'multipart/related; type="application/dicom"',
        'multipart/related; type="application/dicom"; boundary=""',
        'multipart/related; type="application/dicom+json"; boundary=abc',
        'multipart/related; type="application/dicom+xml"; boundary=abc',
        "application/dicom+json",
        "application/json",
    ],
)
def test_another_body_is_not_taken(content_type: str | None, dialect: Dialect) -> None:
    with pytest.raises(UnsupportedMediaType):
        parse_store_content_type(content_type, dialect)


def test_azure_takes_a_single_part_without_parameters_only() -> None:
    content_type = "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert parse_store_content_type(content_type, STANDARD) == StoreBody(None)
    with pytest.raises(UnsupportedMediaType):
        parse_store_content_type(content_type, AZURE)


def test_a_start_parameter_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^The start parameter in multipart/related request is not supported\.$"):
        parse_store_content_type('multipart/related; type="application/dicom"; boundary=a; start="<x>"', AZURE)


def test_a_boundary_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^There was an error reading the multipart request\.$"):
        parse_store_content_type(f"multipart/related; boundary={'b' * 201}", AZURE)


TYPED = StoreBody("b", "application/dicom")
UNTYPED = StoreBody("b", None)


@pytest.mark.parametrize(
    ("headers", "body", "dialect", "is_first"),
    [
        ({"content-type": "application/dicom"}, UNTYPED, AZURE, False),
        ({"content-type": "application/dicom; transfer-syntax=1.2"}, UNTYPED, AZURE, False),
        ({}, TYPED, AZURE, True),
        ({}, UNTYPED, STANDARD, False),
    ],
)
def test_a_part_that_holds_an_instance_is_taken(
    headers: dict[str, str], body: StoreBody, dialect: Dialect, is_first: bool
) -> None:
    check_part(headers, body, dialect, is_first=is_first)


@pytest.mark.parametrize(
    ("headers", "body", "dialect", "is_first"),
    [
        ({"content-type": "application/dicom+json"}, TYPED, STANDARD, True),
        ({"content-type": "nonsense"}, TYPED, AZURE, True),
        ({}, TYPED, AZURE, False),
        ({}, UNTYPED, AZURE, True),
    ],
)
def test_a_part_that_holds_anything_else_is_not_taken(
    headers: dict[str, str], body: StoreBody, dialect: Dialect, is_first: bool
) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_part(headers, body, dialect, is_first=is_first)
