"""C-STORE: send an instance to another AE (PS3.4 annex B)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from isocenter.dimse.message.messages import CStoreRq, CStoreRsp
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.pdu import Buffer


async def store(
    association: Connection,
    context: AcceptedContext,
    dataset: Iterable[Buffer] | AsyncIterator[Buffer],
    *,
    sop_instance_uid: str,
) -> CStoreRsp:
    """Send an instance, whose data set is in the transfer syntax of the context, and return the answer.

    Raises RequestFailed where the peer answers out of turn, AssociationOver.
    """
    request = CStoreRq(
        message_id=association.next_message_id(),
        affected_sop_class_uid=context.abstract_syntax_uid,
        affected_sop_instance_uid=sop_instance_uid,
    )
    response = (await association.invoke(context.context_id, request, dataset)).response
    if not isinstance(response, CStoreRsp):
        raise RequestFailed(f"{association.record.called_ae_title} answers a C-STORE with another response.")
    return response
