from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.entity_tag import format_entity_tag, is_known


@pytest.mark.parametrize("header", ['"5-2"', 'W/"5-2"', '"1", "5-2"', 'W/"1",W/"5-2"', "*", " * ", "5-2"])
def test_the_standard_reads_a_list_of_tags(header: str) -> None:
    assert is_known(header, "5-2", Dialect.STANDARD)


@pytest.mark.parametrize("header", [None, "", '"5"', '"15-2"', '"5-2', "W/5-2", '"1", 5-2', '"*"'])
def test_another_tag_is_not_this_one(header: str | None) -> None:
    assert not is_known(header, "5-2", Dialect.STANDARD)


def test_azure_compares_plain_text() -> None:
    assert is_known("5-2", "5-2", Dialect.AZURE_V2)
    assert not any(is_known(header, "5-2", Dialect.AZURE_V2) for header in ('"5-2"', "*", "5-2, 6-2", None))


@pytest.mark.parametrize("dialect", list(Dialect))
def test_what_is_sent_is_known_when_it_comes_back(dialect: Dialect) -> None:
    assert is_known(format_entity_tag("7", dialect), "7", dialect)
