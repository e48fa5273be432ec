"""An OpenAPI document as people read it: operations by heading, each with a line for the shell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"\{(\w+)\}")
_WHERE = {"path": "path", "query": "query", "header": "header"}
_LIMITS = {"minimum": "from", "maximum": "to", "minItems": "at least", "maxItems": "at most"}


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """A parameter as a row of a table."""

    name: str
    place: str
    kind: str
    text: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class ContentLine:
    """A media type, and the schema of what comes in it where that has a name."""

    media_type: str
    schema_name: str


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """An answer as a row of a table."""

    status: str
    text: str
    contents: Sequence[ContentLine]
    headers: Sequence[str]

    @property
    def is_failure(self) -> bool:
        """Tell whether it says that something did not work."""
        return self.status >= "400"


@dataclass(frozen=True, slots=True)
class OperationSection:
    """A method on a path as a section of the page."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    source: str
    action: str
    """The data action that it needs; empty for what anybody may ask."""
    parameters: Sequence[ParameterLine]
    body_text: str
    body: Sequence[ContentLine]
    answers: Sequence[AnswerLine]
    command: str


@dataclass(frozen=True, slots=True)
class SchemaSection:
    """A named schema as a section of the page."""

    name: str
    text: str
    fields: Sequence[ParameterLine]


def operation_groups(document: Mapping[str, Any]) -> Mapping[str, Sequence[OperationSection]]:
    """Return the operations of a document by heading, in the order of its tags."""
    groups: dict[str, list[OperationSection]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].append(_section(document, method.upper(), path, operation))
    return groups


def schema_sections(document: Mapping[str, Any]) -> Sequence[SchemaSection]:
    """Return the schemas of a document that have a name."""
    return [
        SchemaSection(name, schema.get("description", "") or describe_kind(schema), _fields(schema))
        for name, schema in document["components"]["schemas"].items()
    ]


def describe_kind(schema: Mapping[str, Any]) -> str:
    """Return in a few words what a schema allows."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "oneOf" in schema:
        return " or ".join(describe_kind(one) for one in schema["oneOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    kind = str(schema.get("format") or schema.get("type", "anything"))
    if schema.get("type") == "array":
        kind = f"list of {describe_kind(schema['items'])}"
    limits = [f"{word} {schema[name]:,}" for name, word in _LIMITS.items() if name in schema]
    default = [f"default {str(schema['default']).lower()}"] if "default" in schema else []
    return ", ".join([" ".join([kind, *limits]), *default])


def _section(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> OperationSection:
    text, _, source = operation["description"].rpartition("Source: ")
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody", {})
    answers = [_answer(document, status, answer) for status, answer in operation["responses"].items()]
    contents = _contents(body)
    accepted = next((line.media_type for one in answers if not one.is_failure for line in one.contents), "")
    return OperationSection(
        name=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        text=text.strip(),
        source=source.rstrip("."),
        action=operation.get("x-data-action", ""),
        parameters=[_parameter(parameter) for parameter in parameters],
        body_text=body.get("description", ""),
        body=contents,
        answers=answers,
        command=_command(
            document,
            method,
            path,
            accepted,
            body=contents,
            needs_token=bool(operation.get("security")),
            given=parameters,
        ),
    )


def _parameter(parameter: Mapping[str, Any]) -> ParameterLine:
    return ParameterLine(
        parameter["name"],
        _WHERE[parameter["in"]],
        describe_kind(parameter["schema"]),
        parameter["description"],
        parameter["required"],
    )


def _answer(document: Mapping[str, Any], status: str, answer: Mapping[str, Any]) -> AnswerLine:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    headers = [name for name, header in answer.get("headers", {}).items() if "$ref" not in header]
    return AnswerLine(status, answer["description"], _contents(answer), headers)


def _contents(message: Mapping[str, Any]) -> Sequence[ContentLine]:
    return [
        ContentLine(media_type, content["schema"].get("$ref", "").rpartition("/")[2])
        for media_type, content in message.get("content", {}).items()
    ]


def _fields(schema: Mapping[str, Any]) -> Sequence[ParameterLine]:
    required = schema.get("required", ())
    return [
        ParameterLine(name, "", describe_kind(field), field.get("description", ""), name in required)
        for name, field in schema.get("properties", {}).items()
    ]


def _command(
    document: Mapping[str, Any],
    method: str,
    path: str,
    accepted: str,
    *,
    body: Sequence[ContentLine],
    needs_token: bool,
    given: Iterable[Mapping[str, Any]],
) -> str:
    """Return the line of a shell that asks for it; what is to be filled in stands there as a variable."""
    url = document["servers"][0]["url"] + _NAME.sub(lambda name: f"${name[1].upper()}", path.replace("$", r"\$"))
    query = "&".join(
        f"{one['name']}={one['schema'].get('enum', ['$' + one['name'].upper()])[0]}"
        for one in given
        if one["in"] == "query" and one["required"]
    )
    address = f'"{url}?{query}"' if query else f'"{url}"'
    words = [f"curl {address}" if method == "GET" else f"curl -X {method} {address}"]
    if needs_token:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if accepted:
        words.append(f"-H 'Accept: {accepted}'")
    if body:
        words += [f"-H 'Content-Type: {body[0].media_type}'", "--data-binary @body"]
    return " \\\n  ".join(words)
