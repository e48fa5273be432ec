"""Join the studies' pages with the archive."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.archive.search import count, search
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.web.console.console import Console
from isocenter.web.pages.studies import study_routes


def studies_section(console: Console, archive: Archive) -> list[BaseRoute]:
    """Return the routes of studies, series and instances."""
    return study_routes(console, _ArchiveDirectory(archive))


@dataclass(frozen=True, slots=True)
class _ArchiveDirectory:
    """The archive's searches as the console asks for them."""

    archive: Archive

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        return search(self.archive, principal, query)

    def count(self, principal: Principal, query: Query) -> int:
        return count(self.archive, principal, query)
