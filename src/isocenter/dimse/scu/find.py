"""C-FIND: search what another AE has (PS3.4 C.4.1, K.4.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from isocenter.dicom.dataset import Dataset, encode_dataset
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.message.messages import CCancelRq, CFindRq
from isocenter.dimse.message.statuses import CANCEL, SUCCESS
from isocenter.dimse.scu.requests import request_failed, require_context
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.exchange import Answer

PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


class Match(NamedTuple):
    """The identifier of one match, as it came."""

    content: bytes
    transfer_syntax_uid: str


async def find(
    association: Connection,
    identifier: Dataset,
    *,
    sop_class_uid: str = STUDY_ROOT_FIND,
    limit: int | None = None,
    on_match: Callable[[Match], None] = lambda match: None,
) -> list[Match]:
    """Return what matches, at most `limit`: the search is cancelled there.

    Raises ContextRefused, RequestFailed, AssociationOver.
    """
    context = require_context(association, sop_class_uid)
    request = CFindRq(message_id=association.next_message_id(), affected_sop_class_uid=sop_class_uid)
    matches: list[Match] = []

    def take(answer: Answer) -> None:
        if answer.dataset is None or (limit is not None and len(matches) == limit):
            return
        matches.append(Match(answer.dataset, context.transfer_syntax_uid))
        on_match(matches[-1])
        if len(matches) == limit and association.is_open:
            cancel = CCancelRq(message_id_being_responded_to=request.message_id)
            association.send(context.context_id, cancel, None)

    content = encode_dataset(identifier, encoding_of(context.transfer_syntax_uid))
    answer = await association.invoke(context.context_id, request, [content], on_pending=take)
    if answer.response.status != SUCCESS and not (answer.response.status == CANCEL and len(matches) == limit):
        raise request_failed(association, answer.response)
    return matches
