"""The DICOMweb root of a gateway: the routes of the standard's root, answered by the archive behind it or the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from isocenter.app.gateway.answer import encode_rows
from isocenter.app.gateway.fetch import Fetcher
from isocenter.app.gateway.search import GatewaySearch
from isocenter.app.gateway.storing import Forwarding
from isocenter.dicomweb.codec.accept import require_dicom_json
from isocenter.dicomweb.codec.return_tags import return_tags
from isocenter.dicomweb.server import api_document, capabilities, metadata, rendered, retrieve, search, store
from isocenter.dicomweb.server.descriptions import Handler
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import offer_in_front
from isocenter.dicomweb.server.search import FoundRows
from isocenter.dicomweb.server.service import Call, Service
from isocenter.domain.identifiers import Level

FIRST_SEGMENT = "/gateways"
_READING: tuple[Handler, ...] = (
    retrieve.retrieve_instances,
    retrieve.retrieve_frames,
    retrieve.retrieve_bulk_data,
    metadata.retrieve_metadata,
    rendered.render_instances,
    rendered.render_frames,
    rendered.render_thumbnail,
)
"""What the cache answers, once it has what is asked for."""


def gateway_application(
    name: str, service: Service, *, searching: GatewaySearch, fetcher: Fetcher, forwarding: Forwarding
) -> ASGIApp:
    """Return what is served below `/gateways/NAME`; callers need the same rights as at the node's own roots."""
    handlers: dict[Handler, Handler] = {
        search.search_studies: partial(_search, searching, Level.STUDY),
        search.search_series: partial(_search, searching, Level.SERIES),
        search.search_instances: partial(_search, searching, Level.INSTANCE),
        store.store_instances: forwarding.store,
        capabilities.describe_service: capabilities.describe_service,
        api_document.read_openapi_json: api_document.read_openapi_json,
        api_document.read_openapi_yaml: api_document.read_openapi_yaml,
    }
    handlers |= {handler: partial(_answer_from_cache, fetcher, handler) for handler in _READING}
    alone = replace(service, operations=None, exporter=None, updater=None, query_tags=None)
    in_front = replace(alone, archive=fetcher.cache, has_partitions=False)
    root_path = f"{FIRST_SEGMENT}/{name}"
    return DicomwebApplication(in_front, root_path=root_path, offer=offer_in_front(handlers))


async def _search(searching: GatewaySearch, level: Level, call: Call) -> Response:
    require_dicom_json(call.accept, call.dialect)
    asked = search.parse(call, level)
    tags = return_tags(asked, call.dialect)
    query = asked.query
    listing = await searching.search(query, tags, is_whole=asked.wants_total)
    end = query.offset + query.limit
    rows = listing.rows[query.offset : end]
    encode = partial(encode_rows, rows, tags=tags, level=level, service_url=call.resource_root)
    content = await call.service.run(encode) if rows else None
    total = len(listing.rows) if asked.wants_total else None
    return search.respond(call, asked, FoundRows(content, len(listing.rows) > end, total))


async def _answer_from_cache(fetcher: Fetcher, handler: Handler, call: Call) -> Response:
    await fetcher.ensure(call.scope())
    return await handler(call)


class Gateways:
    """Serve every gateway below its name."""

    def __init__(self, applications: Mapping[str, ASGIApp]) -> None:
        self._applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        name = scope["path"][len(FIRST_SEGMENT) + 1 :].split("/", 1)[0]
        application = self._applications.get(name)
        if application is None:
            application = PlainTextResponse("There is no gateway of this name.", status_code=404)
        await application(scope, receive, send)
