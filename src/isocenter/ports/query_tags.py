"""Where extended query tags are kept, and what a reindex reads and writes (dicom-service 7).

The values of an instance commit with the instance (`ports.index`): a commit whose values are for other tags than those
that are indexed now is refused with QueryTagsChanged, so that no instance slips between a tag and its reindex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from isocenter.domain.operation import Operation
from isocenter.domain.query_tag import InstanceFindings, QueryStatus, QueryTag, QueryTagEntry, QueryTagError
from isocenter.ports.blobs import BlobAddress


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """Where a current instance has its header, and what of it counts as not there."""

    instance_key: int
    address: BlobAddress
    header_length: int
    invalid_paths: tuple[str, ...] = ()


class QueryTags(Protocol):
    """Keep tags, their errors and the index of their values; durable when a call returns."""

    def all(self) -> tuple[QueryTag, ...]:
        """Return every tag in the order in which they were added, from memory."""
        ...

    def active(self) -> tuple[QueryTag, ...]:
        """Return the tags by which instances are indexed that come in, from memory."""
        ...

    def add(self, entries: Sequence[QueryTagEntry], operation: Operation, *, count_max: int) -> Operation | None:
        """Keep new tags and the reindex that makes them ready, in one commit; return None.

        Returns the open reindex where there is one, with nothing kept. Raises QueryTagExists, InvalidRequest where
        there would be more than `count_max`.
        """
        ...

    def finish(self, query_tag_keys: Sequence[int]) -> None:
        """Make tags ready that were being added."""
        ...

    def set_query_status(self, query_tag_key: int, query_status: QueryStatus) -> None:
        """Let searches use a tag or not."""
        ...

    def begin_removal(self, query_tag_key: int) -> None:
        """Index no more instances by a tag; what is there of it is removed by `remove_some`."""
        ...

    def remove_some(self, query_tag_key: int, *, rows_max: int) -> bool:
        """Remove some of what is kept of a tag that goes, at last itself; tell whether it is gone."""
        ...

    def errors(self, query_tag_key: int, *, limit: int, offset: int) -> list[QueryTagError]:
        """Return the errors of a tag, the oldest first."""
        ...

    def highest_instance_key(self) -> int:
        """Return the key of the instance that was committed last, 0 where there was none."""
        ...

    def stored_below(self, instance_key: int, *, limit: int) -> list[StoredHeader]:
        """Return the current instances with a lower key, the highest first."""
        ...

    def take(self, findings: Sequence[InstanceFindings], *, now: float) -> None:
        """Index what instances have; those that are gone are passed over.

        Of a study or series the value of the newest instance that has one wins. An instance has at most one error of a
        tag; the first error of a tag disables it. To take the same again changes nothing.
        """
        ...
