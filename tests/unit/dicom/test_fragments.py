"""Fragments by their item headers."""

from __future__ import annotations

import pytest

from isocenter.dicom import fragments
from isocenter.dicom.fragments import walk_fragments
from isocenter.domain.errors import InvalidDataset, LimitExceeded
from tests.support.dicom_files import ITEM, fragments_of, implicit_element

START = 12


def test_fragments_lie_one_behind_the_other() -> None:
    content = fragments_of(b"ab", b"", b"cdef", offset_table=bytes(4))
    found = walk_fragments(content, START)
    assert list(found.lengths) == [2, 0, 4]
    assert found.offset_table == (20, 4)
    assert content[found.start : found.start + 2] == b"ab"
    assert content[found.end - 4 : found.end] == b"cdef"


def test_item_that_passes_the_end_is_refused() -> None:
    with pytest.raises(InvalidDataset, match="offset"):
        walk_fragments(implicit_element(ITEM, b"") + implicit_element(ITEM, b"ab", length=3), 0)


def test_number_of_fragments_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "FRAGMENTS_MAX", 3)
    assert len(walk_fragments(fragments_of(b"", b"", b""), START).lengths) == 3
    with pytest.raises(LimitExceeded):
        walk_fragments(fragments_of(*[b""] * 5), START)
