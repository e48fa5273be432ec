"""QIDO-RS: search for studies, series and instances (PS3.18 10.6, dicom-service 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from isocenter.archive import search
from isocenter.archive.metadata import select_attributes
from isocenter.dicomweb.codec.accept import DICOM_JSON, require_dicom_json
from isocenter.dicomweb.codec.qido import SearchRequest, parse_search
from isocenter.dicomweb.codec.return_tags import return_tags, tags_beyond_index
from isocenter.dicomweb.codec.search_json import RowEncoder
from isocenter.dicomweb.server.metadata import GZIP_SIZE_MIN_BYTES, accepts_gzip, gzip
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Level, parse_uid
from isocenter.domain.query import SearchRow

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
    asked = _parse(call, level)
    content, has_more = await call.service.run(_find, call, asked)
    headers = {"Vary": "Accept, Accept-Encoding"}
    warnings = (*asked.warnings[:WARNINGS_MAX], *((_MORE,) if has_more else ()))
    if warnings:
        headers["Warning"] = ", ".join(f'299 isocenter: "{warning}"' for warning in warnings)
    if content is None:
        return Response(status_code=204, headers=headers)
    if len(content) >= GZIP_SIZE_MIN_BYTES and accepts_gzip(call):
        content = gzip(content)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=DICOM_JSON, headers=headers)


def _parse(call: Call, level: Level) -> SearchRequest:
    study = call.parameters.get("study")
    series = call.parameters.get("series")
    return parse_search(
        call.request.url.query,
        call.dialect,
        level=level,
        study_instance_uid=None if study is None else parse_uid(study),
        series_instance_uid=None if series is None else parse_uid(series),
        partition_name=call.partition_name,
    )


def _find(call: Call, asked: SearchRequest) -> tuple[bytes | None, bool]:
    """Return the answer and whether there is more behind its last row, which one row too many tells."""
    limit = asked.query.limit
    wanted = asked.query if call.dialect.is_azure else replace(asked.query, limit=limit + 1)
    found = search.search(call.archive, call.principal, wanted)
    rows = found[:limit]
    return _encode(call, asked, rows) if rows else None, len(found) > limit


def _encode(call: Call, asked: SearchRequest, rows: list[SearchRow]) -> bytes:
    tags = return_tags(asked, call.dialect)
    beyond = frozenset(tags_beyond_index(tags))
    encoder = RowEncoder(tags, level=asked.query.level, service_url=call.resource_root)
    return encoder.encode(rows, {row.newest_instance_key: _more(call, row, beyond) for row in rows} if beyond else None)


def _more(call: Call, row: SearchRow, tags: frozenset[int]) -> Mapping[str, object]:
    """Return attributes that the index does not keep, from the newest instance of the row."""
    try:
        return select_attributes(call.archive, call.principal, row.newest_instance_key, tags)
    except NotFound:  # deleted since the search
        return {}
