"""A request to cancel a workitem that nobody has claimed (PS3.4 CC.2.2): the service cancels it and says why."""

from __future__ import annotations

from typing import Any

from isocenter.archive.archive import Archive
from isocenter.archive.workitem import WorkitemName, date_time, decode_content, load_workitem, put_in_state
from isocenter.dicom.dataset import vr_of
from isocenter.dicom.json_document import Document
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.values import tag_key
from isocenter.domain.workitem import WorkitemState, require_cancelable

PROGRESS_INFORMATION_SEQUENCE = 0x00741002
PERFORMED_PROCEDURE_SEQUENCE = 0x00741216
COMMUNICATIONS_URI_SEQUENCE = 0x00741008
CANCELLATION_DATE_TIME = 0x00404052
DISCONTINUATION_REASON_CODE_SEQUENCE = 0x0074100E
REASON_FOR_CANCELLATION = 0x00741238
CONTACT_URI, CONTACT_DISPLAY_NAME = 0x0074100A, 0x0074100C

UNSPECIFIED_REASON: Document = {
    "00080100": {"vr": "SH", "Value": ["110513"]},
    "00080102": {"vr": "SH", "Value": ["DCM"]},
    "00080104": {"vr": "LO", "Value": ["Discontinued for unspecified reason"]},
}
"""PS3.16 CID 9300, for who gives a reason in words or none; a workitem does not end without a code."""


def cancel_workitem(archive: Archive, principal: Principal, name: WorkitemName, request: Document) -> None:
    """Cancel a workitem that is SCHEDULED.

    Raises WorkitemNotFound, AlreadyCanceled, CancellationRefused where it is being performed or was, InvalidAttributes
    and its kin, WorkitemChanged, Forbidden.
    """
    principal.require(DataAction.WRITE)
    workitem = load_workitem(archive, name)
    require_cancelable(workitem)
    document = decode_content(workitem)
    progress = _first_item(document, PROGRESS_INFORMATION_SEQUENCE) | _reasons(request)
    progress |= _attribute(CANCELLATION_DATE_TIME, date_time(archive.clock.now()))
    document |= _attribute(PROGRESS_INFORMATION_SEQUENCE, dict(sorted(progress.items())))
    performed = _first_item(request, PERFORMED_PROCEDURE_SEQUENCE)
    if performed:
        merged = _first_item(document, PERFORMED_PROCEDURE_SEQUENCE) | performed
        document |= _attribute(PERFORMED_PROCEDURE_SEQUENCE, dict(sorted(merged.items())))
    put_in_state(archive, workitem, document, WorkitemState.CANCELED)


def _reasons(request: Document) -> Document:
    """Return what the request says about its reason and about whom to ask."""
    reasons: Document = {}
    codes = request.get(tag_key(DISCONTINUATION_REASON_CODE_SEQUENCE), {}).get("Value") or [UNSPECIFIED_REASON]
    reasons |= _attribute(DISCONTINUATION_REASON_CODE_SEQUENCE, *codes)
    key = tag_key(REASON_FOR_CANCELLATION)
    if key in request:
        reasons[key] = request[key]
    contact = {tag_key(tag): request[tag_key(tag)] for tag in (CONTACT_URI, CONTACT_DISPLAY_NAME) if _has(request, tag)}
    if contact:
        reasons |= _attribute(COMMUNICATIONS_URI_SEQUENCE, contact)
    return reasons


def _has(document: Document, tag: int) -> bool:
    return bool(document.get(tag_key(tag), {}).get("Value"))


def _first_item(document: Document, tag: int) -> Document:
    items: list[Document] = document.get(tag_key(tag), {}).get("Value") or [{}]
    return dict(items[0])


def _attribute(tag: int, *values: Any) -> Document:
    return {tag_key(tag): {"vr": vr_of(tag), "Value": list(values)}}
