"""C-GET: send instances back over the association on which they were asked for (PS3.4 C.4.3)."""

from __future__ import annotations

from isocenter.archive.archive import Archive
from isocenter.dimse.message.messages import CGetRq
from isocenter.dimse.scp.outgoing import ReadAhead, choose_syntax, contexts_to_send
from isocenter.dimse.scp.retrieval import (
    Retrieval,
    log_unreadable,
    log_without_context,
    refusal_comment,
    run_together,
    send_opened,
)
from isocenter.dimse.scp.suboperations import Outcome
from isocenter.dimse.shell.exchange import Exchange
from isocenter.ports.index import InstanceRow


async def send_back(archive: Archive, exchange: Exchange, request: CGetRq, rows: list[InstanceRow]) -> None:
    """Send instances over the association of the request, and the responses to it."""
    connection = exchange.connection
    retrieval = Retrieval(exchange, request, total=len(rows))
    contexts = contexts_to_send(exchange.contexts.values())
    chosen = [choose_syntax(archive, row, contexts) for row in rows]
    refused = [row for row, outgoing in zip(rows, chosen, strict=True) if outgoing is None]
    log_without_context(connection, refused)
    for row in refused:
        retrieval.count(Outcome.FAILED, row.identifier.sop_instance_uid)
    ahead = ReadAhead(connection.runtime, archive, [outgoing for outgoing in chosen if outgoing is not None])

    async def send_all() -> None:
        while not retrieval.is_cancelled and (opened := await ahead.take()) is not None:
            outcome = Outcome.FAILED
            if opened.error is None:
                context_id = contexts[opened.outgoing.key]
                outcome = await send_opened(connection, opened, context_id, priority=request.priority)
            else:
                log_unreadable(connection, opened, opened.error)
            retrieval.count(outcome, opened.outgoing.row.identifier.sop_instance_uid)

    try:
        loop = connection.runtime.loop
        await run_together([loop.create_task(send_all()) for _ in range(connection.invoked_max)])
        await retrieval.finish(comment=refusal_comment(connection.peer.ae_title, refused[0]) if refused else "")
    finally:
        retrieval.stop()
        await ahead.close()
