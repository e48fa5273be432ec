"""QIDO-RS: search for studies, series and instances (PS3.18 10.6, dicom-service 4)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from isocenter.archive import search
from isocenter.archive.metadata import select_attributes
from isocenter.dicomweb.codec.accept import DICOM_JSON, accepts_dicom_json
from isocenter.dicomweb.codec.qido import SearchRequest, parse_search
from isocenter.dicomweb.codec.return_tags import return_tags, tags_beyond_index
from isocenter.dicomweb.codec.search_json import RowEncoder
from isocenter.dicomweb.server.metadata import GZIP_SIZE_MIN_BYTES, accepts_gzip, gzip
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import NotAcceptable, NotFound
from isocenter.domain.identifiers import Level, parse_uid
from isocenter.domain.query import SearchRow


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
    if not accepts_dicom_json(call.accept, call.dialect):
        raise NotAcceptable()
    asked = _parse(call, level)
    content = await call.service.run(_find, call, asked)
    headers = {"Vary": "Accept, Accept-Encoding"}
    if asked.warnings:
        headers["Warning"] = ", ".join(f'299 isocenter: "{warning}"' for warning in asked.warnings)
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
    )


def _find(call: Call, asked: SearchRequest) -> bytes | None:
    rows = search.search(call.archive, call.principal, asked.query)
    if not rows:
        return None
    tags = return_tags(asked, call.dialect)
    beyond = frozenset(tags_beyond_index(tags))
    encoder = RowEncoder(tags, level=asked.query.level, service_url=call.root)
    return encoder.encode(rows, {row.newest_instance_key: _more(call, row, beyond) for row in rows} if beyond else None)


def _more(call: Call, row: SearchRow, tags: frozenset[int]) -> Mapping[str, object]:
    """Return attributes that the index does not keep, from the newest instance of the row."""
    try:
        return select_attributes(call.archive, call.principal, row.newest_instance_key, tags)
    except NotFound:  # deleted since the search
        return {}
