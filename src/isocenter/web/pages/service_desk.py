"""What the pages of the service ask of whoever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isocenter.domain.operation import Operation
from isocenter.domain.partition import Partition
from isocenter.domain.principal import Principal
from isocenter.domain.query_tag import QueryStatus, QueryTag, QueryTagEntry, QueryTagError
from isocenter.domain.workitem import Workitem
from isocenter.domain.workitem_search import WorkitemQuery
from isocenter.ports.index import Change


class ServiceDesk(Protocol):
    """Feed, query tags, workitems, operations, partitions; every method may wait for the disk and raise Forbidden."""

    @property
    def has_partitions(self) -> bool:
        """Tell whether data is kept in partitions."""
        ...

    def latest_sequence(self, principal: Principal) -> int:
        """Return the number of the last row of the change feed, 0 while there is none."""
        ...

    def changes(self, principal: Principal, *, after: int, limit: int) -> list[Change]:
        """Return rows of the change feed above a sequence, in order."""
        ...

    def query_tags(self, principal: Principal) -> Sequence[QueryTag]:
        """Return all extended query tags, the oldest first."""
        ...

    def query_tag(self, principal: Principal, tag: int) -> QueryTag:
        """Return one; raises NotFound."""
        ...

    def query_tag_errors(self, principal: Principal, tag: int, *, limit: int, offset: int) -> list[QueryTagError]:
        """Return the values that its reindex could not take; raises NotFound."""
        ...

    def add_query_tags(self, principal: Principal, entries: Sequence[QueryTagEntry]) -> bool:
        """Add tags and begin their reindex; False where another one is under way. Raises InvalidRequest."""
        ...

    def set_query_status(self, principal: Principal, tag: int, query_status: QueryStatus) -> None:
        """Let searches use a tag or not; raises NotFound, InvalidRequest."""
        ...

    def remove_query_tag(self, principal: Principal, tag: int) -> None:
        """Remove a tag; raises NotFound, InvalidRequest while it is being added."""
        ...

    def workitems(self, principal: Principal, query: WorkitemQuery) -> list[Workitem]:
        """Return the workitems that match, the newest first."""
        ...

    def workitem(self, principal: Principal, partition_name: str, sop_instance_uid: str) -> Workitem:
        """Return one; raises NotFound."""
        ...

    def request_cancellation(
        self, principal: Principal, partition_name: str, sop_instance_uid: str, *, reason: str
    ) -> None:
        """Ask that a workitem be cancelled; raises NotFound, Conflict where it has ended."""
        ...

    def operations(self, principal: Principal, *, limit: int) -> Sequence[Operation]:
        """Return operations, the newest first."""
        ...

    def operation(self, principal: Principal, operation_id: str) -> Operation:
        """Return one; raises NotFound."""
        ...

    def pause_operation(self, principal: Principal, operation_id: str, *, is_paused: bool) -> None:
        """Pause an operation or let it go on; raises NotFound."""
        ...

    def partitions(self, principal: Principal) -> list[Partition]:
        """Return the partitions in the order in which they were begun."""
        ...
