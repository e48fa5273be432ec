"""Where workitems are kept (UPS-RS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isocenter.domain.workitem import Workitem
from isocenter.domain.workitem_search import SearchableText, WorkitemQuery


class Workitems(Protocol):
    """Keep workitems; each change is one commit, and durable when the call returns."""

    def create(self, workitem: Workitem, texts: Sequence[SearchableText]) -> bool:
        """Keep a new workitem, in a partition that begins with it where need be; return False where its UID is in use.

        `texts` are what a search finds it by.
        """
        ...

    def replace(self, workitem: Workitem, texts: Sequence[SearchableText], *, revision: int) -> bool:
        """Keep a workitem in the place of its earlier revision.

        Return False, with nothing changed, where that revision is not the one that is kept.
        """
        ...

    def find(self, partition_name: str, sop_instance_uid: str) -> Workitem | None:
        """Return a workitem by its UID."""
        ...

    def search(self, query: WorkitemQuery) -> list[Workitem]:
        """Return the workitems that match, the one that was created last first."""
        ...
