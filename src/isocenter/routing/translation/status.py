"""What a DIMSE peer is told of what a DICOMweb server answered (routing-and-gateway 6.3).

A search that failed is never told as one that found nothing; an instance that is not stored never as one that is.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.routing.catalogue.entry import Entry
from isocenter.routing.catalogue.lookup import explain_report, report_of
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.verdict import Verdict, judge

COMMENT_LENGTH_MAX = 64
"""Error Comment (0000,0902) is of VR LO."""
SUCCESS, OUT_OF_RESOURCES, DATA_DOES_NOT_MATCH, CANNOT_PROCESS = 0x0000, 0xA700, 0xA900, 0xC001
PROCESSING_FAILURE, DUPLICATE, CLASS_NOT_SUPPORTED, NOT_AUTHORIZED = 0x0110, 0x0111, 0x0122, 0x0124
CANNOT_UNDERSTAND, COERCED, NOT_QUITE_ITS_CLASS = 0xC000, 0xB000, 0xB007


@dataclass(frozen=True, slots=True)
class DimseAnswer:
    """The status of a response, and its comment."""

    status: int
    comment: str = ""


_FIND_BY_HTTP = {
    204: SUCCESS,
    400: DATA_DOES_NOT_MATCH,
    401: NOT_AUTHORIZED,
    403: NOT_AUTHORIZED,
    408: OUT_OF_RESOURCES,
    429: OUT_OF_RESOURCES,
    503: OUT_OF_RESOURCES,
}
_TIMEOUTS = frozenset({TransportFault.ANSWER_TIMEOUT, TransportFault.CONNECT_TIMEOUT})
_ABSENT = frozenset({404, 410})

_STORE_BY_HTTP = {
    400: CANNOT_UNDERSTAND,
    401: NOT_AUTHORIZED,
    403: NOT_AUTHORIZED,
    404: CANNOT_PROCESS,
    405: CANNOT_PROCESS,
    406: CANNOT_UNDERSTAND,
    408: OUT_OF_RESOURCES,
    410: CANNOT_PROCESS,
    413: OUT_OF_RESOURCES,
    415: CLASS_NOT_SUPPORTED,
    424: OUT_OF_RESOURCES,
    429: OUT_OF_RESOURCES,
    503: OUT_OF_RESOURCES,
    507: OUT_OF_RESOURCES,
}
_STORE_BY_REASON = {
    0xA901: DATA_DOES_NOT_MATCH,
    0xC122: CLASS_NOT_SUPPORTED,
    45071: OUT_OF_RESOURCES,
    0x0213: OUT_OF_RESOURCES,
}


def answer_to_find(report: Report, *, is_below_parent: bool) -> DimseAnswer:
    """Return what a C-FIND is answered after a search upstream ended so.

    `is_below_parent` tells that a study or series was named: that it is not there means that nothing matches.
    """
    entry = explain_report(report)
    match report:
        case HttpAnswered(status) if 200 <= status < 300:
            return DimseAnswer(SUCCESS)
        case HttpAnswered(status) if status in _ABSENT and is_below_parent:
            return DimseAnswer(SUCCESS)
        case HttpAnswered(status):
            return _told(_FIND_BY_HTTP.get(status, CANNOT_PROCESS), entry)
        case TransportFailed(fault) if fault in _TIMEOUTS:
            return _told(OUT_OF_RESOURCES, entry)
        case TokenRefused():
            return _told(NOT_AUTHORIZED, entry)
        case _:
            return _told(CANNOT_PROCESS, entry)


def answer_to_store(report: Report, *, answers_duplicates: bool = False) -> DimseAnswer:
    """Return what a C-STORE is answered that waits for its delivery.

    With `answers_duplicates` an instance that is there already is told as 0111, else as stored.
    """
    entry = explain_report(report)
    match report:
        case InstanceStored(0):
            return DimseAnswer(SUCCESS)
        case InstanceStored(reason):
            return _told(NOT_QUITE_ITS_CLASS if reason == NOT_QUITE_ITS_CLASS else COERCED, entry)
        case InstanceIdentical():
            return _told(DUPLICATE, entry) if answers_duplicates else DimseAnswer(SUCCESS)
        case InstanceDiffers():
            return _told(DATA_DOES_NOT_MATCH, entry)
        case InstanceFailed(reason):
            return _told(_status_of_reason(reason), entry)
        case HttpAnswered(status):
            return _told(_STORE_BY_HTTP.get(status, PROCESSING_FAILURE), entry)
        case TransportFailed(fault) if fault in _TIMEOUTS:
            return _told(OUT_OF_RESOURCES, entry)
        case TokenRefused():
            return _told(NOT_AUTHORIZED, entry)
        case _:
            is_busy = judge(report).verdict is Verdict.TRANSIENT
            return _told(OUT_OF_RESOURCES if is_busy else PROCESSING_FAILURE, entry)


def answer_to_note(entry: Entry) -> DimseAnswer:
    """Return the same for what a delivery noted of its last attempt."""
    report = report_of(entry)
    return _told(PROCESSING_FAILURE, entry) if report is None else answer_to_store(report)


def _status_of_reason(reason: int) -> int:
    """Return a failure reason as a status: most of them are one (PS3.18 table I.2-2)."""
    if reason in _STORE_BY_REASON:
        return _STORE_BY_REASON[reason]
    if reason >> 12 in (0xA, 0xC) or reason >> 8 in (0x01, 0x02):
        return reason
    return PROCESSING_FAILURE


def _told(status: int, entry: Entry) -> DimseAnswer:
    """Return an answer with a comment that leads to the catalogue; without values, and short enough for its VR."""
    return DimseAnswer(status, f"{entry.key} {entry.name}"[:COMMENT_LENGTH_MAX].strip())
