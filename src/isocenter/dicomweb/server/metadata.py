"""Metadata of instances as DICOM JSON (PS3.18 10.4.1.1.2, dicom-service 3.5)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from isocenter.archive import metadata, retrieve
from isocenter.archive.external_metadata import merged, metadata_of_study
from isocenter.dicomweb.codec.accept import DICOM_JSON, require_dicom_json
from isocenter.dicomweb.codec.entity_tag import format_entity_tag, is_known
from isocenter.dicomweb.server.service import Call
from isocenter.dicomweb.server.streaming import Body, answer
from isocenter.domain.external_metadata import NO_EXTERNAL_METADATA, ExternalMetadata
from isocenter.domain.identifiers import Level, Scope
from isocenter.ports.index import InstanceRow

GZIP_LEVEL = 1
"""Metadata of a series repeats itself: the fastest level leaves a twentieth."""
GZIP_SIZE_MIN_BYTES = 1024
CHUNK_BYTES = 256 * 1024
"""Texts of instances are sent together up to about this: each chunk of an answer costs a call through the server."""
WHOLE_MAX_BYTES = 16 * 1024**2
"""The answer for two thousand instances is made before it is sent; what is longer is sent while it is made."""
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for, as it is now."""

    scope: Scope
    entity_tag: str
    is_kept_by_caller: bool
    rows: Sequence[InstanceRow] = ()
    """The instances, where they had to be looked at to know the tag."""
    external: ExternalMetadata = NO_EXTERNAL_METADATA
    """What is to be shown beside what the instances have."""


async def retrieve_metadata(call: Call) -> Response:
    """Return an array with the metadata of each instance, or 304 where the caller has it."""
    require_dicom_json(call.accept, call.dialect)
    asked = await call.service.run(_look_up, call)
    headers = {"Vary": "Accept, Accept-Encoding"}
    if not (asked.is_kept_by_caller and call.dialect.is_azure):  # Azure's 304 has none (dicom-service 3.5)
        headers["ETag"] = format_entity_tag(asked.entity_tag, call.dialect)
    if asked.is_kept_by_caller:
        return Response(status_code=304, headers=headers)
    return await answer(call.service, partial(_body, call, asked), headers)


def _look_up(call: Call) -> _Asked:
    scope = call.scope()
    is_instance = scope.level is Level.INSTANCE
    rows: Sequence[InstanceRow] = ()
    if is_instance or call.wants_original:
        rows = retrieve.find_instances(call.archive, call.principal, scope, original=call.wants_original)
        entity_tag = metadata.entity_tag(rows, is_single_instance=is_instance)
    else:
        entity_tag = metadata.current_entity_tag(call.archive, call.principal, scope)
    external = _external(call, scope)
    if external.values:
        entity_tag = f"{entity_tag}-m{round(external.changed_at * 1_000_000)}"
    is_kept = is_known(call.request.headers.get("if-none-match"), entity_tag, call.dialect)
    return _Asked(scope, entity_tag, is_kept, rows, external)


def _external(call: Call, scope: Scope) -> ExternalMetadata:
    if not call.wants_external_metadata:
        return NO_EXTERNAL_METADATA
    return metadata_of_study(call.archive, call.principal, scope.partition_name, scope.study_instance_uid)


def _body(call: Call, asked: _Asked) -> Body:
    """Return the answer, as it was given before where it is kept."""
    is_gzipped = accepts_gzip(call)
    variant = f"{call.dialect.name} {'gzip' if is_gzipped else 'identity'} {call.resource_root}"
    headers = {"Content-Encoding": "gzip"} if is_gzipped else {}
    kept = None if asked.rows else call.archive.metadata_answers.get((asked.scope, asked.entity_tag), variant)
    if kept is not None:
        return Body(DICOM_JSON, len(kept), iter((kept,)), headers, whole_max_bytes=len(kept))
    rows = asked.rows or retrieve.find_instances(call.archive, call.principal, asked.scope)
    chunks = _chunks(call, rows, asked.external)
    if is_gzipped:
        first = next(chunks)
        if len(first) < GZIP_SIZE_MIN_BYTES:
            return Body(DICOM_JSON, len(first), iter((first,)))
        chunks = _gzipped(first, chunks)
    if not asked.rows and metadata.entity_tag(rows, is_single_instance=False) == asked.entity_tag:
        chunks = _keeping(call, asked, variant, chunks)
    return Body(DICOM_JSON, None, chunks, headers, whole_max_bytes=WHOLE_MAX_BYTES)


def _chunks(call: Call, rows: Sequence[InstanceRow], external: ExternalMetadata) -> Iterator[bytes]:
    """Yield the array in pieces of about one size, with addresses as the caller sees them; at least one piece."""
    with_uri = not call.dialect.is_azure
    address = b'"BulkDataURI":"' + call.resource_root.encode()
    texts = metadata.iter_metadata(call.archive, call.principal, rows, with_bulk_data_uri=with_uri)
    if external.values:
        texts = (merged(text, external) for text in texts)
    for piece in _joined(texts):
        yield piece.replace(metadata.BULK_ROOT_IN_JSON, address) if with_uri else piece


def _joined(texts: Iterable[bytes]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size_bytes = 0
    opening = b"["
    for text in texts:
        if size_bytes >= CHUNK_BYTES:
            yield opening + b",".join(batch)
            opening, batch, size_bytes = b",", [], 0
        batch.append(text)
        size_bytes += len(text)
    yield opening + b",".join(batch) + b"]"


def _gzipped(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    yield compressor.compress(first)
    for chunk in others:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _keeping(call: Call, asked: _Asked, variant: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks, and keep them for the next caller once all have come, unless they are too many."""
    answers = call.archive.metadata_answers
    kept: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes <= answers.text_max_bytes:
            kept.append(chunk)
        else:
            kept.clear()
        yield chunk
    if size_bytes <= answers.text_max_bytes:
        answers.put((asked.scope, asked.entity_tag), variant, b"".join(kept))


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
