"""Where the items of the modality work list are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isocenter.domain.worklist import Addition, NewWorklistItem, WorklistEntry, WorklistQuery


class Worklist(Protocol):
    """Keep the work list; several processes may write to it at once."""

    def add(self, items: Sequence[NewWorklistItem], *, now: float) -> list[Addition]:
        """Keep items, all or none, each in the place of the one of its identity.

        The steps of an item that is replaced keep their state where they keep their id. Keys are never given twice.
        """
        ...

    def find(self, query: WorklistQuery) -> list[int]:
        """Return the keys of the steps that fit, in the order of their start, then of their keys."""
        ...

    def entries(self, step_keys: Sequence[int]) -> list[WorklistEntry]:
        """Return steps by key, in the order asked for; those that are gone are left out."""
        ...

    def remove(self, item_keys: Sequence[int]) -> int:
        """Drop items with their steps; return how many were there."""
        ...

    def count(self) -> int:
        """Return how many items are kept."""
        ...
