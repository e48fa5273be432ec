"""Read the change feed: gap-free, in commit order."""

from __future__ import annotations

from isocenter.archive.archive import Archive
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.index import Change


def read_changes(archive: Archive, principal: Principal, *, after: int, limit: int) -> list[Change]:
    """Return feed rows behind a sequence number, in order."""
    principal.require(DataAction.READ)
    return archive.index.changes(after=after, limit=limit)
