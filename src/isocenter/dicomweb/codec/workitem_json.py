"""Workitems as JSON: one as it is retrieved, those that a search found, and why a request failed (dicom-service 9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from isocenter.dicomweb.codec.workitem_query import WorkitemSearch
from isocenter.domain.workitem import TRANSACTION_UID, Workitem


def _tags(text: str) -> frozenset[int]:
    return frozenset(int(tag, 16) for tag in text.split())


RETURNED = _tags(
    "00080005 00080016 00080018 00081080 00081084 00100010 00100020 00100021 00100024 00100030 00100040 00101002 "
    "00102000 001021C0 0020000D 00380010 00380014 00380050 00404005 00404018 00404021 00404025 00404026 00404027 "
    "00404034 00404041 0040A370 00741000 00741002 00741200 00741202 00741204 00741210"
)
"""What a search always returns (dicom-service 9.4): return keys of types 1 and 2 of PS3.4 table CC.2.5-3."""


@dataclass(frozen=True, slots=True)
class FoundWorkitems:
    """The answer to a search, and whether some of what was found could not be read."""

    content: bytes
    count: int
    is_partial: bool


def encode_workitem(workitem: Workitem, *, in_array: bool) -> bytes:
    """Return a workitem as a JSON object, or as an array with it (register D11)."""
    return b"[" + workitem.content + b"]" if in_array else workitem.content


def encode_found(workitems: Iterable[Workitem], search: WorkitemSearch) -> FoundWorkitems:
    """Return workitems as a JSON array, of each what always comes, what was matched on, and what was asked for."""
    tags = RETURNED.union(search.matched_tags, search.include.tags) - {TRANSACTION_UID}
    keys = frozenset(f"{tag:08X}" for tag in tags)
    found: list[orjson.Fragment] = []
    is_partial = False
    for workitem in workitems:
        try:
            document = orjson.loads(workitem.content)
        except orjson.JSONDecodeError:
            is_partial = True
            continue
        if search.include.is_all:
            found.append(orjson.Fragment(workitem.content))
        else:
            selected = {key: attribute for key, attribute in document.items() if key in keys}
            found.append(orjson.Fragment(orjson.dumps(selected)))
    return FoundWorkitems(orjson.dumps(found), len(found), is_partial)


def encode_message(message: str) -> bytes:
    """Return a sentence for the caller as JSON: the answers about workitems are all JSON."""
    return orjson.dumps(message)
