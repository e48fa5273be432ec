"""Join the service's pages with the archive and its desks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from isocenter.app.long_work import LongWork
from isocenter.archive import partition, workitem
from isocenter.archive.archive import Archive
from isocenter.archive.change_feed import read_changes
from isocenter.archive.workitem_cancellation import REASON_FOR_CANCELLATION, cancel_workitem
from isocenter.domain.audit import AuditRecord
from isocenter.domain.operation import Operation
from isocenter.domain.partition import Partition
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query_tag import QueryStatus, QueryTag, QueryTagEntry, QueryTagError
from isocenter.domain.workitem import Workitem
from isocenter.domain.workitem_search import WorkitemQuery
from isocenter.identity.registry import Registry
from isocenter.ports.index import Change
from isocenter.web.console.console import Console
from isocenter.web.pages.service_applications import application_routes
from isocenter.web.pages.service_feed import feed_routes
from isocenter.web.pages.service_operations import operation_routes
from isocenter.web.pages.service_query_tags import query_tag_routes
from isocenter.web.pages.service_workitems import workitem_routes

OPERATIONS_MARKED = 20
"""The latest of them are looked at for changes; older ones have ended."""


def service_section(
    console: Console,
    archive: Archive,
    long_work: LongWork,
    registry: Registry | None,
    *,
    has_partitions: bool,
    audit: Callable[[AuditRecord], None] | None,
) -> list[BaseRoute]:
    """Return the routes of the section; what is done there is recorded by `audit`, unless that is None."""
    desk = _Desk(archive, long_work, has_partitions)
    return [
        *feed_routes(console, desk),
        *query_tag_routes(console, desk, audit=audit),
        *workitem_routes(console, desk, audit=audit),
        *operation_routes(console, desk, audit=audit),
        *application_routes(console, registry, audit=audit),
    ]


def operations_mark(archive: Archive) -> Hashable:
    """Return what changes when an operation gets on."""
    recent = archive.operations.recent(limit=OPERATIONS_MARKED)
    return tuple((one.operation_id, one.updated_at, one.status, one.is_paused) for one in recent)


@dataclass(frozen=True, slots=True)
class _Desk:
    """The use cases of the service as its pages ask for them."""

    archive: Archive
    long_work: LongWork
    has_partitions: bool

    def latest_sequence(self, principal: Principal) -> int:
        principal.require(DataAction.READ)
        return self.archive.index.latest_sequence()

    def changes(self, principal: Principal, *, after: int, limit: int) -> list[Change]:
        return read_changes(self.archive, principal, after=after, limit=limit)

    def query_tags(self, principal: Principal) -> Sequence[QueryTag]:
        return self.long_work.query_tags.all(principal, limit=self.long_work.query_tags.count_max, offset=0)

    def query_tag(self, principal: Principal, tag: int) -> QueryTag:
        return self.long_work.query_tags.find(principal, tag)

    def query_tag_errors(self, principal: Principal, tag: int, *, limit: int, offset: int) -> list[QueryTagError]:
        return self.long_work.query_tags.errors(principal, tag, limit=limit, offset=offset)

    def add_query_tags(self, principal: Principal, entries: Sequence[QueryTagEntry]) -> bool:
        return self.long_work.query_tags.add(principal, entries).is_new

    def set_query_status(self, principal: Principal, tag: int, query_status: QueryStatus) -> None:
        self.long_work.query_tags.set_query_status(principal, tag, query_status)

    def remove_query_tag(self, principal: Principal, tag: int) -> None:
        self.long_work.query_tags.remove(principal, tag)

    def workitems(self, principal: Principal, query: WorkitemQuery) -> list[Workitem]:
        return workitem.search_workitems(self.archive, principal, query)

    def workitem(self, principal: Principal, partition_name: str, sop_instance_uid: str) -> Workitem:
        name = workitem.WorkitemName(partition_name, sop_instance_uid)
        return workitem.find_workitem(self.archive, principal, name)

    def request_cancellation(
        self, principal: Principal, partition_name: str, sop_instance_uid: str, *, reason: str
    ) -> None:
        name = workitem.WorkitemName(partition_name, sop_instance_uid)
        said = {f"{REASON_FOR_CANCELLATION:08X}": {"vr": "LT", "Value": [reason]}} if reason else {}
        cancel_workitem(self.archive, principal, name, said)

    def operations(self, principal: Principal, *, limit: int) -> Sequence[Operation]:
        principal.require(DataAction.READ)
        return self.archive.operations.recent(limit=limit)

    def operation(self, principal: Principal, operation_id: str) -> Operation:
        return self.long_work.desk.find(principal, operation_id)

    def pause_operation(self, principal: Principal, operation_id: str, *, is_paused: bool) -> None:
        self.long_work.desk.set_paused(principal, operation_id, is_paused=is_paused)

    def partitions(self, principal: Principal) -> list[Partition]:
        return partition.list_partitions(self.archive, principal)
