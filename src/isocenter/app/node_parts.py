"""What a node consists of beside its archive, as whoever joins its web application sees it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from isocenter.app.completing.table import Completeness
from isocenter.app.console.query_desk import QueryDesk
from isocenter.app.console.send_jobs import SendJobs
from isocenter.app.console.system import SystemDesk
from isocenter.app.gateway.running import RunningGateways
from isocenter.app.long_work import LongWork
from isocenter.app.node_identity import NodeIdentity
from isocenter.app.prefetching.table import RunningTable
from isocenter.app.routing_running import Routing
from isocenter.domain.audit import AuditRecord
from isocenter.web.console.live import LiveTopics


@dataclass(frozen=True, slots=True)
class Threads:
    """What may wait for the disk or decode, away from the event loop."""

    readers: Executor
    pictures: Executor
    """For what decodes frames."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node has beside its archive; what is None it does without."""

    identity: NodeIdentity | None = None
    """Without one nobody is asked for evidence."""
    audit: Callable[[AuditRecord], None] | None = None
    long_work: LongWork | None = None
    gateways: RunningGateways | None = None
    routing: Routing | None = None
    prefetch: RunningTable | None = None
    worklist_overview: Callable[[], dict[str, Any]] | None = None
    completeness: Completeness | None = None
    sends: SendJobs | None = None
    """What people send from the console."""
    live: LiveTopics | None = None
    """Tells open pages of the console what changes."""
    query: QueryDesk | None = None
    """Asks other archives for the people at the console."""
    system: SystemDesk | None = None
    """Measures and examines the node for the console."""


ALONE = Parts()
"""A node with nothing beside its archive."""
