"""What every handler of the edge works with, and the request as it sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, TypeAlias, TypeVar

from starlette.requests import Request

from isocenter.archive.archive import Archive
from isocenter.archive.export import Exporter
from isocenter.archive.operations import OperationDesk
from isocenter.archive.query_tag import QueryTagDesk
from isocenter.archive.update import Updater
from isocenter.dicomweb.codec.azure_options import AzureOptions
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.server.counts import TransactionCounts
from isocenter.domain.audit import AuditRecord
from isocenter.domain.identifiers import DEFAULT_PARTITION, Scope, parse_uid
from isocenter.domain.principal import Principal

BODY_IDLE_MAX_S = 60.0
"""How long a body may stand still before its request is given up: longer than any retransmission of a sound network."""

Offered: TypeAlias = Callable[[], tuple[DescribedRoute, ...]]
"""Tells what is offered under a root."""
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Service:
    """The archive behind the edge, and the threads that may wait for its disk."""

    archive: Archive
    executor: Executor
    authenticate: Callable[[Mapping[str, str]], Principal]
    """From request headers (names in lower case) to who calls; raises Unauthenticated."""
    body_idle_max_s: float = BODY_IDLE_MAX_S
    picture_executor: Executor | None = None
    """Threads for what decodes frames, so that hostile ones hold up no other request; None where nobody minds."""
    challenge: Callable[[str], str] | None = None
    """From the address of the node as a caller sees it to what a 401 tells it to do (`WWW-Authenticate`)."""
    audit: Callable[[AuditRecord], None] | None = None
    """Takes the records of the audit log; None where none is kept."""

    operations: OperationDesk | None = None
    """Where long work is handed in; None where none is done."""
    exporter: Exporter | None = None
    """What carries out exports; None where they are switched off."""
    updater: Updater | None = None
    """What carries out updates of studies; None where no long work is done."""
    query_tags: QueryTagDesk | None = None
    """Where extended query tags are managed; None where that is not done."""
    azure: AzureOptions = field(default_factory=AzureOptions)
    """What is done under Azure's roots where its documents and its service differ."""
    counts: TransactionCounts = field(default_factory=TransactionCounts)
    """What is counted for those who look after the node."""
    has_partitions: bool = False
    """Whether paths lead through data partitions (dicom-service 10)."""

    @property
    def is_for_pictures(self) -> bool:
        """Tell whether its threads may decode frames."""
        return self.picture_executor is None or self.executor is self.picture_executor

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for the disk, off the event loop.

        Cancelled, it waits for the thread all the same: what the thread works on must not be closed under its hands.
        """
        running = asyncio.get_running_loop().run_in_executor(self.executor, partial(function, *args, **kwargs))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            raise


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler."""

    service: Service
    request: Request
    parameters: Mapping[str, str]
    """Parts of the path by name."""
    principal: Principal
    dialect: Dialect
    root: str
    """Address of the service as the caller sees it, up to and including `/dicom-web` or `/v2`."""
    offered: Offered = tuple
    """What is offered under that root, for those who ask."""

    @property
    def partition_name(self) -> str:
        """Return the partition that the path leads into."""
        return self.parameters.get("partition", DEFAULT_PARTITION)

    @property
    def resource_root(self) -> str:
        """Return what the address of a study or workitem begins with: where the path led into a partition, that too."""
        name = self.parameters.get("partition")
        return self.root if name is None else f"{self.root}/partitions/{name}"

    @property
    def archive(self) -> Archive:
        """Return the archive."""
        return self.service.archive

    def for_pictures(self) -> Call:
        """Return the same call on the threads that may decode frames."""
        service = self.service
        if service.picture_executor is None:
            return self
        return replace(self, service=replace(service, executor=service.picture_executor))

    @property
    def accept(self) -> str | None:
        """Return what the caller accepts: the query parameter `accept` before the header (PS3.18 8.3.3.1)."""
        in_query = self.request.query_params.get("accept") if self.request.scope["query_string"] else None
        return in_query or self.request.headers.get("accept")

    @property
    def wants_original(self) -> bool:
        """Tell whether the first version of updated instances is asked for (dicom-service 3.7)."""
        return self.request.headers.get("msdicom-request-original", "").strip().lower() == "true"

    @property
    def wants_external_metadata(self) -> bool:
        """Tell whether what was handed in beside studies is asked for (dicom-service 2.7)."""
        is_wanted = self.request.headers.get("msdicom-request-meta", "").strip().lower() == "true"
        return is_wanted and self.dialect is Dialect.AZURE_V2

    def scope(self) -> Scope:
        """Return what the path names.

        Raises InvalidRequest for a malformed UID.
        """
        series = self.parameters.get("series")
        instance = self.parameters.get("instance")
        return Scope(
            study_instance_uid=parse_uid(self.parameters["study"]),
            series_instance_uid=None if series is None else parse_uid(series),
            sop_instance_uid=None if instance is None else parse_uid(instance),
            partition_name=self.partition_name,
        )
