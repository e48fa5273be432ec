"""C-MOVE: send instances to a third AE and tell the requestor how it goes (PS3.4 C.4.2, routing-and-gateway 6.2).

instances ─▶ contexts that they need, in groups where one association does not hold them all
               └─▶ one to four senders, each with an association, taking the next instance that is read
                     └─▶ association lost: opened once more and the instance sent again; lost again: given up
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from isocenter.dimse.message.messages import CMoveRq
from isocenter.dimse.scp.retrieval import (
    Retrieval,
    log_unreadable,
    log_without_context,
    refusal_comment,
    send_opened,
)
from isocenter.dimse.scp.suboperations import Outcome
from isocenter.dimse.scp.supply import ContextKey, Flow, Opened, Outgoing, Sendable, Supply, contexts_to_send
from isocenter.dimse.scu.client import Opener, close, give_up
from isocenter.dimse.scu.context_plan import ContextPlan, InstanceKind, plan_contexts
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import Refused, Unavailable

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a move goes, and how associations to it are opened."""

    remote: RemoteAe
    opener: Opener
    associations_max: int


async def move_to(
    supply: Supply, exchange: Exchange, request: CMoveRq, *, instances: Sequence[Sendable], destination: Destination
) -> None:
    """Send instances to a destination, and the responses to the requestor."""
    retrieval = Retrieval(exchange, request, total=len(instances))
    mover = _Mover(supply, exchange, request, retrieval, destination)
    try:
        for plan, group in _groups(instances):
            try:
                await mover.send_group(plan, group)
            except (Refused, Unavailable) as error:
                mover.comment = error.message
                mover.log_unreachable(error)
                mover.fail(group)
        if not retrieval.is_cancelled:
            retrieval.fail_rest(instances)
        await retrieval.finish(comment=mover.comment)
        await mover.release()
    finally:
        retrieval.stop()
        await mover.give_up()


def _groups(instances: Sequence[Sendable]) -> list[tuple[ContextPlan, list[Sendable]]]:
    """Return the instances by the associations that they need."""
    kinds = [[InstanceKind(one.sop_class_uid, uid) for uid in one.transfer_syntax_uids] for one in instances]
    plans = plan_contexts(kind for each in kinds for kind in each)
    if len(plans) == 1:
        return [(plans[0], list(instances))]
    firsts = [each[0] for each in kinds]  # all contexts of a class are proposed on one association
    covered = {kind: next(index for index, plan in enumerate(plans) if plan.covers(kind)) for kind in set(firsts)}
    groups: list[list[Sendable]] = [[] for _ in plans]
    for instance, kind in zip(instances, firsts, strict=True):
        groups[covered[kind]].append(instance)
    return list(zip(plans, groups, strict=True))


class _Mover:
    """One move under way."""

    def __init__(
        self, supply: Supply, exchange: Exchange, request: CMoveRq, retrieval: Retrieval, destination: Destination
    ) -> None:
        self.supply = supply
        self.request = request
        self.retrieval = retrieval
        self.destination = destination
        self.originator = exchange.peer.ae_title, request.message_id
        self.comment = ""
        """What the final response says besides its counters."""
        self._exchange = exchange
        self._done: list[Connection] = []

    def is_done_with(self, connection: Connection) -> None:
        """Keep an association to be released when the requestor has its answer: a receiver may be slow to agree."""
        self._done.append(connection)

    async def release(self) -> None:
        """Release the associations that are done with."""
        await asyncio.gather(*(close(connection) for connection in self._done))
        self._done.clear()

    async def give_up(self) -> None:
        """Abort the associations that were not released."""
        for connection in self._done:
            await give_up(connection, "The move was given up.")

    async def open(self, plan: ContextPlan) -> Connection:
        """Open an association to the destination."""
        return await self.destination.opener.open(self.destination.remote, plan.contexts)

    async def send_group(self, plan: ContextPlan, instances: Sequence[Sendable]) -> None:
        """Send instances whose contexts one association holds, over as many as may be open.

        Raises the errors of opening the first of them.
        """
        if self.retrieval.is_cancelled:
            return
        connection = await self.open(plan)
        accepted = contexts_to_send(connection.contexts.values())
        outgoing = self._choose(connection, instances, accepted)
        flow = self.supply.begin(connection.runtime, outgoing, accepted=accepted)
        helpers = min(self.destination.associations_max, len(outgoing)) - 1
        senders = [_Sender(self, plan, flow, connection), *(_Sender(self, plan, flow, None) for _ in range(helpers))]
        try:
            await _run_all(senders)
        finally:
            await flow.close()

    def _choose(
        self, connection: Connection, instances: Sequence[Sendable], accepted: Collection[ContextKey]
    ) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        refused: list[Sendable] = []
        for instance in instances:
            transfer_syntax_uid = instance.syntax_for(accepted)
            if transfer_syntax_uid is None:
                refused.append(instance)
            else:
                outgoing.append(Outgoing(instance, transfer_syntax_uid))
        log_without_context(connection, refused)
        self.fail(refused)
        if refused:
            self.comment = refusal_comment(connection.peer.ae_title, refused[0])
        return outgoing

    def fail(self, instances: Sequence[Sendable]) -> None:
        """Count instances as failed."""
        for instance in instances:
            self.retrieval.count(Outcome.FAILED, instance.identifier.sop_instance_uid)

    def log_unreachable(self, error: Refused | Unavailable) -> None:
        """Say why the destination could not be reached."""
        _log.warning(
            "move.destination_unreachable",
            association_id=self._exchange.connection.record.association_id,
            destination=self.destination.remote.ae_title,
            reason=error.message,
        )


