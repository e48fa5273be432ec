"""Tell another AE of a modality performed procedure step: N-CREATE, N-SET, N-GET (PS3.4 F.7, F.8)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicom.dataset import Dataset
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.performed_step import (
    MODALITY_PERFORMED_PROCEDURE_STEP,
    MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE,
    decode_attributes,
    encode_attributes,
)
from isocenter.dimse.message.messages import NCreateRq, NCreateRsp, NGetRq, NSetRq
from isocenter.dimse.message.statuses import StatusCategory, category_of
from isocenter.dimse.scu.requests import request_failed, require_context
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.exchange import Answer


async def create_performed_step(
    association: Connection, attributes: Dataset, *, sop_instance_uid: str | None = None
) -> str:
    """Create a step and return its UID, which the peer gives where we do not.

    Raises ContextRefused, RequestFailed, AssociationOver.
    """
    context = require_context(association, MODALITY_PERFORMED_PROCEDURE_STEP)
    request = NCreateRq(
        message_id=association.next_message_id(),
        affected_sop_class_uid=MODALITY_PERFORMED_PROCEDURE_STEP,
        affected_sop_instance_uid=sop_instance_uid,
    )
    attribute_list = encode_attributes(attributes, encoding_of(context.transfer_syntax_uid))
    answer = await association.invoke(context.context_id, request, attribute_list)
    _require_done(association, answer)
    response = answer.response
    given = response.affected_sop_instance_uid if isinstance(response, NCreateRsp) else None
    return sop_instance_uid or given or ""


async def set_performed_step(association: Connection, sop_instance_uid: str, changes: Dataset) -> None:
    """Change a step.

    Raises ContextRefused, RequestFailed, AssociationOver.
    """
    context = require_context(association, MODALITY_PERFORMED_PROCEDURE_STEP)
    request = NSetRq(
        message_id=association.next_message_id(),
        requested_sop_class_uid=MODALITY_PERFORMED_PROCEDURE_STEP,
        requested_sop_instance_uid=sop_instance_uid,
    )
    modification_list = encode_attributes(changes, encoding_of(context.transfer_syntax_uid))
    _require_done(association, await association.invoke(context.context_id, request, modification_list))


async def get_performed_step(association: Connection, sop_instance_uid: str, *, tags: Sequence[int] = ()) -> Dataset:
    """Return the attributes of a step, those that are named or all.

    Raises ContextRefused, RequestFailed, AssociationOver.
    """
    context = require_context(association, MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE)
    request = NGetRq(
        message_id=association.next_message_id(),
        requested_sop_class_uid=MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE,
        requested_sop_instance_uid=sop_instance_uid,
        attribute_identifier_list=tuple(tags),
    )
    answer = await association.invoke(context.context_id, request)
    _require_done(association, answer)
    return decode_attributes(answer.dataset, encoding_of(context.transfer_syntax_uid))


def _require_done(association: Connection, answer: Answer) -> None:
    """Raise RequestFailed for a failure; a warning tells that it was done."""
    if category_of(answer.response.status) not in (StatusCategory.SUCCESS, StatusCategory.WARNING):
        raise request_failed(association, answer.response)
