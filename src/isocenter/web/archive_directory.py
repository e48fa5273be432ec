"""The study list's searches, asked of the archive."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.archive.search import count, search
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow


@dataclass(frozen=True, slots=True)
class ArchiveDirectory:
    """The `StudyDirectory` of a node."""

    archive: Archive

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        """Return the rows that match, newest first."""
        return search(self.archive, principal, query)

    def count(self, principal: Principal, query: Query) -> int:
        """Return how many rows match, whatever the page."""
        return count(self.archive, principal, query)
