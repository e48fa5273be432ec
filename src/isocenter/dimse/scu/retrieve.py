"""C-MOVE and C-GET: have another AE send instances, to a third or to us (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isocenter.dicom.dataset import Dataset, character_set_of, decode_dataset, encode_dataset, texts_of
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.message.messages import CCancelRq, CGetRq, CGetRsp, CMoveRq, CMoveRsp
from isocenter.dimse.message.statuses import SUCCESS, StatusCategory, category_of
from isocenter.dimse.scu.requests import request_failed, require_context
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.exchange import Answer
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.domain.errors import InvalidDataset

PATIENT_ROOT_MOVE, PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_MOVE, STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"
FAILED_SOP_INSTANCE_UID_LIST = 0x00080058


@dataclass(frozen=True, slots=True)
class Progress:
    """The sub-operations of a retrieval, as far as the peer counts them."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0

    @property
    def total(self) -> int:
        """Return how many there are."""
        return self.remaining + self.completed + self.failed + self.warning

    @property
    def done(self) -> int:
        """Return how many are done, one way or the other."""
        return self.completed + self.failed + self.warning


@dataclass(frozen=True, slots=True)
class Retrieved:
    """How a retrieval ended."""

    progress: Progress
    status: int
    failed_sop_instance_uids: tuple[str, ...] = ()
    told: str = ""
    """What the status means, where it is not success."""


OnProgress = Callable[[Progress], None]
OnBegin = Callable[[Callable[[], None]], None]
"""Is given what asks the peer to end the retrieval early (PS3.7 9.3.4.3); harmless once it has ended."""


async def move(
    association: Connection,
    identifier: Dataset,
    *,
    destination: str,
    sop_class_uid: str = STUDY_ROOT_MOVE,
    on_progress: OnProgress = lambda progress: None,
    on_begin: OnBegin = lambda cancel: None,
) -> Retrieved:
    """Have the peer send what an identifier names to the AE with the title `destination`.

    Raises ContextRefused, RequestFailed where it did not begin, AssociationOver.
    """
    request = CMoveRq(
        message_id=association.next_message_id(), affected_sop_class_uid=sop_class_uid, move_destination=destination
    )
    return await _retrieve(association, request, identifier, on_progress, on_begin)


async def get(
    association: Connection,
    identifier: Dataset,
    *,
    sop_class_uid: str = STUDY_ROOT_GET,
    on_progress: OnProgress = lambda progress: None,
    on_begin: OnBegin = lambda cancel: None,
) -> Retrieved:
    """Have the peer send what an identifier names over the same association, whose services take it.

    Raises ContextRefused, RequestFailed where it did not begin, AssociationOver.
    """
    request = CGetRq(message_id=association.next_message_id(), affected_sop_class_uid=sop_class_uid)
    return await _retrieve(association, request, identifier, on_progress, on_begin)


async def _retrieve(
    association: Connection,
    request: CMoveRq | CGetRq,
    identifier: Dataset,
    on_progress: OnProgress,
    on_begin: OnBegin,
) -> Retrieved:
    context = require_context(association, request.affected_sop_class_uid)
    content = encode_dataset(identifier, encoding_of(context.transfer_syntax_uid))
    latest = Progress()

    def take(answer: Answer) -> None:
        nonlocal latest
        latest = _progress(answer, latest)
        on_progress(latest)

    def cancel() -> None:
        if association.is_open:
            order = CCancelRq(message_id_being_responded_to=request.message_id)
            association.send(context.context_id, order, None)

    on_begin(cancel)
    answer = await association.invoke(context.context_id, request, [content], on_pending=take)
    latest = _progress(answer, latest)
    status = answer.response.status
    if category_of(status) is StatusCategory.FAILURE and not latest.done:
        raise request_failed(association, answer.response)
    told = "" if status == SUCCESS else describe_status(answer.response)
    return Retrieved(latest, status, _failed_list(answer, context), told)


def _progress(answer: Answer, before: Progress) -> Progress:
    """Return the counters of a response; those that are left out stay, but nothing remains in a final one."""
    response = answer.response
    if not isinstance(response, CMoveRsp | CGetRsp):
        return before
    completed = response.number_of_completed_suboperations
    failed = response.number_of_failed_suboperations
    warning = response.number_of_warning_suboperations
    return Progress(
        remaining=response.number_of_remaining_suboperations or 0,
        completed=before.completed if completed is None else completed,
        failed=before.failed if failed is None else failed,
        warning=before.warning if warning is None else warning,
    )


def _failed_list(answer: Answer, context: AcceptedContext) -> tuple[str, ...]:
    if not answer.dataset:
        return ()
    try:
        dataset = decode_dataset(answer.dataset, encoding_of(context.transfer_syntax_uid))
    except InvalidDataset:  # the counters tell that something failed; which, remains unknown
        return ()
    listed = dataset.get(FAILED_SOP_INSTANCE_UID_LIST)
    return () if listed is None else texts_of(listed, character_set_of(dataset))
