"""QIDO-RS: search for studies, series and instances (PS3.18 10.6, dicom-service 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.responses import Response

from isocenter.archive import search
from isocenter.archive.external_metadata import attributes_of_studies, tags_in_use
from isocenter.archive.metadata import select_attributes
from isocenter.dicom.json import Attribute
from isocenter.dicomweb.codec.accept import DICOM_JSON, require_dicom_json
from isocenter.dicomweb.codec.qido import PLAIN_AZURE_SEARCH, AzureSearch, SearchRequest, parse_search
from isocenter.dicomweb.codec.return_tags import return_tags, tags_beyond_index
from isocenter.dicomweb.codec.search_json import RowEncoder
from isocenter.dicomweb.server.metadata import GZIP_SIZE_MIN_BYTES, accepts_gzip, gzip
from isocenter.dicomweb.server.service import Call
from isocenter.domain.attributes import PATIENT_COUNTS
from isocenter.domain.identifiers import Level, parse_uid
from isocenter.domain.query import SearchRow

_STUDY_INSTANCE_UID = 0x0020000D
WARNINGS_MAX = 16
"""More in one header say nothing more, and proxies refuse long ones."""
_MORE = "There are additional results that can be requested."
"""PS3.18 8.3.4.4."""


async def search_studies(call: Call) -> Response:
    """Search for studies."""
    return await _search(call, Level.STUDY)


async def search_series(call: Call) -> Response:
    """Search for series, of a study or of all."""
    return await _search(call, Level.SERIES)


async def search_instances(call: Call) -> Response:
    """Search for instances, of a series, a study or of all."""
    return await _search(call, Level.INSTANCE)


async def _search(call: Call, level: Level) -> Response:
    require_dicom_json(call.accept, call.dialect)
    asked = await call.service.run(parse, call, level) if call.wants_external_metadata else parse(call, level)
    return respond(call, asked, await call.service.run(_find, call, asked))


def respond(call: Call, asked: SearchRequest, found: FoundRows) -> Response:
    """Return the answer to a search."""
    content = found.content
    headers = {"Vary": "Accept, Accept-Encoding"}
    if found.total is not None:
        headers["X-Total-Count"] = str(found.total)
    warnings = (*asked.warnings[:WARNINGS_MAX], *((_MORE,) if found.has_more else ()))
    if warnings:
        headers["Warning"] = ", ".join(f'299 isocenter: "{warning}"' for warning in warnings)
    if asked.erroneous_keys:
        headers["erroneous-dicom-attributes"] = ",".join(asked.erroneous_keys)
    if content is None:
        return Response(status_code=204, headers=headers)
    if len(content) >= GZIP_SIZE_MIN_BYTES and accepts_gzip(call):
        content = gzip(content)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=DICOM_JSON, headers=headers)


def parse(call: Call, level: Level) -> SearchRequest:
    """Return the search that a request asks for at a level; raises InvalidRequest with the sentence for the client."""
    study = call.parameters.get("study")
    series = call.parameters.get("series")
    return parse_search(
        call.request.url.query,
        call.dialect,
        level=level,
        study_instance_uid=None if study is None else parse_uid(study),
        series_instance_uid=None if series is None else parse_uid(series),
        partition_name=call.partition_name,
        azure=_azure_search(call) if call.dialect.is_azure else PLAIN_AZURE_SEARCH,
    )


def _azure_search(call: Call) -> AzureSearch:
    vrs = tags_in_use(call.archive, call.principal) if call.wants_external_metadata else {}
    return AzureSearch(call.service.azure.refuses_all_with_others, call.archive.index.query_tags.all(), vrs)


@dataclass(frozen=True, slots=True)
class FoundRows:
    """What a search found."""

    content: bytes | None
    """The rows as a JSON array; None where there are none."""
    has_more: bool
    total: int | None
    """How many there are, where that was asked for."""


def _find(call: Call, asked: SearchRequest) -> FoundRows:
    """Return the answer and whether there is more behind its last row, which one row too many tells."""
    tags = return_tags(asked, call.dialect)
    query = replace(asked.query, with_patient_counts=not PATIENT_COUNTS.isdisjoint(tags))
    limit = query.limit
    wanted = query if call.dialect.is_azure else replace(query, limit=limit + 1)
    found = search.search(call.archive, call.principal, wanted)
    rows = found[:limit]
    has_more = len(found) > limit
    total = None
    if asked.wants_total:
        is_known = rows and not has_more
        total = query.offset + len(rows) if is_known else search.count(call.archive, call.principal, query)
    return FoundRows(_encode(call, asked, tags, rows) if rows else None, has_more, total)


def _encode(call: Call, asked: SearchRequest, tags: tuple[int, ...], rows: list[SearchRow]) -> bytes:
    beyond = frozenset(tags_beyond_index(tags, call.dialect, asked.query.level))
    encoder = RowEncoder(tags, level=asked.query.level, service_url=call.resource_root)
    if not beyond:
        return encoder.encode(rows)
    headers = select_attributes(
        call.archive,
        call.principal,
        [row.newest_instance_key for row in rows],
        beyond,
        only_valid=call.dialect.is_azure,
    )
    if not call.dialect.is_azure:
        return encoder.encode(rows, headers)
    headers = _with_external(call, rows, headers, asked.external_tags & beyond)
    bare = RowEncoder(tuple(tag for tag in tags if tag not in beyond), level=asked.query.level)
    # An instance that was deleted since the search has no header: its row is as the index had it.
    members = [
        bare.encode_row(row, headers[row.newest_instance_key])
        if row.newest_instance_key in headers
        else encoder.encode_row(row)
        for row in rows
    ]
    return f"[{','.join(members)}]".encode("utf-8", "replace")


def _with_external(
    call: Call, rows: list[SearchRow], headers: dict[int, dict[str, Attribute]], tags: frozenset[int]
) -> dict[int, dict[str, Attribute]]:
    """Return the attributes of rows with what was handed in beside their studies, before what files have."""
    if not tags:
        return headers
    studies = {row.newest_instance_key: row.attributes[_STUDY_INSTANCE_UID] for row in rows}
    external = attributes_of_studies(call.archive, call.principal, call.partition_name, set(studies.values()), tags)
    return {key: dict(sorted({**header, **external.get(studies[key], {})}.items())) for key, header in headers.items()}
