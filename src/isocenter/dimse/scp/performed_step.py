"""Modality performed procedure steps: N-CREATE and N-SET from modalities, N-GET for whoever asks (PS3.4 F.7, F.8)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from isocenter.archive.performed_step import (
    attributes_of,
    create_performed_step,
    find_performed_step,
    set_performed_step,
)
from isocenter.dicom.dataset import Attribute, Dataset
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.performed_step import (
    MAY_NO_LONGER_BE_UPDATED,
    MODALITY_PERFORMED_PROCEDURE_STEP,
    MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE,
    decode_attributes,
    encode_attributes,
)
from isocenter.dimse.message.messages import NCreateRq, NCreateRsp, NGetRq, NGetRsp, NSetRq, NSetRsp, Request
from isocenter.dimse.message.statuses import NO_SUCH_SOP_CLASS, SUCCESS
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.service import Perform, Service
from isocenter.domain.application_entity import AeService
from isocenter.domain.errors import (
    InvalidAttributeValue,
    IsocenterError,
    MissingAttribute,
    MissingAttributeValue,
    Refused,
    StepFinished,
)
from isocenter.domain.statuses import statuses_of
from isocenter.ports.clock import Clock
from isocenter.ports.performed_steps import PerformedSteps

OPTIONAL_ATTRIBUTES_NOT_SUPPORTED = 0x0001
"""A warning of N-GET (PS3.4 F.8.2.1.4): some of what was asked for is not there."""


def generate_uid() -> str:
    """Return a UID that nobody else has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


class PerformedStepProvider:
    """The performed procedure step services of a node."""

    def __init__(
        self,
        steps: PerformedSteps,
        clock: Clock,
        *,
        new_uid: Callable[[], str] = generate_uid,
        forward_to: str = "",
    ) -> None:
        """`forward_to` is the AE title that everything is told to as well, kept for it in the same commit."""
        self._forward_to = forward_to
        self._steps = steps
        self._clock = clock
        self._new_uid = new_uid

    def services(self) -> tuple[Service, Service]:
        """Return the rows of the table of services."""
        of_modalities: dict[type[Request], Perform] = {NCreateRq: self._create, NSetRq: self._set}
        of_others: dict[type[Request], Perform] = {NGetRq: self._get}
        return (
            Service(AeService.PERFORMED_STEP, frozenset({MODALITY_PERFORMED_PROCEDURE_STEP}), performs=of_modalities),
            Service(
                AeService.PERFORMED_STEP, frozenset({MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE}), performs=of_others
            ),
        )

    async def _create(self, exchange: Exchange, request: NCreateRq, attribute_list: bytes | None) -> None:
        uid = request.affected_sop_instance_uid or self._new_uid()
        attributes: dict[int, Attribute] = {}

        def create() -> None:
            _require_class(exchange, request.affected_sop_class_uid)
            attributes.update(decode_attributes(attribute_list, _encoding(exchange)))
            create_performed_step(
                self._steps,
                exchange.peer.principal,
                sop_instance_uid=uid,
                attributes=attributes,
                ae_title=exchange.peer.ae_title,
                now=self._clock.now().timestamp(),
                forward_to=self._forward_to,
            )

        error = await _attempt(exchange, create)
        response = NCreateRsp(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.affected_sop_class_uid,
            affected_sop_instance_uid=uid,
            status=_status_of(error),
            error_comment=_comment_of(error),
            attribute_identifier_list=_missing(error),
        )
        await exchange.respond(response, _refused_values(exchange, error, attributes))

    async def _set(self, exchange: Exchange, request: NSetRq, modification_list: bytes | None) -> None:
        changes: dict[int, Attribute] = {}

        def change() -> None:
            _require_class(exchange, request.requested_sop_class_uid)
            changes.update(decode_attributes(modification_list, _encoding(exchange)))
            set_performed_step(
                self._steps,
                exchange.peer.principal,
                sop_instance_uid=request.requested_sop_instance_uid,
                changes=changes,
                now=self._clock.now().timestamp(),
                forward_to=self._forward_to,
            )

        error = await _attempt(exchange, change)
        response = NSetRsp(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.requested_sop_class_uid,
            affected_sop_instance_uid=request.requested_sop_instance_uid,
            status=_status_of(error),
            error_comment=_comment_of(error),
            error_id=MAY_NO_LONGER_BE_UPDATED if isinstance(error, StepFinished) else None,
            attribute_identifier_list=_missing(error),
        )
        await exchange.respond(response, _refused_values(exchange, error, changes))

    async def _get(self, exchange: Exchange, request: NGetRq, _dataset: bytes | None) -> None:
        attributes: dict[int, Attribute] = {}
        wanted = request.attribute_identifier_list

        def get() -> None:
            _require_class(exchange, request.requested_sop_class_uid)
            uid = request.requested_sop_instance_uid
            step = find_performed_step(self._steps, exchange.peer.principal, uid)
            attributes.update(attributes_of(step, wanted))

        error = await _attempt(exchange, get)
        is_whole = set(wanted) <= set(attributes)
        response = NGetRsp(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.requested_sop_class_uid,
            affected_sop_instance_uid=request.requested_sop_instance_uid,
            status=_status_of(error) if error is not None or is_whole else OPTIONAL_ATTRIBUTES_NOT_SUPPORTED,
            error_comment=_comment_of(error),
        )
        await exchange.respond(response, None if error else encode_attributes(attributes, _encoding(exchange)))


class _WrongClass(Refused):
    """The SOP class is not that of the presentation context."""


def _encoding(exchange: Exchange) -> Encoding:
    return encoding_of(exchange.context.transfer_syntax_uid)


def _require_class(exchange: Exchange, sop_class_uid: str) -> None:
    if sop_class_uid != exchange.context.abstract_syntax_uid:
        raise _WrongClass()


async def _attempt(exchange: Exchange, action: Callable[[], None]) -> IsocenterError | None:
    """Carry something out off the event loop; return why it failed, None where it did not."""
    try:
        await exchange.run(action)
    except IsocenterError as error:
        return error.without_frames()
    return None


def _status_of(error: IsocenterError | None) -> int:
    if error is None:
        return SUCCESS
    return NO_SUCH_SOP_CLASS if isinstance(error, _WrongClass) else statuses_of(error).dimse_status


def _comment_of(error: IsocenterError | None) -> str | None:
    return None if error is None else comment_of(error.message)


def _missing(error: IsocenterError | None) -> tuple[int, ...]:
    """Return the tags that a response names where they are missing or have no value (PS3.7 C.5)."""
    return error.tags if isinstance(error, MissingAttribute | MissingAttributeValue) else ()


def _refused_values(exchange: Exchange, error: IsocenterError | None, attributes: Dataset) -> list[bytes] | None:
    """Return the attributes whose values were refused, which a response gives back (PS3.7 C.5)."""
    if not isinstance(error, InvalidAttributeValue):
        return None
    refused = {tag: attributes[tag] for tag in error.tags if tag in attributes}
    return encode_attributes(refused, _encoding(exchange)) if refused else None
