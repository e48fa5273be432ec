"""Workitems for tests: the smallest that can be created, and how a test asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.workitem import Workitem, WorkitemState
from isocenter.domain.workitem_search import SEARCHABLE, SearchableText

Document = dict[str, Any]
ROOT = "1.2.826.0.1.3680043.10.1455.9"
BY_KEYWORD = {one.keyword: one for one in SEARCHABLE}

_EMPTY = """
    00080082:SQ 00081080:LO 00081084:SQ 00081195:UI 00100010:PN 00100021:LO 00100024:SQ 00100030:DA 00100040:CS
    00101002:SQ 00380010:LO 00380014:SQ 00400400:LT 00404018:SQ 00404021:SQ 00404025:SQ 00404026:SQ 00404027:SQ
    00741002:SQ 00741210:SQ 00741216:SQ
"""
_EMPTY_IN_REQUEST = "00080050:SH 00080051:SQ 00321060:LO 00321064:SQ 00400026:SQ 00400027:SQ 00401001:SH"


def uid_of(number: int) -> str:
    """Return a UID by number."""
    return f"{ROOT}.{number}"


def attribute(vr: str, *values: object) -> Document:
    """Return an attribute of the JSON model."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def code(value: str, meaning: str = "Meaning") -> Document:
    """Return an item of a code sequence."""
    return {
        "00080100": attribute("SH", value),
        "00080102": attribute("SH", "99TEST"),
        "00080104": attribute("LO", meaning),
    }


def _empty(text: str) -> Document:
    return {tag: attribute(vr) for tag, vr in (pair.split(":") for pair in text.split())}


def creation(**attributes: Document) -> Document:
    """Return the data set of a workitem that can be created; `attributes` are named `t` and the eight digits."""
    document = {
        **_empty(_EMPTY),
        "00080018": attribute("UI", uid_of(1)),
        "00404005": attribute("DT", "20260102103000"),
        "00404041": attribute("CS", "READY"),
        "0040A370": attribute("SQ", {**_empty(_EMPTY_IN_REQUEST), "0020000D": attribute("UI", "1.2.3")}),
        "00741200": attribute("CS", "MEDIUM"),
        "00741204": attribute("LO", "Label"),
    }
    return deepcopy(document | {name.removeprefix("t"): value for name, value in attributes.items()})


def performed() -> Document:
    """Return what makes a workitem complete."""
    item = {
        "00404019": attribute("SQ", code("W1")),
        "00404028": attribute("SQ", code("S1")),
        "00404033": attribute("SQ"),
        "00404050": attribute("DT", "20260102110000"),
        "00404051": attribute("DT", "20260102113000"),
    }
    return {"00741216": attribute("SQ", item)}


def discontinued() -> Document:
    """Return what must be known of a workitem that its performer cancels."""
    item = {"00404052": attribute("DT", "20260102113000"), "0074100E": attribute("SQ", code("110513"))}
    return {"00741002": attribute("SQ", item)}


def workitem(number: int = 1, *, partition: str = DEFAULT_PARTITION, **others: Any) -> Workitem:
    """Return a workitem to keep; `others` are its attributes as a value."""
    values: dict[str, Any] = {
        "partition_name": partition,
        "sop_instance_uid": uid_of(number),
        "state": WorkitemState.SCHEDULED,
        "transaction_uid": None,
        "content": b"content %d" % number,
        "created_at": 1000.0 + number,
        "changed_at": 1000.0 + number,
    }
    return Workitem(**(values | others))


def texts(values: Mapping[str, str | tuple[str, ...]] | None = None) -> list[SearchableText]:
    """Return texts by which a workitem is found, by keyword."""
    pairs = (values or {}).items()
    return [
        SearchableText(BY_KEYWORD[keyword], text)
        for keyword, given in pairs
        for text in ((given,) if isinstance(given, str) else given)
    ]
