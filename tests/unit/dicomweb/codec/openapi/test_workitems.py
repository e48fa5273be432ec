from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Place
from isocenter.dicomweb.codec.openapi.workitems import (
    describe_cancellation,
    describe_create,
    describe_search,
    searchable_attributes,
)
from isocenter.dicomweb.codec.workitem_query import parse_workitem_search
from isocenter.dicomweb.codec.workitem_request import parse_uid_parameter, require_dicom_json_body
from isocenter.domain.identifiers import DEFAULT_PARTITION

VALUES = {"DT": "20260101", "UI": "1.2", "DA": "20260101"}


@pytest.mark.parametrize("dialect", Dialect)
def test_the_parser_takes_every_attribute_that_is_described(dialect: Dialect) -> None:
    names = {parameter.name for parameter in describe_search(Place("GET", "workitems", dialect)).parameters}
    for attribute in searchable_attributes(dialect):
        assert attribute.keyword in names
        query = f"{attribute.keyword}={VALUES.get(attribute.vr, 'X')}"
        found = parse_workitem_search(query, dialect, partition_name=DEFAULT_PARTITION)
        assert (found.matched_tags, found.warnings) == ((attribute.path[0],), ())


@pytest.mark.parametrize("dialect", Dialect)
def test_every_media_type_that_is_described_is_taken(dialect: Dialect) -> None:
    types = describe_create(Place("POST", "workitems", dialect)).takes
    assert types
    for media_type in types:
        require_dicom_json_body(media_type, dialect)


def test_by_the_standard_the_uid_may_be_named_as_described() -> None:
    [parameter] = describe_create(Place("POST", "workitems", Dialect.STANDARD)).parameters
    assert parse_uid_parameter(f"{parameter.name}=1.2.3", Dialect.STANDARD) == "1.2.3"
    assert describe_create(Place("POST", "workitems", Dialect.AZURE_V2)).parameters == ()


@pytest.mark.parametrize(("dialect", "is_required"), [(Dialect.STANDARD, False), (Dialect.AZURE_V1, True)])
def test_by_the_standard_a_cancellation_needs_no_words(dialect: Dialect, is_required: bool) -> None:
    body = describe_cancellation(Place("POST", "workitems/{workitem}/cancelrequest", dialect)).body
    assert body is not None
    assert body.is_required is is_required
