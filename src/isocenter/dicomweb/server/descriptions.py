"""What each handler does, for those who describe the service: the one place where a handler meets its description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from starlette.responses import Response

from isocenter.dicomweb.codec.openapi import (
    feed,
    operations,
    query_tags,
    rendered,
    retrieve,
    search,
    service,
    store,
    workitems,
)
from isocenter.dicomweb.codec.openapi.description import Describe, Description, Place
from isocenter.dicomweb.server import api_document as api_document_handlers
from isocenter.dicomweb.server import capabilities as capability_handlers
from isocenter.dicomweb.server import change_feed as change_feed_handlers
from isocenter.dicomweb.server import delete as delete_handlers
from isocenter.dicomweb.server import export as export_handlers
from isocenter.dicomweb.server import metadata as metadata_handlers
from isocenter.dicomweb.server import operations as operation_handlers
from isocenter.dicomweb.server import partitions as partition_handlers
from isocenter.dicomweb.server import query_tags as query_tag_handlers
from isocenter.dicomweb.server import rendered as rendered_handlers
from isocenter.dicomweb.server import retrieve as retrieve_handlers
from isocenter.dicomweb.server import search as search_handlers
from isocenter.dicomweb.server import store as store_handlers
from isocenter.dicomweb.server import update as update_handlers
from isocenter.dicomweb.server import wado_uri as wado_uri_handlers
from isocenter.dicomweb.server import workitems as workitem_handlers
from isocenter.dicomweb.server.service import Call
from isocenter.domain.identifiers import Level

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


def _search(place: Place, *, level: Level, noun: str) -> Description:
    within = "" if place.level is None else f"Of{place.level.name.title()}"
    return search.describe_search(place, level, name=f"Search{noun}{within}")


DESCRIPTIONS: Mapping[Handler, Describe] = {
    store_handlers.store_instances: store.describe_store,
    search_handlers.search_studies: partial(_search, level=Level.STUDY, noun="Studies"),
    search_handlers.search_series: partial(_search, level=Level.SERIES, noun="Series"),
    search_handlers.search_instances: partial(_search, level=Level.INSTANCE, noun="Instances"),
    retrieve_handlers.retrieve_instances: retrieve.describe_instances,
    retrieve_handlers.retrieve_frames: retrieve.describe_frames,
    retrieve_handlers.retrieve_bulk_data: retrieve.describe_bulk_data,
    wado_uri_handlers.retrieve_by_uri: retrieve.describe_uri_service,
    metadata_handlers.retrieve_metadata: retrieve.describe_metadata,
    rendered_handlers.render_instances: rendered.describe_rendered,
    rendered_handlers.render_frames: rendered.describe_rendered_frames,
    rendered_handlers.render_thumbnail: rendered.describe_thumbnail,
    delete_handlers.delete_scope: service.describe_delete,
    change_feed_handlers.read_change_feed: feed.describe_feed,
    change_feed_handlers.read_latest_change: feed.describe_latest,
    operation_handlers.read_operation: operations.describe_operation,
    operation_handlers.pause_operation: operations.describe_pause,
    export_handlers.start_export: operations.describe_export,
    update_handlers.start_update: operations.describe_update,
    query_tag_handlers.add_query_tags: query_tags.describe_add,
    query_tag_handlers.list_query_tags: query_tags.describe_list,
    query_tag_handlers.read_query_tag: query_tags.describe_read,
    query_tag_handlers.update_query_tag: query_tags.describe_update,
    query_tag_handlers.delete_query_tag: query_tags.describe_delete,
    query_tag_handlers.list_query_tag_errors: query_tags.describe_errors,
    partition_handlers.read_partitions: service.describe_partitions,
    capability_handlers.describe_service: service.describe_capabilities,
    api_document_handlers.read_openapi_json: service.describe_openapi,
    api_document_handlers.read_openapi_yaml: service.describe_openapi,
    workitem_handlers.create: workitems.describe_create,
    workitem_handlers.search: workitems.describe_search,
    workitem_handlers.retrieve: workitems.describe_retrieve,
    workitem_handlers.update: workitems.describe_update,
    workitem_handlers.change_state: workitems.describe_change_state,
    workitem_handlers.request_cancellation: workitems.describe_cancellation,
}
"""By handler. Whoever adds a handler adds what it does here; a test looks that none is forgotten."""
