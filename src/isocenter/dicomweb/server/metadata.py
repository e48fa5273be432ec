"""Metadata of instances as DICOM JSON (PS3.18 10.4.1.1.2, dicom-service 3.5)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from starlette.responses import Response

from isocenter.archive import metadata, retrieve
from isocenter.dicomweb.codec.accept import DICOM_JSON, require_dicom_json
from isocenter.dicomweb.codec.entity_tag import format_entity_tag, is_known
from isocenter.dicomweb.server.service import Call
from isocenter.domain.identifiers import Level

GZIP_LEVEL = 1
"""Metadata of a series repeats itself: the fastest level leaves a twentieth."""
GZIP_SIZE_MIN_BYTES = 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class _Answer:
    entity_tag: str
    content: bytes | None
    is_gzipped: bool = False


async def retrieve_metadata(call: Call) -> Response:
    """Return an array with the metadata of each instance, or 304 where the caller has it."""
    require_dicom_json(call.accept, call.dialect)
    answer = await call.service.run(_metadata, call)
    headers = {"Vary": "Accept, Accept-Encoding"}
    if answer.content is not None or not call.dialect.is_azure:  # Azure's 304 has none (dicom-service 3.5)
        headers["ETag"] = format_entity_tag(answer.entity_tag, call.dialect)
    if answer.content is None:
        return Response(status_code=304, headers=headers)
    if answer.is_gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(answer.content, media_type=DICOM_JSON, headers=headers)


def _metadata(call: Call) -> _Answer:
    scope = call.scope()
    rows = retrieve.find_instances(call.archive, call.principal, scope, original=call.wants_original)
    entity_tag = metadata.entity_tag(rows, is_single_instance=scope.level is Level.INSTANCE)
    if is_known(call.request.headers.get("if-none-match"), entity_tag, call.dialect):
        return _Answer(entity_tag, None)
    texts = metadata.iter_metadata(call.archive, call.principal, rows, with_bulk_data_uri=not call.dialect.is_azure)
    content = b"[" + b",".join(texts) + b"]"
    if not call.dialect.is_azure:
        content = content.replace(metadata.BULK_ROOT_IN_JSON, b'"BulkDataURI":"' + call.resource_root.encode())
    if accepts_gzip(call) and len(content) >= GZIP_SIZE_MIN_BYTES:
        return _Answer(entity_tag, gzip(content), is_gzipped=True)
    return _Answer(entity_tag, content)


def accepts_gzip(call: Call) -> bool:
    """Tell whether the caller reads gzip."""
    offered = call.request.headers.get("accept-encoding", "")
    return any(
        name.strip().lower() == "gzip" and parameters.strip().replace(" ", "") not in ("q=0", "q=0.0")
        for name, _, parameters in (member.partition(";") for member in offered.split(","))
    )


def gzip(content: bytes) -> bytes:
    """Return content compressed for an answer."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(content) + compressor.flush()
