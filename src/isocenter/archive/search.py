"""Search the archive (QIDO-RS and C-FIND alike)."""

from __future__ import annotations

from isocenter.archive.archive import Archive
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Query, SearchRow


def search(archive: Archive, principal: Principal, query: Query) -> list[SearchRow]:
    """Return the rows that match, newest first."""
    principal.require(DataAction.READ)
    return archive.index.search(query)


def count(archive: Archive, principal: Principal, query: Query) -> int:
    """Return how many rows match, whatever the page."""
    principal.require(DataAction.READ)
    return archive.index.count(query)
