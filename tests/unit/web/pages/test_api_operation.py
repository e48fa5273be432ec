from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.document import ServiceDescription, build_document
from isocenter.dicomweb.server.routes import described_under
from isocenter.web.pages.api_operation import OperationSection, describe_kind, operation_groups, schema_sections


def _document(*, authority: str | None = None, root: str = "/v2", dialect: Dialect = Dialect.AZURE_V2) -> Any:
    service = ServiceDescription("Title", "1", f"https://host{root}", dialect, authority, has_partitions=False)
    return build_document(service, described_under(root))


def _section(name: str, *, authority: str | None = None) -> OperationSection:
    groups = operation_groups(_document(authority=authority)).values()
    return next(section for sections in groups for section in sections if section.name == name)


def test_every_operation_of_the_document_stands_under_one_heading() -> None:
    document = _document()
    sections = [section for sections in operation_groups(document).values() for section in sections]
    expected = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert {(section.method, section.path) for section in sections} == expected
    assert len(sections) == len(expected)


def test_storing_and_searching_come_first() -> None:
    assert list(operation_groups(_document()))[:2] == ["Store", "Search"]


def test_a_section_tells_parameters_answers_and_what_it_needs() -> None:
    section = _section("SearchStudies")
    limit = next(line for line in section.parameters if line.name == "limit")
    assert (limit.place, limit.kind) == ("query", "integer from 1 to 200, default 100")
    assert section.action == "read"
    assert section.source == "PS3.18 10.6, QIDO-RS"
    found = next(answer for answer in section.answers if answer.status == "200")
    assert [(line.media_type, line.schema_name) for line in found.contents] == [("application/dicom+json", "Datasets")]
    assert "Warning" in found.headers


def test_failures_that_the_document_shares_are_told_in_full() -> None:
    refused = next(answer for answer in _section("SearchStudies").answers if answer.status == "406")
    assert refused.is_failure
    assert refused.text.startswith("Nothing that the request accepts")


@pytest.mark.parametrize(
    ("name", "authority", "command"),
    [
        ("SearchStudies", None, "curl \"https://host/v2/studies\" \\\n  -H 'Accept: application/dicom+json'"),
        (
            "DeleteSeries",
            "https://host/tenant",
            'curl -X DELETE "https://host/v2/studies/$STUDY/series/$SERIES" \\\n  -H "Authorization: Bearer $TOKEN"',
        ),
        (
            "ReadOpenapiJson",
            "https://host/tenant",
            "curl \"https://host/v2/api.json\" \\\n  -H 'Accept: application/json'",
        ),
    ],
    ids=["nobody is asked for a token", "a token is asked for", "anybody may read the document"],
)
def test_a_section_has_a_line_for_the_shell(name: str, authority: str | None, command: str) -> None:
    assert _section(name, authority=authority).command == command


def test_a_line_for_the_shell_has_the_parameters_that_must_be_given() -> None:
    command = _section("RetrieveInstanceByUri").command
    assert "wado?requestType=WADO&studyUID=$STUDYUID&seriesUID=$SERIESUID&objectUID=$OBJECTUID" in command


def test_a_line_for_the_shell_keeps_what_a_path_has_of_its_own() -> None:
    document = _document()
    document["paths"] = {"/studies/$rename": {"post": document["paths"]["/studies"]["post"]}}
    [section] = [section for sections in operation_groups(document).values() for section in sections]
    assert r"/studies/\$rename" in section.command


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({}, "anything"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"type": "string", "enum": ["a", "b"]}, "a, b"),
        ({"$ref": "#/components/schemas/Dataset"}, "Dataset"),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/Dataset"}, "minItems": 1},
            "list of Dataset at least 1",
        ),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "string or integer"),
        ({"type": "integer", "minimum": 0, "maximum": 2000, "default": 0}, "integer from 0 to 2,000, default 0"),
        ({"type": "boolean", "default": True}, "boolean, default true"),
    ],
)
def test_a_schema_is_told_in_a_few_words(schema: dict[str, object], kind: str) -> None:
    assert describe_kind(schema) == kind


def test_every_schema_that_is_referred_to_has_its_section() -> None:
    document = _document()
    sections = {section.name for section in schema_sections(document)}
    groups = operation_groups(document).values()
    named = {
        line.schema_name
        for sections_of_group in groups
        for section in sections_of_group
        for contents in (section.body, *(answer.contents for answer in section.answers))
        for line in contents
        if line.schema_name
    }
    assert named
    assert named <= sections
