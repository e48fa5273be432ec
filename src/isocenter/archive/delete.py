"""Delete a study, series or instance, and destroy its bytes within a bounded time."""

from __future__ import annotations

from isocenter.archive.archive import Archive
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.blobs import BlobPosition
from isocenter.ports.index import Erasure

ERASE_BATCH_MAX = 256
"""How many erasures one round carries out, so that a big delete does not hold the disk for long."""


def delete(archive: Archive, principal: Principal, scope: Scope) -> int:
    """Remove a scope from the archive; return how many instances went.

    The commit makes it unreachable at once; `erase_due` destroys the bytes after the grace for running readers.
    Raises NotFound where there is nothing, Forbidden, and StorageFailed after an I/O error of a store: what that one
    left in the packs is settled by the next start, and must not come back behind a delete.
    """
    principal.require(DataAction.DELETE)
    if archive.intake.failure is not None:
        raise archive.intake.failure
    now = archive.clock.now().timestamp()
    removed = archive.index.delete(scope, now=now, erase_due_at=now + archive.settings.erase_after_s)
    if not removed:
        raise NotFound(f"The specified {scope.level.name.lower()} cannot be found.")
    return removed


def erase_due(archive: Archive) -> int:
    """Destroy the bytes whose time has come; return how many blobs were erased.

    A crash in between erases some twice, which is harmless.
    """
    due = archive.index.due_erasures(now=archive.clock.now().timestamp(), limit=ERASE_BATCH_MAX)
    for erasure in due:
        archive.blobs.erase(erasure.address)
    if due:
        shrunk = [position for erasure in due if (position := _shrunk(archive, erasure)) is not None]
        archive.index.forget_erasures([erasure.erasure_key for erasure in due], shrunk=shrunk)
    return len(due)


def oldest_erasure_age_s(archive: Archive) -> float:
    """Return how long ago that was deleted or replaced whose bytes wait longest to be erased; 0 where none wait."""
    oldest = archive.index.due_erasures(now=float("inf"), limit=1)
    now = archive.clock.now().timestamp()
    return max(0.0, now - oldest[0].due_at + archive.settings.erase_after_s) if oldest else 0.0


def _shrunk(archive: Archive, erasure: Erasure) -> BlobPosition | None:
    """Return how far a container is filled where it no longer reaches to the end of what was erased in it."""
    address = erasure.address
    position = archive.blobs.position(address.container)
    return position if position.length < address.offset + address.length else None
