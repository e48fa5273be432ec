"""What the router's pages show and act on, as protocols that the node fills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import IsocenterError
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.domain.statuses import statuses_of
from isocenter.routing.connection_test.report import ConnectionReport, OnStep
from isocenter.web.api.completeness import CompletenessTable
from isocenter.web.api.prefetch import PrefetchTable
from isocenter.web.api.router_desk import RouterDesk
from isocenter.web.console.console import Visit
from isocenter.web.pages.router_jobs import Jobs

Audit = Callable[[AuditRecord], None]


class ConnectionTests(Protocol):
    """Test connections to destinations."""

    @property
    def own_title(self) -> str:
        """Return under which title the node calls."""
        ...

    def run(self, destination: str, *, calling_ae_title: str, stores: bool, on_step: OnStep) -> ConnectionReport:
        """Test the connection to a destination; raises NotFound, InvalidRequest."""
        ...


@dataclass(frozen=True, slots=True)
class TriedFile:
    """How a file is taken to have come."""

    path: str
    calling_ae_title: str = ""
    called_ae_title: str = ""
    address: str = ""


class RuleTrial(Protocol):
    """Hold rules against a file."""

    def run(self, file: TriedFile, *, text: str | None, channel: str) -> Sequence[Mapping[str, Any]]:
        """Return what each channel would do with a file, by the text of a configuration or by the one that holds.

        Raises InvalidConfiguration, InvalidRequest.
        """
        ...


class StudySearch(Protocol):
    """Searches of the archive."""

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        """Return the rows that match."""
        ...


@dataclass(frozen=True, slots=True)
class RouterNeeds:
    """What the pages show and act on."""

    desk: RouterDesk
    jobs: Jobs
    tests: ConnectionTests
    trial: RuleTrial
    studies: StudySearch
    backlog_of: Callable[[str], Sequence[int]]
    """How many deliveries waited for a destination, lately, the latest last."""
    completeness: CompletenessTable | None = None
    prefetch: PrefetchTable | None = None
    worklist: Callable[[], dict[str, Any]] | None = None
    audit: Audit | None = None

    @contextmanager
    def audited(self, visit: Visit, operation: str, *, reason: str = "") -> Iterator[None]:
        """Record who does what, before and after."""
        write, status = self._writer(visit, operation, reason), 500
        write(AuditAction.EXECUTING, None)
        try:
            yield
            status = 200
        except IsocenterError as error:
            status = statuses_of(error).http_status
            raise
        finally:
            write(AuditAction.EXECUTED, status)

    def _writer(self, visit: Visit, operation: str, reason: str) -> Callable[[AuditAction, int | None], None]:
        request, correlation_id = visit.request, str(uuid4())

        def write(action: AuditAction, status: int | None) -> None:
            if self.audit is None:
                return
            self.audit(
                AuditRecord(
                    action,
                    operation=f"console router {operation}",
                    correlation_id=correlation_id,
                    caller=visit.principal,
                    address="" if request.client is None else request.client.host,
                    method=request.method,
                    uri=str(request.url),
                    status=status,
                    resource={name: str(value) for name, value in request.path_params.items()},
                    properties={"reason": reason} if reason else {},
                )
            )

        return write
