"""The modality work list: take items in, answer queries, list and remove."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from isocenter.dicom.dataset import Dataset, decode_dataset, encode_dataset, values_of
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import Conflict, InvalidDataset, TooLarge
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.worklist import (
    ITEM_SIZE_MAX_BYTES,
    ITEMS_MAX,
    STEPS_MAX,
    Addition,
    NewWorklistItem,
    WorklistEntry,
    WorklistQuery,
    identity_of,
    number_of_steps,
)
from isocenter.ports.worklist import Worklist

PAGE_COUNT = 200
"""Entries read at once while a query is answered: a few hundred kilobytes."""

_EXPLICIT = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)


def make_item(content: bytes, encoding: Encoding, *, source: str) -> NewWorklistItem:
    """Return an item ready to be kept, its data set as it came.

    Raises InvalidDataset where the bytes are no data set or say nothing, TooLarge beyond the limits.
    """
    if len(content) > ITEM_SIZE_MAX_BYTES:
        raise TooLarge(f"An item of the work list has at most {ITEM_SIZE_MAX_BYTES // 1024} KB.")
    values = values_of(decode_dataset(content, encoding))
    if not values:
        raise InvalidDataset("The item holds no value.")
    if number_of_steps(values) > STEPS_MAX:
        raise TooLarge(f"An item of the work list has at most {STEPS_MAX} scheduled steps.")
    digest = hashlib.sha256(content).hexdigest()
    return NewWorklistItem(
        identity_of(values, digest=digest), content, encoding.transfer_syntax_uid, values, source=source
    )


def make_item_of(dataset: Dataset, *, source: str) -> NewWorklistItem:
    """Return an item ready to be kept, of a data set that has no bytes yet."""
    return make_item(encode_dataset(dataset, _EXPLICIT), _EXPLICIT, source=source)


def add_items(
    worklist: Worklist, principal: Principal, items: Sequence[NewWorklistItem], *, now: float
) -> list[Addition]:
    """Keep items, all or none.

    Raises Conflict where the list is full, Forbidden.
    """
    principal.require(DataAction.WRITE)
    if worklist.count() + len(items) > ITEMS_MAX:
        raise Conflict(f"The work list holds at most {ITEMS_MAX} items; remove those that are done.")
    return worklist.add(items, now=now)


def find_steps(worklist: Worklist, principal: Principal, query: WorklistQuery) -> list[int]:
    """Return the keys of the steps that fit, in the order of their start."""
    principal.require(DataAction.READ)
    return worklist.find(query)


def iter_pages(
    worklist: Worklist, principal: Principal, step_keys: Sequence[int], *, page_count: int = PAGE_COUNT
) -> Iterator[list[WorklistEntry]]:
    """Yield steps by key, page by page, so that memory stays flat however many there are."""
    principal.require(DataAction.READ)
    for start in range(0, len(step_keys), page_count):
        yield worklist.entries(step_keys[start : start + page_count])


def remove_items(worklist: Worklist, principal: Principal, item_keys: Sequence[int]) -> int:
    """Drop items; return how many were there."""
    principal.require(DataAction.DELETE)
    return worklist.remove(item_keys)