async def _run_all(senders: Sequence[_Sender]) -> None:
    """Let all send; those that are still connecting when nothing is left to send are not waited for."""
    first, *others = senders
    tasks = [asyncio.create_task(sender.run()) for sender in others]
    try:
        await first.run()
        for sender, task in zip(others, tasks, strict=True):
            if sender.connection is None:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Sender:
    """One association of a move, and what is sent over it."""

    def __init__(self, mover: _Mover, plan: ContextPlan, flow: Flow, connection: Connection | None) -> None:
        self._mover = mover
        self._plan = plan
        self._flow = flow
        self.connection = connection
        self._looked_at: Connection | None = None
        """The association that the identifiers of contexts below are of; they stay for as long as it does."""
        self._context_ids: Mapping[ContextKey, int] = {}

    async def run(self) -> None:
        """Send until nothing is left, the requestor cancels, or the destination is lost for good."""
        try:
            if self.connection is None:
                self.connection = await self._mover.open(self._plan)
            while not self._mover.retrieval.is_cancelled and (opened := await self._flow.take()) is not None:
                if not await self._send(opened):
                    return
            self._mover.is_done_with(self.connection)
            self.connection = None
        except (Refused, Unavailable) as error:  # one association less; the others go on
            self._mover.log_unreachable(error)
        finally:
            if self.connection is not None:
                await give_up(self.connection, "The move was given up.")

    async def _send(self, opened: Opened) -> bool:
        """Send an instance, a second time where the association is lost; return whether there is one to go on with."""
        outcome = None
        if opened.error is None:
            outcome = await self._try(opened)
            if outcome is None and await self._reconnect():
                outcome = await self._try(await self._opened_again(opened))
        elif self.connection is not None:
            log_unreadable(self.connection, opened, opened.error)
        self._mover.retrieval.count(outcome or Outcome.FAILED, opened.outgoing.sop_instance_uid)
        return outcome is not None or opened.error is not None

    async def _try(self, opened: Opened) -> Outcome | None:
        """Return how the destination took an instance, None where the association was lost over it."""
        connection = self.connection
        if connection is None:
            return None
        if connection is not self._looked_at:
            self._looked_at, self._context_ids = connection, contexts_to_send(connection.contexts.values())
        context_id = self._context_ids.get(opened.outgoing.key)
        if opened.error is not None or context_id is None:
            return Outcome.FAILED
        mover = self._mover
        try:
            return await send_opened(
                connection, opened, context_id, priority=mover.request.priority, move_originator=mover.originator
            )
        except AssociationOver:
            return None

    async def _reconnect(self) -> bool:
        if self.connection is not None:
            await give_up(self.connection, "The association is opened again.")
        self.connection = None
        try:
            self.connection = await self._mover.open(self._plan)
        except (Refused, Unavailable) as error:
            self._mover.log_unreachable(error)
        return self.connection is not None

    async def _opened_again(self, opened: Opened) -> Opened:
        if opened.rest is None or opened.open_again is None or self.connection is None:
            return opened
        return await self.connection.run(opened.open_again)
