"""Join Query/Retrieve's pages with the archives that a node knows."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute

from isocenter.app.console.query_desk import QueryDesk
from isocenter.domain.audit import AuditRecord
from isocenter.web.console.console import Console
from isocenter.web.pages.query import query_routes


def query_section(console: Console, desk: QueryDesk, *, audit: Callable[[AuditRecord], None] | None) -> list[BaseRoute]:
    """Return the routes of searches and retrievals."""
    return query_routes(console, desk, audit=audit)
