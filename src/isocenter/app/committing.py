"""Ask another AE to commit to instances, and wait for what it reports: on the same association, or on one to us.

references ─▶ transactions ─▶ N-ACTION each ─▶ reports ─▶ committed, failed, unanswered
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from isocenter.app.dimse_peer import DimsePeer
from isocenter.archive.commitment import recent_commitments
from isocenter.dimse.scp.echo import echo_service
from isocenter.dimse.scp.listener import Endpoint, Listener, ListenerLimits
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.scu.commitment import COMMITMENT_CONTEXT, CommitmentReport, ask_for_commitment, report_service
from isocenter.dimse.shell.service import ServiceTable
from isocenter.domain.application_entity import ANY_HOST, AeService, RemoteAe
from isocenter.domain.commitment import (
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    FailureReason,
    InstanceReference,
)
from isocenter.domain.errors import Unavailable
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.identity.application_entity import AeTable
from isocenter.ports.commitments import Commitments

TRANSACTION_COUNT = 1000
"""Instances of one request; a peer answers for all of them at once, and some keep few."""
SAME_ASSOCIATION_S = 5.0
"""Where we listen too, a peer that has not reported by then will do it on an association of its own."""

REASONS = {
    FailureReason.PROCESSING_FAILURE: "it could not be looked at",
    FailureReason.NO_SUCH_OBJECT_INSTANCE: "it is not there",
    FailureReason.CLASS_INSTANCE_CONFLICT: "it is there under another SOP class",
    FailureReason.REFERENCED_SOP_CLASS_NOT_SUPPORTED: "instances of its SOP class are not kept there",
    FailureReason.DUPLICATE_TRANSACTION_UID: "the transaction UID was used before",
    FailureReason.RESOURCE_LIMITATION: "there are no resources",
}


@dataclass(slots=True)
class CommitReport:
    """What became of instances."""

    committed: list[InstanceReference] = field(default_factory=list)
    failed: list[tuple[InstanceReference, int]] = field(default_factory=list)
    unanswered: list[InstanceReference] = field(default_factory=list)
    skipped: int = 0
    """Files that hold no instance."""

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "committed": [_names(one) for one in self.committed],
            "failed": [_names(one) | {"reason": f"{reason:04X}"} for one, reason in self.failed],
            "unanswered": [_names(one) for one in self.unanswered],
            "skipped": self.skipped,
        }


def _names(reference: InstanceReference) -> dict[str, str]:
    return {"sop_class_uid": reference.sop_class_uid, "sop_instance_uid": reference.sop_instance_uid}


def describe_reason(reason: int) -> str:
    """Return a failure reason in words."""
    known = next((text for code, text in REASONS.items() if code == reason), None)
    return f"{known} ({reason:04X})" if known else f"reason {reason:04X}"


def commit(
    peer: DimsePeer,
    references: Sequence[InstanceReference],
    report: CommitReport,
    *,
    wait_s: float,
    on_progress: Callable[[int], None],
    listener: socket.socket | None = None,
) -> None:
    """Ask a peer to commit to instances and wait so long for its reports; `listener` is bound for those that it opens.

    `on_progress` is told of how many instances it has reported.

    Raises the errors of associations, ContextRefused, RequestFailed.
    """
    requests = [CommitmentRequest(f"2.25.{uuid.uuid4().int}", tuple(part), len(part)) for part in _parts(references)]
    results = peer.call(lambda opener: _Asker(opener, peer, requests, wait_s, on_progress).run(listener))
    for request in requests:
        _note(report, request, results.get(request.transaction_uid))


def _parts(references: Sequence[InstanceReference]) -> Iterable[Sequence[InstanceReference]]:
    return (references[at : at + TRANSACTION_COUNT] for at in range(0, len(references), TRANSACTION_COUNT))


def _note(report: CommitReport, request: CommitmentRequest, result: CommitmentResult | None) -> None:
    told = result or CommitmentResult()
    report.committed += told.committed
    report.failed += told.failed
    named = {*told.committed, *(reference for reference, _ in told.failed)}
    report.unanswered += [reference for reference in request.references if reference not in named]


class _Asker:
    """Asks for transactions one after the other, and gathers the reports."""

    def __init__(
        self,
        opener: Opener,
        peer: DimsePeer,
        requests: Sequence[CommitmentRequest],
        wait_s: float,
        on_progress: Callable[[int], None],
    ) -> None:
        self._opener = opener
        self._peer = peer
        self._requests = requests
        self._wait_s = wait_s
        self._on_progress = on_progress
        self._results: dict[str, CommitmentResult] = {}
        self._is_whole = asyncio.Event()
        self._services = ServiceTable([echo_service(), report_service(self._take)])

    async def run(self, listener: socket.socket | None) -> dict[str, CommitmentResult]:
        """Return the results that came in time, by transaction UID."""
        if listener is None:
            await self._ask(hold_s=self._wait_s)
            return self._results
        async with self._listening(listener):
            await self._ask(hold_s=min(SAME_ASSOCIATION_S, self._wait_s))
            await self._wait(self._wait_s)
        return self._results

    async def _ask(self, *, hold_s: float) -> None:
        opened = self._opener.association(self._peer.remote, [COMMITMENT_CONTEXT], services=self._services)
        async with opened as association:
            for request in self._requests:
                await ask_for_commitment(association, request)
            await self._wait(hold_s, association.closed)

    async def _wait(self, seconds: float, *over: asyncio.Future[None]) -> None:
        """Wait until all reports have come, the time is over, or the association is."""
        whole = asyncio.ensure_future(self._is_whole.wait())
        awaited: set[asyncio.Future[Any]] = {whole, *over}
        try:
            await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            whole.cancel()

    async def _take(self, report: CommitmentReport) -> bool:
        if report.transaction_uid not in {request.transaction_uid for request in self._requests}:
            return False
        self._results.setdefault(report.transaction_uid, report.result)
        self._on_progress(sum(len(each.committed) + len(each.failed) for each in self._results.values()))
        if len(self._results) == len(self._requests):
            self._is_whole.set()
        return True

    @asynccontextmanager
    async def _listening(self, bound: socket.socket) -> AsyncIterator[None]:
        """Take associations of the peer, and of nobody else."""
        services = frozenset({AeService.ECHO, AeService.COMMITMENT})
        caller = RemoteAe(self._peer.remote.ae_title, ANY_HOST, services=services)
        table = AeTable(self._opener.ae_title, (caller,))
        listener = Listener(self._opener.runtime, self._opener.register, table, self._services, limits=ListenerLimits())
        await listener.start([Endpoint(bound)])
        try:
            yield
        finally:
            await listener.stop(timeout_s=1.0)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound for associations; raises Unavailable."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Unavailable(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error


def list_commitments(commitments: Commitments, *, limit: int) -> list[dict[str, Any]]:
    """Return transactions of a data folder for programs, the last begun first."""
    return [_commitment_json(one) for one in recent_commitments(commitments, LOCAL_OWNER, limit=limit)]


def _commitment_json(one: Commitment) -> dict[str, Any]:
    result = one.result or CommitmentResult()
    return {
        "transaction_uid": one.request.transaction_uid,
        "side": one.side.value,
        "peer_ae_title": one.peer_ae_title,
        "own_ae_title": one.own_ae_title,
        "state": one.state.value,
        "is_duplicate": one.is_duplicate,
        "requested_at": _moment(one.requested_at),
        "changed_at": _moment(one.changed_at),
        "due_at": _moment(one.due_at),
        "attempts": one.attempts,
        "problem": one.problem,
        "named": one.request.named_count,
        "instances": len(one.request.references),
        "committed": len(result.committed),
        "failed": [_names(reference) | {"reason": f"{reason:04X}"} for reference, reason in result.failed],
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
