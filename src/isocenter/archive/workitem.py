"""Workitems: create, retrieve, search, update, change state, cancel (PS3.4 CC.2, dicom-service 9.2).

Each change reads the workitem, makes the next revision of it and puts that in its place, if nobody was faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from isocenter.archive.archive import Archive
from isocenter.dicom.dataset import vr_of
from isocenter.dicom.json_document import Document, values_of_document
from isocenter.domain.date_time import first_instant
from isocenter.domain.errors import (
    Broken,
    InvalidAttributes,
    InvalidAttributeValue,
    TooLarge,
    WorkitemChanged,
    WorkitemExists,
    WorkitemNotFound,
)
from isocenter.domain.identifiers import is_uid
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.values import first_text, tag_key, texts
from isocenter.domain.workitem import (
    DEFAULT_WORKLIST_LABEL,
    MODIFICATION_DATE_TIME,
    PROCEDURE_STEP_STATE,
    REQUESTABLE_STATES,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    TRANSACTION_UID,
    UPS_PUSH_SOP_CLASS,
    WORKITEM_SIZE_MAX_BYTES,
    WORKLIST_LABEL,
    Outcome,
    Verdict,
    Workitem,
    WorkitemState,
    judge_change,
    require_updatable,
)
from isocenter.domain.workitem_attributes import (
    AT_CREATION,
    AT_END,
    AT_UPDATE,
    Need,
    Requirement,
    is_empty,
    require_attributes,
)
from isocenter.domain.workitem_search import WorkitemQuery, searchable_texts

START_DATE_TIME = 0x00404005
STATE_CHANGE = (Requirement(TRANSACTION_UID, Need.VALUE), Requirement(PROCEDURE_STEP_STATE, Need.VALUE))
"""What a request to change the state says (PS3.4 table CC.2.1-1)."""

_UID_MISMATCH = "SOPInstanceUID in the payload does not match the workitem query parameter."


@dataclass(frozen=True, slots=True)
class WorkitemName:
    """Which workitem is meant."""

    partition_name: str
    sop_instance_uid: str


def create_workitem(
    archive: Archive, principal: Principal, attributes: Document, *, partition_name: str, sop_instance_uid: str | None
) -> Workitem:
    """Keep a new workitem, SCHEDULED, under the UID that is named for it or that its attributes have.

    Raises InvalidAttributes and its kin where the attributes make none, WorkitemExists, TooLarge, StorageFull,
    Forbidden.
    """
    principal.require(DataAction.WRITE)
    now = archive.clock.now()
    document = _named(attributes, sop_instance_uid)
    values = values_of_document(document)
    require_attributes(values, AT_CREATION)
    uid = first_text(values, SOP_INSTANCE_UID)
    _require_uid(SOP_INSTANCE_UID, uid)
    _require_start(document)
    del document[tag_key(TRANSACTION_UID)]
    document |= {
        **_attribute(SOP_CLASS_UID, UPS_PUSH_SOP_CLASS),
        **_attribute(MODIFICATION_DATE_TIME, date_time(now)),
        **_attribute(PROCEDURE_STEP_STATE, WorkitemState.SCHEDULED.value),
    }
    if is_empty(values, WORKLIST_LABEL):
        document |= _attribute(WORKLIST_LABEL, DEFAULT_WORKLIST_LABEL)
    at = now.timestamp()
    workitem = Workitem(partition_name, uid, WorkitemState.SCHEDULED, None, encode_content(document), at, at)
    archive.index.require_room()
    if not archive.workitems.create(workitem, searchable_texts(values_of_document(document))):
        raise WorkitemExists()
    return workitem


def _named(attributes: Document, sop_instance_uid: str | None) -> Document:
    document = dict(attributes)
    if sop_instance_uid is None:
        return document
    inside = first_text(values_of_document(document), SOP_INSTANCE_UID)
    if inside and inside != sop_instance_uid:
        raise InvalidAttributes(_UID_MISMATCH, tags=(SOP_INSTANCE_UID,))
    return document | _attribute(SOP_INSTANCE_UID, sop_instance_uid)


def _require_uid(tag: int, text: str) -> None:
    if not is_uid(text):
        raise InvalidAttributeValue(f"The value for tag '({tag >> 16:04x},{tag & 0xFFFF:04x})' is no UID.", tags=(tag,))


def _require_start(document: Document) -> None:
    """Raise where the time for which it is scheduled is none: nobody would find it by that."""
    for text in texts(values_of_document(document), START_DATE_TIME):
        if first_instant(text) is None:
            raise InvalidAttributeValue("ScheduledProcedureStepStartDateTime is no date with time.")


def find_workitem(archive: Archive, principal: Principal, name: WorkitemName) -> Workitem:
    """Return a workitem.

    Raises WorkitemNotFound, Forbidden.
    """
    principal.require(DataAction.READ)
    return load_workitem(archive, name)


def load_workitem(archive: Archive, name: WorkitemName) -> Workitem:
    """Return a workitem, for a use case that has asked what its caller may do; raise WorkitemNotFound."""
    workitem = archive.workitems.find(name.partition_name, name.sop_instance_uid)
    if workitem is None:
        raise WorkitemNotFound()
    return workitem


def search_workitems(archive: Archive, principal: Principal, query: WorkitemQuery) -> list[Workitem]:
    """Return the workitems that match, the one that was created last first."""
    principal.require(DataAction.READ)
    return archive.workitems.search(query)


def update_workitem(
    archive: Archive, principal: Principal, name: WorkitemName, changes: Document, *, transaction_uid: str | None
) -> None:
    """Put attributes in the place of those that a workitem has, sequences as a whole.

    Raises WorkitemNotFound, WorkitemRefused where it has ended or somebody else holds its lock, InvalidAttributes and
    its kin, WorkitemChanged where somebody was faster, Forbidden.
    """
    principal.require(DataAction.WRITE)
    workitem = load_workitem(archive, name)
    require_updatable(workitem, transaction_uid=transaction_uid)
    require_attributes(values_of_document(changes), AT_UPDATE)
    _require_start(changes)
    document = decode_content(workitem) | changes
    document |= _attribute(MODIFICATION_DATE_TIME, date_time(archive.clock.now()))
    put_next(archive, workitem, document)


def change_workitem_state(archive: Archive, principal: Principal, name: WorkitemName, wanted: Document) -> Verdict:
    """Claim a workitem, complete or cancel it, as `wanted` says: a Transaction UID and a state (PS3.4 CC.2.1).

    Raises WorkitemNotFound, WorkitemRefused, InvalidAttributes and its kin where `wanted` is not understood or where
    the workitem lacks what must be known at its end, WorkitemChanged, Forbidden.
    """
    principal.require(DataAction.WRITE)
    workitem = load_workitem(archive, name)
    values = values_of_document(wanted)
    require_attributes(values, STATE_CHANGE)
    transaction_uid = first_text(values, TRANSACTION_UID)
    _require_uid(TRANSACTION_UID, transaction_uid)
    state = REQUESTABLE_STATES.get(first_text(values, PROCEDURE_STEP_STATE))
    if state is None:
        raise InvalidAttributeValue(
            f"ProcedureStepState can be changed to {', '.join(REQUESTABLE_STATES)}.", tags=(PROCEDURE_STEP_STATE,)
        )
    verdict = judge_change(workitem, state, transaction_uid=transaction_uid)
    if verdict.outcome is Outcome.CHANGED:
        put_in_state(archive, replace(workitem, transaction_uid=transaction_uid), decode_content(workitem), state)
    return verdict


def put_in_state(archive: Archive, workitem: Workitem, document: Document, state: WorkitemState) -> None:
    """Put a workitem with these attributes in another state; raise where that asks for more than is known."""
    document = document | _attribute(PROCEDURE_STEP_STATE, state.value)
    if state.is_final:
        require_attributes(values_of_document(document), AT_END[state])
    put_next(archive, replace(workitem, state=state), document)


def put_next(archive: Archive, workitem: Workitem, document: Document) -> None:
    """Put the next revision of a workitem in its place; raise WorkitemChanged where somebody was faster."""
    following = replace(
        workitem,
        content=encode_content(document),
        changed_at=archive.clock.now().timestamp(),
        revision=workitem.revision + 1,
    )
    texts = searchable_texts(values_of_document(document))
    if not archive.workitems.replace(following, texts, revision=workitem.revision):
        raise WorkitemChanged()


def encode_content(document: Document) -> bytes:
    """Return attributes as they are kept; raise TooLarge where they are too many."""
    content = orjson.dumps(dict(sorted(document.items())))
    if len(content) > WORKITEM_SIZE_MAX_BYTES:
        raise TooLarge(f"The request exceeded the allowed limit of {WORKITEM_SIZE_MAX_BYTES} bytes.")
    return content


def decode_content(workitem: Workitem) -> Document:
    """Return the attributes of a workitem; raise Broken where what is kept is none."""
    try:
        document: Document = orjson.loads(workitem.content)
    except orjson.JSONDecodeError as error:
        raise Broken("The attributes of the workitem cannot be read.") from error
    return document


def _attribute(tag: int, text: str) -> Document:
    return {tag_key(tag): {"vr": vr_of(tag), "Value": [text]}}


def date_time(now: datetime) -> str:
    """Return a time as a DT value that says that it is UTC."""
    return now.strftime("%Y%m%d%H%M%S.%f+0000")
