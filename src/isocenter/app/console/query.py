"""Join Query/Retrieve's pages with the archives that a node knows."""

from __future__ import annotations

from starlette.routing import BaseRoute

from isocenter.app.console.query_desk import QueryDesk
from isocenter.web.console.console import Console
from isocenter.web.pages.query import query_routes


def query_section(console: Console, desk: QueryDesk) -> list[BaseRoute]:
    """Return the routes of searches and retrievals."""
    return query_routes(console, desk)
