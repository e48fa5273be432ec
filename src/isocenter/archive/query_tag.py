"""Manage extended query tags: add with a reindex, list, change, remove in the background (dicom-service 7)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.operations import OperationDesk, Started
from isocenter.domain.errors import InvalidRequest, IsocenterError, NotFound
from isocenter.domain.operation import Operation, OperationType
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query_tag import COUNT_MAX, QueryStatus, QueryTag, QueryTagEntry, QueryTagError, QueryTagStatus

_log = structlog.get_logger()

REMOVED_ROWS = 2000
"""Rows that one commit removes: some milliseconds for which stores wait."""
REMOVAL_PAUSE_S = 0.01
"""Between such commits, for the stores that wait."""
REMOVAL_WAIT_S = 5.0
"""How long a caller waits for a tag to be gone, so that it can add it again at once where that goes fast."""
RETRY_S = 30.0
"""After a failure of the storage; and how often somebody looks for what another process began to remove."""


def resource_path(entry: QueryTagEntry) -> str:
    """Return the path of a tag below the root of the service."""
    return f"extendedquerytags/{entry.path}"


class QueryTagRemover:
    """Remove what is kept of tags that go, a little at a time, those that an earlier process left too."""

    def __init__(self, archive: Archive) -> None:
        self._query_tags = archive.index.query_tags
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._wakes = 0
        self._thread = threading.Thread(target=self._run, name="query-tag-remover", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the commit that is under way; what is left is removed by the next process."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()

    def remove(self, query_tag_key: int, *, wait_s: float = REMOVAL_WAIT_S) -> None:
        """Have a tag removed; return when it is gone, or when that takes longer."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing.is_set() or self._is_gone(query_tag_key), wait_s)

    def _is_gone(self, query_tag_key: int) -> bool:
        return all(one.query_tag_key != query_tag_key for one in self._query_tags.all())

    def _run(self) -> None:
        while not self._closing.is_set():
            seen = self._wakes
            try:
                self._remove_all()
            except IsocenterError as error:
                _log.error("query_tags.removal_failed", reason=error.message)
            except Exception:  # the outermost loop of a thread: what is left waits for the next round
                _log.exception("query_tags.removal_broken")
            self._wait(seen)

    def _wait(self, seen: int) -> None:
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing.is_set() or self._wakes != seen, RETRY_S)

    def _remove_all(self) -> None:
        for tag in self._query_tags.all():
            while tag.status is QueryTagStatus.DELETING and not self._closing.is_set():
                if self._query_tags.remove_some(tag.query_tag_key, rows_max=REMOVED_ROWS):
                    _log.info("query_tag.removed", path=tag.entry.path)
                    break
                self._closing.wait(REMOVAL_PAUSE_S)


@dataclass(frozen=True, slots=True)
class QueryTagDesk:
    """Where extended query tags are managed."""

    archive: Archive
    desk: OperationDesk
    remover: QueryTagRemover
    count_max: int = COUNT_MAX

    def add(self, principal: Principal, entries: Sequence[QueryTagEntry]) -> Started:
        """Add tags and begin the reindex that makes them ready, or return the one that is under way instead.

        Raises Forbidden, QueryTagExists, InvalidRequest where there would be too many or operations are switched off.
        """
        principal.require(DataAction.MANAGE_EXTENDED_QUERY_TAGS)
        self.desk.require_open()
        now = self.desk.clock.now().timestamp()
        operation = Operation(
            self.desk.new_id(),
            OperationType.REINDEX,
            now,
            now,
            b"null",
            resources=tuple(resource_path(one) for one in entries),
        )
        active = self.archive.index.query_tags.add(entries, operation, count_max=self.count_max)
        if active is not None:
            return Started(active, is_new=False)
        self.desk.runner.wake()
        return Started(operation)

    def all(self, principal: Principal, *, limit: int, offset: int) -> tuple[QueryTag, ...]:
        """Return a page of the tags, the oldest first."""
        principal.require(DataAction.READ)
        return self.archive.index.query_tags.all()[offset : offset + limit]

    def find(self, principal: Principal, tag: int) -> QueryTag:
        """Return a tag. Raises NotFound, Forbidden."""
        principal.require(DataAction.READ)
        found = (one for one in self.archive.index.query_tags.all() if one.entry.tag == tag)
        query_tag = next(found, None)
        if query_tag is None:
            raise NotFound(f"The specified extended query tag with tag path {tag:08X} cannot be found.")
        return query_tag

    def set_query_status(self, principal: Principal, tag: int, query_status: QueryStatus) -> QueryTag:
        """Let searches use a tag or not. Raises NotFound, Forbidden, InvalidRequest where it is being removed."""
        principal.require(DataAction.MANAGE_EXTENDED_QUERY_TAGS)
        query_tag = self.find(principal, tag)
        if query_tag.status is QueryTagStatus.DELETING:
            raise _busy(query_tag)
        self.archive.index.query_tags.set_query_status(query_tag.query_tag_key, query_status)
        return self.find(principal, tag)

    def remove(self, principal: Principal, tag: int) -> None:
        """Remove a tag with what is kept of it, which may go on in the background.

        Raises NotFound, Forbidden, InvalidRequest while it is being added or removed; one whose reindex failed may go.
        """
        principal.require(DataAction.MANAGE_EXTENDED_QUERY_TAGS)
        query_tag = self.find(principal, tag)
        if query_tag.status is QueryTagStatus.DELETING or self._is_being_added(query_tag):
            raise _busy(query_tag)
        self.archive.index.query_tags.begin_removal(query_tag.query_tag_key)
        self.remover.remove(query_tag.query_tag_key)

    def _is_being_added(self, query_tag: QueryTag) -> bool:
        operation = self.archive.operations.find(query_tag.operation_id)
        is_open = operation is not None and not operation.status.is_final
        return query_tag.status is QueryTagStatus.ADDING and is_open

    def errors(self, principal: Principal, tag: int, *, limit: int, offset: int) -> list[QueryTagError]:
        """Return a page of the errors of a tag, the oldest first. Raises NotFound, Forbidden."""
        query_tag = self.find(principal, tag)
        return self.archive.index.query_tags.errors(query_tag.query_tag_key, limit=limit, offset=offset)


def _busy(query_tag: QueryTag) -> InvalidRequest:
    return InvalidRequest(f"The extended query tag '{query_tag.entry.path}' is being processed.")
