"""Extended query tags in memory; the values lie in the entries of the index."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from isocenter.domain.errors import QueryTagExists
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.operation import Operation
from isocenter.domain.query_tag import (
    InstanceFindings,
    QueryStatus,
    QueryTag,
    QueryTagEntry,
    QueryTagError,
    QueryTagStatus,
    require_room_for,
)
from isocenter.domain.query_tag_value import comparable_of
from isocenter.ports.query_tags import StoredHeader
from isocenter.storage.memory.entries import Instance, Series, Study, keep_latest
from isocenter.storage.memory.operations import MemoryOperations

OPEN_MAX = 1_000_000
"""More operations than a process begins."""
Resources = tuple[Study, Series, Instance]
"""An instance with what it belongs to."""


class MemoryQueryTags:
    """Keep extended query tags beside the index whose lock is given."""

    def __init__(
        self, lock: threading.RLock, operations: MemoryOperations, current: Callable[[], list[Resources]]
    ) -> None:
        self._lock = lock
        self._operations = operations
        self._current = current
        self._tags: dict[int, QueryTag] = {}
        self._errors: dict[int, dict[InstanceIdentifier, QueryTagError]] = {}
        self._last_key = 0
        self.highest_key = 0

    def all(self) -> tuple[QueryTag, ...]:
        """Return every tag in the order in which they were added."""
        with self._lock:
            return tuple(self._tags.values())

    def active(self) -> tuple[QueryTag, ...]:
        """Return the tags by which instances are indexed that come in."""
        return tuple(one for one in self.all() if one.is_indexed)

    def add(self, entries: Sequence[QueryTagEntry], operation: Operation, *, count_max: int) -> Operation | None:
        """Keep new tags and the reindex that makes them ready, unless another one is open."""
        with self._lock:
            recent = self._operations.unfinished(limit=OPEN_MAX)
            active = next((one for one in recent if one.type is operation.type), None)
            if active is not None:
                return active
            if {one.tag for one in entries} & {one.entry.tag for one in self._tags.values()}:
                raise QueryTagExists()
            require_room_for(len(self._tags) + len(entries), count_max=count_max)
            self._operations.add(operation)
            for entry in entries:
                self._last_key += 1
                self._tags[self._last_key] = QueryTag(self._last_key, entry, operation_id=operation.operation_id)
                self._errors[self._last_key] = {}
            return None

    def _change(self, query_tag_key: int, **changes: object) -> None:
        tag = self._tags.get(query_tag_key)
        if tag is not None:
            self._tags[query_tag_key] = replace(tag, **changes)  # type: ignore[arg-type]

    def finish(self, query_tag_keys: Sequence[int]) -> None:
        """Make tags ready that were being added."""
        with self._lock:
            for key in query_tag_keys:
                self._change(key, status=QueryTagStatus.READY)

    def set_query_status(self, query_tag_key: int, query_status: QueryStatus) -> None:
        """Let searches use a tag or not."""
        with self._lock:
            self._change(query_tag_key, query_status=query_status)

    def begin_removal(self, query_tag_key: int) -> None:
        """Index no more instances by a tag."""
        with self._lock:
            self._change(query_tag_key, status=QueryTagStatus.DELETING)

    def remove_some(self, query_tag_key: int, *, rows_max: int) -> bool:
        """Remove a tag with all that is kept of it."""
        with self._lock:
            for resources in self._current():
                for one in resources:
                    one.query_tag_values.pop(query_tag_key, None)
            self._tags.pop(query_tag_key, None)
            self._errors.pop(query_tag_key, None)
            return True

    def errors(self, query_tag_key: int, *, limit: int, offset: int) -> list[QueryTagError]:
        """Return the errors of a tag, the oldest first."""
        with self._lock:
            return list(self._errors.get(query_tag_key, {}).values())[max(0, offset) :][: max(0, limit)]

    def forget_errors(self, identifier: InstanceIdentifier) -> None:
        """Drop the errors of an instance that goes."""
        for key, errors in self._errors.items():
            if errors.pop(identifier, None) is not None:
                self._change(key, error_count=self._tags[key].error_count - 1)

    def highest_instance_key(self) -> int:
        """Return the key of the instance that was committed last, 0 where there was none."""
        return self.highest_key

    def stored_below(self, instance_key: int, *, limit: int) -> list[StoredHeader]:
        """Return the current instances with a lower key, the highest first."""
        with self._lock:
            versions = [instance.current for _, _, instance in self._current()]
        below = sorted((one for one in versions if one.key < instance_key), key=lambda one: -one.key)
        return [
            StoredHeader(one.key, one.new.address, one.new.header_length, one.new.invalid_paths)
            for one in below[: max(0, limit)]
        ]

    def take(self, findings: Sequence[InstanceFindings], *, now: float) -> None:
        """Index what instances have; those that are gone are passed over."""
        with self._lock:
            current = {one[2].current.key: one for one in self._current()}
            for found in findings:
                if found.instance_key in current:
                    resources = current[found.instance_key]
                    self.index_values(found.values, resources)
                    self._note_errors(found.error_codes, resources[2].current.new.identifier, now)

    def index_values(self, values: Mapping[int, str], resources: Resources) -> None:
        """Let study, series and instance be found by values."""
        instance_key = resources[2].current.key
        for key, value in values.items():
            tag = self._tags.get(key)
            if tag is not None and comparable_of(tag.entry.vr, value) is not None:
                resource = resources[tag.entry.level - Level.STUDY]
                keep_latest(resource.query_tag_values, key, (instance_key, value))

    def _note_errors(self, codes: Mapping[int, int], identifier: InstanceIdentifier, now: float) -> None:
        for key, code in codes.items():
            errors = self._errors.get(key)
            if errors is None or identifier in errors:
                continue
            errors[identifier] = QueryTagError(identifier, code, now)
            tag = self._tags[key]
            query_status = tag.query_status if tag.error_count else QueryStatus.DISABLED
            self._change(key, error_count=tag.error_count + 1, query_status=query_status)
