"""Read the change feed: the log of the system, in commit order and without gaps (dicom-service 6)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.archive.archive import Archive
from isocenter.archive.metadata import readable_metadata
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.index import Change


def read_changes(archive: Archive, principal: Principal, *, after: int, limit: int) -> list[Change]:
    """Return the rows with a sequence above `after`, in order."""
    principal.require(DataAction.READ)
    return archive.index.changes(after=after, limit=limit)


def read_changes_between(
    archive: Archive, principal: Principal, *, start: float | None, end: float | None, offset: int, limit: int
) -> list[Change]:
    """Return rows of a window of time, in order: from `start`, which belongs to it, to `end`, which does not.

    Times are seconds since the epoch, UTC; None leaves a side open. What was once read of a window that has ended stays
    all that is in it: nothing is committed into the past of a reader. The cost does not grow with `offset`.
    """
    principal.require(DataAction.READ)
    now = archive.clock.now().timestamp()
    first, behind = archive.index.change_window(start=start, end=end, now=now)
    after = first - 1 + offset
    return archive.index.changes(after=after, limit=max(0, min(limit, behind - 1 - after)))


def latest_change(archive: Archive, principal: Principal) -> Change | None:
    """Return the last row, None while there is none."""
    principal.require(DataAction.READ)
    rows = archive.index.changes(after=archive.index.latest_sequence() - 1, limit=1)
    return rows[0] if rows else None


def metadata_of(archive: Archive, principal: Principal, changes: Sequence[Change]) -> dict[int, bytes]:
    """Return the DICOM JSON of the current instances that rows speak of, by instance key.

    One that was deleted since, or cannot be read, is left out: the feed goes on over it.
    """
    keys = {change.instance_key for change in changes if change.instance_key is not None}
    return readable_metadata(archive, principal, archive.index.instances_of_keys(sorted(keys)).values())
