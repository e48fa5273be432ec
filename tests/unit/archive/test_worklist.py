"""Items of the work list on their way in, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isocenter.archive import worklist as use_cases
from isocenter.archive.worklist import (
    add_items,
    find_steps,
    iter_pages,
    make_item,
    make_item_of,
    remove_items,
)
from isocenter.dicom.dataset import Attribute, Dataset, encode_dataset
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import Conflict, Forbidden, InvalidDataset, TooLarge
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.domain.worklist import ITEM_SIZE_MAX_BYTES, STEPS_MAX, WorklistQuery
from isocenter.ports.worklist import Worklist
from isocenter.storage.memory import MemoryWorklist
from tests.support.worklist_items import item

EXPLICIT = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)
PATIENT_ID, STUDY, STEPS, STEP_ID = 0x00100020, 0x0020000D, 0x00400100, 0x00400009


def _dataset(*step_ids: str) -> Dataset:
    steps = tuple({STEP_ID: Attribute("SH", step_id.encode())} for step_id in step_ids)
    return {
        PATIENT_ID: Attribute("LO", b"P1"),
        STUDY: Attribute("UI", b"1.2.3"),
        STEPS: Attribute("SQ", items=steps),
    }


def test_an_item_keeps_its_bytes_and_its_syntax() -> None:
    encoding = encoding_of(EXPLICIT_VR_BIG_ENDIAN)
    content = encode_dataset(_dataset("S1"), encoding)
    made = make_item(content, encoding, source="test")
    assert (made.content, made.transfer_syntax_uid) == (content, EXPLICIT_VR_BIG_ENDIAN)
    assert made.values == {"00100020": ["P1"], "0020000D": ["1.2.3"], "00400100": [{"00400009": ["S1"]}]}
    assert made.identity == "1.2.3\\\\\\S1"


def test_a_data_set_becomes_an_item_in_explicit_vr() -> None:
    made = make_item_of(_dataset("S1"), source="test")
    assert made.content == encode_dataset(_dataset("S1"), EXPLICIT)
    assert made.transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN


def test_items_that_name_nothing_are_told_apart_by_their_bytes() -> None:
    one, other = (make_item_of({PATIENT_ID: Attribute("LO", text)}, source="test") for text in (b"P1", b"P2"))
    assert one.identity != other.identity
    assert one.identity == make_item_of({PATIENT_ID: Attribute("LO", b"P1")}, source="test").identity


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x10\x00\x20\x00LO\xff\x00P1", InvalidDataset),
        (b"", InvalidDataset),
        (encode_dataset({PATIENT_ID: Attribute("LO")}, EXPLICIT), InvalidDataset),
        (bytes(ITEM_SIZE_MAX_BYTES + 1), TooLarge),
        (encode_dataset(_dataset(*("S",) * (STEPS_MAX + 1)), EXPLICIT), TooLarge),
    ],
)
def test_what_is_no_item_or_too_large_is_refused(content: bytes, kind: type[InvalidDataset | TooLarge]) -> None:
    with pytest.raises(kind):
        make_item(content, EXPLICIT, source="test")


def test_a_full_list_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_cases, "ITEMS_MAX", 2)
    worklist = MemoryWorklist()
    add_items(worklist, LOCAL_OWNER, [item(1), item(2)], now=0.0)
    with pytest.raises(Conflict, match="holds at most 2 items"):
        add_items(worklist, LOCAL_OWNER, [item(3)], now=0.0)
    assert worklist.count() == 2


def test_entries_come_page_by_page() -> None:
    worklist = MemoryWorklist()
    add_items(worklist, LOCAL_OWNER, [item(number) for number in range(5)], now=0.0)
    step_keys = find_steps(worklist, LOCAL_OWNER, WorklistQuery())
    pages = list(iter_pages(worklist, LOCAL_OWNER, step_keys, page_count=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [entry.step_key for page in pages for entry in page] == step_keys


def _remove(worklist: Worklist, principal: Principal) -> None:
    remove_items(worklist, principal, [1])


def _add(worklist: Worklist, principal: Principal) -> None:
    add_items(worklist, principal, [], now=0.0)


def _find(worklist: Worklist, principal: Principal) -> None:
    find_steps(worklist, principal, WorklistQuery())


def _read(worklist: Worklist, principal: Principal) -> None:
    list(iter_pages(worklist, principal, [1]))


@pytest.mark.parametrize(("action", "may"), [(_add, False), (_remove, False), (_find, True), (_read, True)])
def test_a_reader_may_only_read(action: Callable[[Worklist, Principal], Any], may: bool) -> None:
    worklist = MemoryWorklist()
    with pytest.raises(Forbidden):
        action(worklist, Principal("nobody", frozenset()))
    reader = Principal("reader", READER_ACTIONS)
    if may:
        action(worklist, reader)
    else:
        with pytest.raises(Forbidden):
            action(worklist, reader)
