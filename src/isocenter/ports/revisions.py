"""New versions of instances that become current together, or not at all.

commit with a membership ──▶ staged: durable, known, seen by nobody ──▶ conclude: all current, in one commit
                                                                   └──▶ settle, unstage: bytes to be erased
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from isocenter.domain.identifiers import Scope
from isocenter.ports.blobs import BlobAddress


@dataclass(frozen=True, slots=True)
class StagedVersion:
    """A version that waits for its revision to be concluded."""

    replaced_key: int | None
    address: BlobAddress


class Revisions(Protocol):
    """Keep revisions, within the index; what it writes is durable when a call returns."""

    def staged(self, revision_id: str) -> list[StagedVersion]:
        """Return what is staged of a revision."""
        ...

    def unstage(self, revision_id: str, replaced_keys: Collection[int] | None = None, *, now: float) -> int:
        """Let go of staged versions, of all of them without keys; their bytes are to be erased. Return how many."""
        ...

    def conclude(
        self,
        revision_id: str,
        *,
        now: float,
        erase_due_at: float,
        scope: Scope | None = None,
        vacant: Scope | None = None,
    ) -> int | None:
        """Make everything current that is staged of a revision, in one commit; return how many instances changed.

        What it is made from becomes the original version, or goes where an original is kept; with other identifiers it
        goes from its old place (feed: Delete, Create). What it is made from being gone, a staged version goes too. With
        `scope`, returns None and changes nothing unless all instances there have their staged version. Raises Conflict
        where something is stored in `vacant`, or under new identifiers.
        """
        ...

    def concluded(self, revision_id: str) -> int | None:
        """Return how many instances a revision changed; None where it was not concluded, or that was forgotten."""
        ...

    def settle_revisions(self, *, keep: str | None, now: float) -> int:
        """Let go of every revision whose identifier does not begin with `keep`; return how many versions were staged.

        None keeps nothing.
        """
        ...
