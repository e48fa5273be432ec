"""The OpenAPI document of one root, made of the descriptions of its routes (OpenAPI 3.0.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import FAILURES, failure
from isocenter.dicomweb.codec.openapi.description import Answer, Contents, Description, Header, Parameter, Place
from isocenter.dicomweb.codec.openapi.parameters import PATH_PARAMETERS
from isocenter.dicomweb.codec.openapi.schemas import SCHEMAS

OPENAPI_VERSION = "3.0.3"
"""What the generators of clients in use read; 3.1 says nothing here that 3.0 cannot."""
PARTITION_PATH = "partitions/{partition}/"

BEFORE_ROUTES = frozenset({431, 503})
"""Statuses that also come before a request has found its route, without the headers of routes."""
GROUPS = (
    "Store",
    "Search",
    "Retrieve",
    "Render",
    "Delete",
    "Update",
    "Change feed",
    "Extended query tags",
    "Workitems",
    "Operations",
    "Export",
    "The service itself",
)
"""In which order headings come; others follow."""

VERSIONS = Header("api-supported-versions", "Versions that the service speaks.", is_always_there=True)
REQUEST_ID = Header("x-ms-request-id", "By what the request is found in the audit log.")

_TEXTS: Mapping[Dialect, str] = {
    Dialect.STANDARD: "DICOMweb as PS3.18 has it, lenient in what it takes.",
    Dialect.AZURE_V1: "DICOMweb as version 1 of Azure's DICOM service speaks it.",
    Dialect.AZURE_V2: "DICOMweb as version 2 of Azure's DICOM service speaks it.",
}
_COMMON_TEXT = (
    " Failures are answered with a sentence in plain text. Literal parts of paths match without regard to case. Every"
    " GET can be a HEAD."
)


@dataclass(frozen=True, slots=True)
class DescribedRoute:
    """A route as the document needs it."""

    place: Place
    description: Description
    action: str | None
    """The data action that the caller needs; None for what anybody may ask."""
    is_in_partition: bool

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Return every answer, by status: its own, and those that each route of its kind can give."""
        own = {answer.status: answer for answer in self.description.answers}
        common = (failure(status) for status in _common_statuses(self) if status not in own)
        return tuple(sorted((*own.values(), *common), key=lambda answer: answer.status))

    @property
    def path_parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the pattern; raises KeyError for a name that PATH_PARAMETERS does not have."""
        return tuple(PATH_PARAMETERS[part[1:-1]] for part in self.place.pattern.split("/") if part[:1] == "{")


def _common_statuses(route: DescribedRoute) -> Iterator[int]:
    yield from (400, 431, 500, 503)
    if route.action is not None:
        yield from (401, 403)
    if route.description.body is not None:
        yield 408
    if route.action not in (None, "read"):
        yield 507


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """What a document tells of the service beside its routes."""

    title: str
    version: str
    service_url: str
    dialect: Dialect
    authority: str | None
    """Address of who issues tokens; None where nobody is asked for one."""
    has_partitions: bool


def build_document(service: ServiceDescription, routes: Iterable[DescribedRoute]) -> dict[str, object]:
    """Return the document as JSON values."""
    paths: dict[str, dict[str, object]] = {}
    groups: dict[str, None] = {}
    for route in routes:
        groups[route.description.group] = None
        for prefix in _prefixes(service, route):
            operation = _operation(service, route, is_in_path=bool(prefix))
            paths.setdefault(f"/{prefix}{route.place.pattern}", {})[route.place.method.lower()] = operation
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": service.title,
            "version": service.version,
            "description": _TEXTS[service.dialect] + _COMMON_TEXT,
        },
        "servers": [{"url": service.service_url}],
        "tags": [{"name": group} for group in sorted(groups, key=_place_of)],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "responses": {_failure_name(status): _inline(service, failure(status)) for status in sorted(FAILURES)},
            "headers": {header.name: _header(header) for header in _everywhere(service)},
            **({"securitySchemes": _security_schemes(service.authority)} if service.authority else {}),
        },
    }


def _place_of(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def _prefixes(service: ServiceDescription, route: DescribedRoute) -> Sequence[str]:
    """Return what stands before a path: by Azure's rules a partition where there are any, else it may."""
    if not service.has_partitions or not route.is_in_partition:
        return ("",)
    return (PARTITION_PATH,) if service.dialect.is_azure else ("", PARTITION_PATH)


def _everywhere(service: ServiceDescription) -> tuple[Header, ...]:
    return (VERSIONS, REQUEST_ID) if service.dialect.is_azure else (REQUEST_ID,)


def _operation(service: ServiceDescription, route: DescribedRoute, *, is_in_path: bool) -> dict[str, object]:
    description = route.description
    partition = (PATH_PARAMETERS["partition"],) if is_in_path else ()
    parameters = (*partition, *route.path_parameters, *description.parameters)
    operation: dict[str, object] = {
        "operationId": ("InPartition" if is_in_path else "") + description.name,
        "tags": [description.group],
        "summary": description.summary,
        "description": f"{description.text}\n\nSource: {description.source}.".lstrip(),
    }
    if parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in parameters]
    if description.body is not None:
        body = description.body
        operation["requestBody"] = {
            "description": body.text,
            "content": _contents(body.contents),
            "required": body.is_required,
        }
    operation["responses"] = {str(answer.status): _answer(service, answer) for answer in route.answers}
    if service.authority:
        operation["security"] = [] if route.action is None else [{"bearer": []}, {"provider": []}]
    if route.action is not None:
        operation["x-data-action"] = route.action
    return operation


def _parameter(parameter: Parameter) -> dict[str, object]:
    described: dict[str, object] = {
        "name": parameter.name,
        "in": parameter.location,
        "description": parameter.text,
        "required": parameter.is_required,
        "schema": parameter.schema,
    }
    if parameter.schema.get("type") == "array":
        described |= {"style": "form", "explode": False}
    return described


def _answer(service: ServiceDescription, answer: Answer) -> dict[str, object]:
    if answer.status in FAILURES and answer == failure(answer.status):
        return {"$ref": f"#/components/responses/{_failure_name(answer.status)}"}
    return _inline(service, answer)


def _failure_name(status: int) -> str:
    return f"Failure{status}"


def _inline(service: ServiceDescription, answer: Answer) -> dict[str, object]:
    headers: dict[str, object] = {header.name: _header(header) for header in answer.headers}
    if answer.status not in BEFORE_ROUTES:
        headers |= {header.name: {"$ref": f"#/components/headers/{header.name}"} for header in _everywhere(service)}
    described: dict[str, object] = {"description": answer.text, "headers": headers}
    if answer.contents:
        described["content"] = _contents(answer.contents)
    return described


def _contents(contents: Contents) -> dict[str, object]:
    return {media_type: {"schema": schema} for media_type, schema in contents.items()}


def _header(header: Header) -> dict[str, object]:
    return {"description": header.text, "required": header.is_always_there, "schema": {"type": "string"}}


def _security_schemes(authority: str) -> dict[str, object]:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the provider. Its role grants data actions: `x-data-action` of each operation.",
        },
        "provider": {
            "type": "openIdConnect",
            "openIdConnectUrl": f"{authority}/.well-known/openid-configuration",
        },
    }
