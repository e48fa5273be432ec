"""Join the router's pages with what routes in the node, and say what changes when the topic `router` does."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from starlette.routing import BaseRoute

from isocenter.app.console.router_connections import NodeConnectionTests
from isocenter.app.console.router_trial import NodeRuleTrial
from isocenter.app.node_parts import Parts
from isocenter.app.routing_running import Routing
from isocenter.app.settings import Settings
from isocenter.app.worklist_pass import find_ris
from isocenter.archive.archive import Archive
from isocenter.archive.search import search
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.web.console.console import Console
from isocenter.web.console.live import Mark
from isocenter.web.pages.router import router_routes
from isocenter.web.pages.router_needs import RouterNeeds


def router_section(console: Console, archive: Archive, settings: Settings, parts: Parts) -> list[BaseRoute]:
    """Return the routes of the router's pages, none for a node that does not route."""
    routing = parts.routing
    if routing is None:
        return []
    needs = RouterNeeds(
        desk=routing.desk,
        jobs=routing.jobs,
        tests=NodeConnectionTests(routing.desk, settings),
        trial=NodeRuleTrial(routing.desk, archive.clock.now),
        studies=_ArchiveSearch(archive),
        backlog_of=routing.backlogs.of,
        completeness=parts.completeness,
        prefetch=parts.prefetch,
        worklist=parts.worklist_overview if find_ris(settings.worklist, settings.dicom) is not None else None,
        audit=parts.audit,
    )
    return router_routes(console, needs)


def router_mark(routing: Routing) -> Mark:
    """Return what changes when counters, channels, destinations, the configuration or a job do."""

    def mark() -> Hashable:
        desk = routing.desk
        return (
            tuple(desk.ledger.tallies()),
            tuple((one.name, one.state, one.problem, one.refused, one.ordered_at) for one in desk.channels()),
            tuple((one.name, one.state, one.hold, one.sending) for one in desk.destinations()),
            desk.current.version.number,
            routing.jobs.changes,
        )

    return mark


@dataclass(frozen=True, slots=True)
class _ArchiveSearch:
    """The archive's searches."""

    archive: Archive

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        return search(self.archive, principal, query)
