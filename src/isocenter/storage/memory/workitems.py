"""Workitems in a dictionary, searched by looking at each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.domain.fitting import value_fits
from isocenter.domain.workitem import Workitem
from isocenter.domain.workitem_search import SearchableText, WorkitemMatch, WorkitemQuery, texts_of
from isocenter.ports.partitions import Partitions


@dataclass(frozen=True, slots=True)
class _Kept:
    workitem: Workitem
    texts: tuple[SearchableText, ...]


class MemoryWorkitems:
    """Keep workitems in memory."""

    def __init__(self, partitions: Partitions) -> None:
        self._lock = threading.Lock()
        self._partitions = partitions
        self._workitems: dict[tuple[str, str], _Kept] = {}

    def create(self, workitem: Workitem, texts: Sequence[SearchableText]) -> bool:
        """Keep a new workitem; return False where its UID is in use."""
        with self._lock:
            if _place(workitem) in self._workitems:
                return False
            self._partitions.create(workitem.partition_name, now=workitem.created_at)
            self._workitems[_place(workitem)] = _Kept(workitem, tuple(texts))
            return True

    def replace(self, workitem: Workitem, texts: Sequence[SearchableText], *, revision: int) -> bool:
        """Keep a workitem in the place of its earlier revision, if that is the one that is kept."""
        with self._lock:
            kept = self._workitems.get(_place(workitem))
            if kept is None or kept.workitem.revision != revision:
                return False
            self._workitems[_place(workitem)] = _Kept(workitem, tuple(texts))
            return True

    def find(self, partition_name: str, sop_instance_uid: str) -> Workitem | None:
        """Return a workitem by its UID."""
        kept = self._workitems.get((partition_name, sop_instance_uid))
        return None if kept is None else kept.workitem

    def search(self, query: WorkitemQuery) -> list[Workitem]:
        """Return the workitems that match, the one that was created last first."""
        with self._lock:
            newest_first = list(reversed(self._workitems.values()))
        found = [
            kept.workitem
            for kept in newest_first
            if kept.workitem.partition_name == query.partition_name
            and all(_fits(match, kept.texts) for match in query.matches)
        ]
        return found[max(0, query.offset) :][: max(0, query.limit)]


def _place(workitem: Workitem) -> tuple[str, str]:
    return workitem.partition_name, workitem.sop_instance_uid


def _fits(wanted: WorkitemMatch, texts: Sequence[SearchableText]) -> bool:
    found = texts_of(texts, wanted.attribute) or [""]
    return any(value_fits(wanted.match, wanted.attribute.vr, text) for text in found)
