from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.find_bytes import find_bytes


@given(
    before=st.binary(max_size=40),
    filling=st.sampled_from([0, 100, 16 * 1024, 70_000]),
    wanted=st.binary(min_size=1, max_size=30),
    behind=st.binary(max_size=40),
    is_there=st.booleans(),
    start=st.integers(0, 40),
)
def test_it_finds_what_the_language_finds(
    before: bytes, filling: int, wanted: bytes, behind: bytes, is_there: bool, start: int
) -> None:
    content = before + bytes(filling) + (wanted if is_there else b"") + behind
    assert find_bytes(content, wanted, min(start, len(content))) == content.find(wanted, min(start, len(content)))
