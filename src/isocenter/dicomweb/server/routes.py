"""The table of routes: what is offered, and which data action each needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.description import Place
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.server import (
    api_document,
    capabilities,
    change_feed,
    delete,
    export,
    metadata,
    operations,
    partitions,
    query_tags,
    rendered,
    retrieve,
    search,
    store,
    update,
    wado_uri,
    workitems,
)
from isocenter.dicomweb.server.descriptions import DESCRIPTIONS, Handler
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import DataAction

ROOTS: Mapping[str, Dialect] = {
    "/dicom-web": Dialect.STANDARD,
    "/v1.0-prerelease": Dialect.AZURE_V1,
    "/v1": Dialect.AZURE_V1,
    "/v2": Dialect.AZURE_V2,
}
"""Under which paths the service is offered, and by whose rules (dicom-service 0.1)."""
STANDARD_ROOT = "/dicom-web"
EVERY_ROOT = frozenset(ROOTS)
SINCE_V1 = EVERY_ROOT - {"/v1.0-prerelease"}
SINCE_V2 = SINCE_V1 - {"/v1"}
UPSERT_ROOTS = SINCE_V2
"""Storing by PUT replaces what is there; the standard has no such transaction, and its root offers it all the same."""

STUDY = "studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one pattern of paths. Literal segments match without regard to case (dicom-service 0.1)."""

    method: str
    pattern: str
    action: DataAction | None
    """What the caller needs to be granted; None for what anybody may ask."""
    handler: Handler
    operation: str = ""
    """Its sub-type in the audit log (dicom-service 1.1)."""
    roots: frozenset[str] = EVERY_ROOT
    """Where it is offered; under the other roots its path is not there."""
    is_in_partition: bool = True
    """Whether it is about one partition; else the action must be granted for all of them."""
    segments: tuple[str, ...] = field(init=False)
    """The pattern cut at slashes."""
    _literals: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(self.pattern.split("/")))
        object.__setattr__(self, "_literals", tuple(part.lower() for part in self.segments))

    def partition_name(self, parameters: Mapping[str, str]) -> str:
        """Return the partition that a path is about."""
        return parameters.get("partition", DEFAULT_PARTITION)

    def match(self, segments: Sequence[str]) -> Mapping[str, str] | None:
        """Return the named parts of a path, or None where it is not this route's.

        No name begins with `$`: that is how operations on resources do, which a root may not have.
        """
        parameters: dict[str, str] = {}
        for expected, literal, given in zip(self.segments, self._literals, segments, strict=True):
            if expected[:1] == "{" and given[:1] != "$":
                parameters[expected[1:-1]] = given
            elif literal != given.lower():
                return None
        return parameters


def _routes() -> list[Route]:
    read, write, remove = DataAction.READ, DataAction.WRITE, DataAction.DELETE
    table = [
        Route("POST", "studies", write, store.store_instances, "store"),
        Route("POST", "studies/$bulkUpdate", write, update.start_update, "update-study", SINCE_V2),
        Route("POST", STUDY, write, store.store_instances, "store"),
        Route("PUT", "studies", write, store.store_instances, "store", UPSERT_ROOTS),
        Route("PUT", STUDY, write, store.store_instances, "store", UPSERT_ROOTS),
        Route("GET", "studies", read, search.search_studies, "query"),
        Route("GET", "series", read, search.search_series, "query"),
        Route("GET", "instances", read, search.search_instances, "query"),
        Route("GET", f"{STUDY}/series", read, search.search_series, "query"),
        Route("GET", f"{STUDY}/instances", read, search.search_instances, "query"),
        Route("GET", f"{SERIES}/instances", read, search.search_instances, "query"),
        Route("GET", "changefeed", read, change_feed.read_change_feed, "change-feed", is_in_partition=False),
        Route("GET", "changefeed/latest", read, change_feed.read_latest_change, "change-feed", is_in_partition=False),
        Route("GET", "partitions", read, partitions.read_partitions, "partition", is_in_partition=False),
        *_operation_routes(),
        *_query_tag_routes(),
        Route("OPTIONS", "", None, capabilities.describe_service, is_in_partition=False),
        Route("GET", "api.json", None, api_document.read_openapi_json, is_in_partition=False),
        Route("GET", "api.yaml", None, api_document.read_openapi_yaml, is_in_partition=False),
        Route("GET", "wado", read, wado_uri.retrieve_by_uri, "retrieve"),
        Route("GET", f"{INSTANCE}/frames/{{frames}}", read, retrieve.retrieve_frames, "retrieve"),
        Route("GET", f"{INSTANCE}/frames/{{frames}}/rendered", read, rendered.render_frames, "retrieve-rendered"),
        Route("GET", f"{INSTANCE}/frames/{{frames}}/thumbnail", read, rendered.render_thumbnail, "retrieve-rendered"),
    ]
    workitem = "workitems/{workitem}"
    table += [
        Route("POST", "workitems", write, workitems.create, "add-workitem"),
        Route("GET", "workitems", read, workitems.search, "query-workitem"),
        Route("GET", workitem, read, workitems.retrieve, "retrieve-workitem"),
        Route("POST", workitem, write, workitems.update, "update-workitem"),
        Route("PUT", f"{workitem}/state", write, workitems.change_state, "change-state-workitem"),
        Route("POST", f"{workitem}/cancelrequest", write, workitems.request_cancellation, "cancel-workitem"),
    ]
    for resource in (STUDY, SERIES, INSTANCE):
        table += [
            Route("GET", resource, read, retrieve.retrieve_instances, "retrieve"),
            Route("GET", f"{resource}/metadata", read, metadata.retrieve_metadata, "retrieve-metadata"),
            Route("GET", f"{resource}/rendered", read, rendered.render_instances, "retrieve-rendered"),
            Route("GET", f"{resource}/thumbnail", read, rendered.render_thumbnail, "retrieve-rendered"),
            Route("DELETE", resource, remove, delete.delete_scope, "delete"),
        ]
    for depth in range(1, BULK_PATH_DEPTH_MAX + 1):
        tail = "/".join(f"{{path{step}}}" for step in range(depth))
        table.append(Route("GET", f"{INSTANCE}/bulkdata/{tail}", read, retrieve.retrieve_bulk_data, "retrieve"))
    return table


