from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.partition import PARTITION_NAME_LENGTH_MAX, parse_partition_name


@pytest.mark.parametrize(
    "name", [DEFAULT_PARTITION, "a", "A-1_b.c", "1.2.840.10008.1", "..", "x" * PARTITION_NAME_LENGTH_MAX]
)
def test_a_name_has_letters_digits_and_three_marks(name: str) -> None:
    assert parse_partition_name(name) == name


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a/b", "ä", "a\n", "a%20", "x" * (PARTITION_NAME_LENGTH_MAX + 1), "a\0", "a;b", "１"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_partition_name(text)
    assert caught.value.message == "The specified PartitionName is invalid. "
