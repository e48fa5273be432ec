"""C-GET: send instances back over the association on which they were asked for (PS3.4 C.4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dimse.message.messages import CGetRq
from isocenter.dimse.scp.retrieval import (
    Retrieval,
    log_unreadable,
    log_without_context,
    refusal_comment,
    run_together,
    send_opened,
)
from isocenter.dimse.scp.suboperations import Outcome
from isocenter.dimse.scp.supply import Outgoing, Sendable, Supply, contexts_to_send
from isocenter.dimse.shell.exchange import Exchange


async def send_back(supply: Supply, exchange: Exchange, request: CGetRq, instances: Sequence[Sendable]) -> None:
    """Send instances over the association of the request, and the responses to it."""
    connection = exchange.connection
    retrieval = Retrieval(exchange, request, total=len(instances))
    contexts = contexts_to_send(exchange.contexts.values())
    chosen = [(instance, instance.syntax_for(contexts)) for instance in instances]
    refused = [instance for instance, syntax_uid in chosen if syntax_uid is None]
    log_without_context(connection, refused)
    for instance in refused:
        retrieval.count(Outcome.FAILED, instance.identifier.sop_instance_uid)
    outgoing = [Outgoing(instance, syntax_uid) for instance, syntax_uid in chosen if syntax_uid is not None]
    flow = supply.begin(connection.runtime, outgoing, accepted=contexts)

    async def send_all() -> None:
        while not retrieval.is_cancelled and (opened := await flow.take()) is not None:
            outcome = Outcome.FAILED
            if opened.error is None:
                context_id = contexts[opened.outgoing.key]
                outcome = await send_opened(connection, opened, context_id, priority=request.priority)
            else:
                log_unreadable(connection, opened, opened.error)
            retrieval.count(outcome, opened.outgoing.sop_instance_uid)

    try:
        loop = connection.runtime.loop
        await run_together([loop.create_task(send_all()) for _ in range(connection.invoked_max)])
        if not retrieval.is_cancelled:
            retrieval.fail_rest(instances)
        await retrieval.finish(comment=refusal_comment(connection.peer.ae_title, refused[0]) if refused else "")
    finally:
        retrieval.stop()
        await flow.close()