def _operation_routes() -> list[Route]:
    """Return the routes of long work."""
    manage, one = DataAction.MANAGE_EXTENDED_QUERY_TAGS, "operations/{operation}"
    return [
        Route("POST", "export", DataAction.EXPORT, export.start_export, "export", SINCE_V1),
        Route("GET", one, DataAction.READ, operations.read_operation, "operation", is_in_partition=False),
        Route("PATCH", one, manage, operations.pause_operation, "operation", is_in_partition=False),
    ]


def _query_tag_routes() -> list[Route]:
    """Return the routes of extended query tags, which are about all partitions."""
    read, manage = DataAction.READ, DataAction.MANAGE_EXTENDED_QUERY_TAGS
    every, one = "extendedquerytags", "extendedquerytags/{tag}"
    rows = (
        ("POST", every, manage, query_tags.add_query_tags, "add-extended-query-tag"),
        ("GET", every, read, query_tags.list_query_tags, "get-all-extended-query-tag"),
        ("GET", one, read, query_tags.read_query_tag, "get-extended-query-tag"),
        ("DELETE", one, manage, query_tags.delete_query_tag, "remove-extended-query-tag"),
        ("PATCH", one, manage, query_tags.update_query_tag, "update-extended-query-tag"),
        ("GET", f"{one}/errors", read, query_tags.list_query_tag_errors, "get-extended-query-tag-errors"),
    )
    return [Route(*row, is_in_partition=False) for row in rows]


BULK_PATH_DEPTH_MAX = 33
"""A tag, and item number and tag for each of sixteen levels of sequences: deeper than any object in use."""

ALL_ROUTES = tuple(_routes())


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered under one root."""

    dialect: Dialect
    routes: Mapping[int, Sequence[Route]]
    """By the number of segments of their paths."""
    described: Callable[[], tuple[DescribedRoute, ...]]
    is_in_front: bool = False
    """Whether another archive answers, behind handlers that know nothing of links to one study."""


def offer_under(root: str) -> Offer:
    """Return what a root of the archive offers."""
    return Offer(ROOTS[root], routes_under(root), partial(described_under, root))


def offer_in_front(handlers: Mapping[Handler, Handler]) -> Offer:
    """Return what is offered in front of another archive: routes of the standard's root, as far as handlers are named.

    `handlers` has, by the handler of the archive, the one that takes its place.
    """
    routes = [route for route in ALL_ROUTES if STANDARD_ROOT in route.roots and route.handler in handlers]
    described = tuple(_described(route, Dialect.STANDARD) for route in routes if "{path1}" not in route.pattern)
    replaced = [replace(route, handler=handlers[route.handler]) for route in routes]
    return Offer(Dialect.STANDARD, _by_length(replaced), lambda: described, is_in_front=True)


@lru_cache
def described_under(root: str) -> tuple[DescribedRoute, ...]:
    """Return what a root offers, for those who ask what that is; paths of bulk data as one."""
    return tuple(
        _described(route, ROOTS[root]) for route in ALL_ROUTES if root in route.roots and "{path1}" not in route.pattern
    )


def _described(route: Route, dialect: Dialect) -> DescribedRoute:
    place = Place(route.method, route.pattern.replace("{path0}", "{path}"), dialect)
    action = None if route.action is None else route.action.value
    return DescribedRoute(place, DESCRIPTIONS[route.handler](place), action, route.is_in_partition)


def routes_under(root: str) -> Mapping[int, Sequence[Route]]:
    """Return the routes that a root offers, by the number of segments of their paths."""
    return _by_length([route for route in ALL_ROUTES if root in route.roots])


def _by_length(routes: Iterable[Route]) -> Mapping[int, Sequence[Route]]:
    lengths: dict[int, list[Route]] = {}
    for route in routes:
        lengths.setdefault(len(route.segments), []).append(route)
    return lengths
