from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.ul.query_extensions import (
    FindExtensions,
    RetrieveExtensions,
    agreed_extensions,
    decode_find_extensions,
    decode_retrieve_extensions,
    encode_find_extensions,
    encode_retrieve_extensions,
)
from isocenter.dimse.ul.user_information import ExtendedNegotiation
from tests.support.dimse_wire import ANSWER, USER_INFORMATION


@given(st.builds(FindExtensions, *[st.booleans()] * 7))
def test_extensions_of_a_query_come_back(extensions: FindExtensions) -> None:
    assert decode_find_extensions(encode_find_extensions(extensions)) == extensions


@given(st.builds(RetrieveExtensions, *[st.booleans()] * 2))
def test_extensions_of_a_retrieval_come_back(extensions: RetrieveExtensions) -> None:
    assert decode_retrieve_extensions(encode_retrieve_extensions(extensions)) == extensions


def test_bytes_stand_in_the_order_of_the_standard() -> None:
    assert encode_find_extensions(FindExtensions(relational_queries=True, timezone_query_adjustment=True)) == bytes(
        (1, 0, 0, 1, 0, 0, 0)
    )


def test_what_is_left_out_is_not_supported() -> None:
    assert decode_find_extensions(b"\1") == FindExtensions(relational_queries=True)
    assert decode_retrieve_extensions(b"") == RetrieveExtensions()


def test_what_later_editions_add_is_passed_over() -> None:
    assert decode_find_extensions(b"\0\1\0\0\0\0\0\1\1") == FindExtensions(combined_date_time_matching=True)


def test_agreed_extensions_are_found_by_sop_class() -> None:
    extended = (ExtendedNegotiation("1.2", b"\1"), ExtendedNegotiation("1.3", b"\1\1"))
    answer = replace(ANSWER, user_information=replace(USER_INFORMATION, extended_negotiations=extended))
    assert agreed_extensions(answer, "1.3") == b"\1\1"
    assert agreed_extensions(answer, "1.4") == b""
