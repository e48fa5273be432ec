"""The table of routes: what is offered, and which data action each needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from starlette.responses import Response

from isocenter.dicomweb.server import change_feed, delete, metadata, rendered, retrieve, search, store
from isocenter.dicomweb.server.service import Call
from isocenter.domain.principal import DataAction

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]

STUDY = "studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one pattern of paths. Literal segments match without regard to case (dicom-service 0.1)."""

    method: str
    pattern: str
    action: DataAction
    handler: Handler

    @property
    def segments(self) -> list[str]:
        """Return the pattern cut at slashes."""
        return self.pattern.split("/")

    def match(self, segments: Sequence[str]) -> Mapping[str, str] | None:
        """Return the named parts of a path, or None where it is not this route's."""
        parameters: dict[str, str] = {}
        for expected, given in zip(self.segments, segments, strict=True):
            if expected.startswith("{"):
                parameters[expected[1:-1]] = given
            elif expected != given.lower():
                return None
        return parameters


def _routes() -> list[Route]:
    read, write, remove = DataAction.READ, DataAction.WRITE, DataAction.DELETE
    table = [
        Route("POST", "studies", write, store.store_instances),
        Route("POST", STUDY, write, store.store_instances),
        Route("GET", "studies", read, search.search_studies),
        Route("GET", "series", read, search.search_series),
        Route("GET", "instances", read, search.search_instances),
        Route("GET", f"{STUDY}/series", read, search.search_series),
        Route("GET", f"{STUDY}/instances", read, search.search_instances),
        Route("GET", f"{SERIES}/instances", read, search.search_instances),
        Route("GET", "changefeed", read, change_feed.read_change_feed),
        Route("GET", "changefeed/latest", read, change_feed.read_latest_change),
        Route("GET", f"{INSTANCE}/frames/{{frames}}", read, retrieve.retrieve_frames),
        Route("GET", f"{INSTANCE}/frames/{{frames}}/rendered", read, rendered.render_frames),
        Route("GET", f"{INSTANCE}/frames/{{frames}}/thumbnail", read, rendered.render_thumbnail),
    ]
    for resource in (STUDY, SERIES, INSTANCE):
        table += [
            Route("GET", resource, read, retrieve.retrieve_instances),
            Route("GET", f"{resource}/metadata", read, metadata.retrieve_metadata),
            Route("GET", f"{resource}/rendered", read, rendered.render_instances),
            Route("GET", f"{resource}/thumbnail", read, rendered.render_thumbnail),
            Route("DELETE", resource, remove, delete.delete_scope),
        ]
    for depth in range(1, BULK_PATH_DEPTH_MAX + 1):
        tail = "/".join(f"{{path{step}}}" for step in range(depth))
        table.append(Route("GET", f"{INSTANCE}/bulkdata/{tail}", read, retrieve.retrieve_bulk_data))
    return table


BULK_PATH_DEPTH_MAX = 33
"""A tag, and item number and tag for each of sixteen levels of sequences: deeper than any object in use."""

ALL_ROUTES = tuple(_routes())


def _by_length(routes: Sequence[Route]) -> Mapping[int, Sequence[Route]]:
    lengths: dict[int, list[Route]] = {}
    for route in routes:
        lengths.setdefault(len(route.segments), []).append(route)
    return lengths


ROUTES = _by_length(ALL_ROUTES)
"""Routes by the number of segments of their paths."""
