"""The OpenAPI document of a root, as JSON and as YAML (dicom-service 0.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import orjson
from starlette.responses import Response

from isocenter import __version__
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.document import ServiceDescription, build_document
from isocenter.dicomweb.codec.openapi.operations import JSON
from isocenter.dicomweb.codec.openapi.service import YAML
from isocenter.dicomweb.codec.yaml_text import write_yaml
from isocenter.dicomweb.server.metadata import accepts_gzip, gzip
from isocenter.dicomweb.server.service import Call, Offered, Service

DOCUMENTS_KEPT = 8
"""A node is asked under one or two addresses, each with four roots; other addresses cost some milliseconds."""

_TITLES = {
    Dialect.STANDARD: "isocenter, DICOMweb",
    Dialect.AZURE_V1: "isocenter, DICOM service, version 1",
    Dialect.AZURE_V2: "isocenter, DICOM service, version 2",
}
_AUTHORITY = re.compile(r'authorization_uri="([^"]+)"')


async def read_openapi_json(call: Call) -> Response:
    """Return the document as JSON."""
    return await _answer(call, _as_json, JSON)


async def read_openapi_yaml(call: Call) -> Response:
    """Return the document as YAML."""
    return await _answer(call, _as_yaml, YAML)


def describe_service(service: Service, dialect: Dialect, *, service_url: str, base_url: str) -> ServiceDescription:
    """Return what a document tells of a service beside its routes; `base_url` is the address of the node."""
    challenge = "" if service.challenge is None else service.challenge(base_url)
    authority = _AUTHORITY.search(challenge)
    return ServiceDescription(
        title=_TITLES[dialect],
        version=__version__,
        service_url=service_url,
        dialect=dialect,
        authority=None if authority is None else authority[1],
        has_partitions=service.has_partitions,
    )


async def _answer(call: Call, write: Callable[[ServiceDescription, Offered], bytes], media_type: str) -> Response:
    base_url = call.root.rpartition("/")[0]
    described = describe_service(call.service, call.dialect, service_url=call.root, base_url=base_url)
    content = await call.service.run(write, described, call.offered)
    headers = {"Vary": "Accept-Encoding"}
    if accepts_gzip(call):
        content = gzip(content)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=media_type, headers=headers)


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _as_json(service: ServiceDescription, offered: Offered) -> bytes:
    return orjson.dumps(build_document(service, offered()))


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _as_yaml(service: ServiceDescription, offered: Offered) -> bytes:
    return write_yaml(build_document(service, offered())).encode()
