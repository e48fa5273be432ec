"""Join the console of a node: its frame, the pages of its role, and what tells them of changes.

Each section has a module of its own beside this one, which joins its pages with what they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.routing import BaseRoute

from isocenter.app.console.query import query_section
from isocenter.app.console.router import router_mark, router_section
from isocenter.app.console.service import operations_mark, service_section
from isocenter.app.console.studies import studies_section
from isocenter.app.console.system import system_section
from isocenter.app.node_identity import NodeIdentity
from isocenter.app.node_parts import Parts, Threads
from isocenter.app.routing_running import Routing
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import Principal
from isocenter.web.console.console import Console
from isocenter.web.console.live import Mark, live_routes
from isocenter.web.console.section import HELP, QUERY, ROUTER, SERVICE, STUDIES, SYSTEM, Section
from isocenter.web.static_files import static_routes


@dataclass(frozen=True, slots=True)
class ConsoleNeeds:
    """What the pages show and act on."""

    archive: Archive
    settings: Settings
    identity: NodeIdentity
    register: AssociationRegister
    threads: Threads
    parts: Parts


def console_routes(needs: ConsoleNeeds) -> list[BaseRoute]:
    """Return all routes of the console, to be mounted at the root of the node."""

    def authenticate_listener(headers: Mapping[str, str]) -> Principal:
        return needs.identity.admit_page(headers).within(DEFAULT_PARTITION)

    console = Console(
        authenticate=needs.identity.admit_page,
        login_path=needs.identity.login_path,
        sections=_sections(needs),
        node_name=needs.settings.console.name,
    )
    return [
        *static_routes(),
        *([] if needs.parts.live is None else live_routes(needs.parts.live, authenticate=authenticate_listener)),
        *studies_section(console.within(DEFAULT_PARTITION), needs),
        *router_section(console, needs.archive, needs.settings, needs.parts),
        *_service(console, needs),
        *([] if needs.parts.query is None else query_section(console, needs.parts.query, audit=needs.parts.audit)),
        *_system(console, needs),
    ]


def _system(console: Console, needs: ConsoleNeeds) -> list[BaseRoute]:
    desk = needs.parts.system
    if desk is None:
        return []
    return system_section(
        console,
        desk,
        settings=needs.settings,
        identity=needs.identity,
        register=needs.register,
        audit=needs.parts.audit,
    )


def _service(console: Console, needs: ConsoleNeeds) -> list[BaseRoute]:
    if needs.parts.long_work is None:
        return []
    has_partitions = needs.settings.azure.partitions == "on"
    registry = needs.identity.registry
    return service_section(
        *(console, needs.archive, needs.parts.long_work, registry),
        has_partitions=has_partitions,
        audit=needs.parts.audit,
    )


def _sections(needs: ConsoleNeeds) -> tuple[Section, ...]:
    has_query = needs.parts.query is not None and needs.parts.query.is_offered
    has_router, has_service = needs.parts.routing is not None, needs.parts.long_work is not None
    return (
        STUDIES,
        *((QUERY,) if has_query else ()),
        *((ROUTER,) if has_router else ()),
        *((SERVICE,) if has_service else ()),
        *((SYSTEM,) if needs.parts.system is not None else ()),
        HELP,
    )


def live_topics(archive: Archive, register: AssociationRegister, routing: Routing | None) -> dict[str, Mark]:
    """Return what changes when a topic changes, each cheap enough to be looked at twice a second."""
    topics: dict[str, Mark] = {
        "studies": archive.index.latest_sequence,
        "operations": partial(operations_mark, archive),
    }
    if routing is not None:
        topics["router"] = router_mark(routing)
    return topics
