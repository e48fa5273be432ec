from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.app.senders.comparing import is_same_instance
from isocenter.dicom.part10 import read_encoding
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_files import file_of
from tests.support.instances import identify
from tests.support.small_instances import make_instance

ONE, OTHER = make_instance(identify(), seed=1).content, make_instance(identify(), seed=2).content
DATASET = ONE[read_encoding(ONE)[1] :]


def _cut(content: bytes, *places: int) -> list[bytes]:
    bounds = [0, *sorted(places), len(content)]
    return [content[a:b] for a, b in pairwise(bounds)]


@given(st.lists(st.integers(0, len(ONE)), max_size=5), st.lists(st.integers(0, len(ONE)), max_size=5))
def test_the_same_data_set_is_the_same_however_it_comes(ours: list[int], theirs: list[int]) -> None:
    assert is_same_instance(_cut(ONE, *ours), _cut(ONE, *theirs)) is True


def test_the_head_of_the_file_says_nothing() -> None:
    assert is_same_instance([ONE], [b"x" * 128 + file_of(DATASET)[128:]]) is True


def test_another_data_set_is_another_instance() -> None:
    assert is_same_instance([ONE], [OTHER]) is False
    assert is_same_instance([ONE], [ONE[:-2]]) is False


def test_in_another_transfer_syntax_it_cannot_be_told() -> None:
    assert is_same_instance([ONE], [file_of(DATASET, "1.2.840.10008.1.2.4.70")]) is None


@pytest.mark.parametrize("content", [b"", b"DICM", b"x" * 200])
def test_what_is_no_instance_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDataset):
        is_same_instance([ONE], [content])
