from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.json_body import parse_json_body
from isocenter.domain.errors import InvalidRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_is_read_as_it_is(value: object) -> None:
    assert parse_json_body(orjson.dumps(value)) == value


@given(VALUES)
def test_a_comma_and_a_comment_at_the_end_change_nothing(value: object) -> None:
    written = orjson.dumps(value)
    assert parse_json_body(b"// first\n[" + written + b", /* last, ] } */ // and\n ]") == [value]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1,}', {"a": 1}),
        (b'{"a": [1, 2, ], } // the end', {"a": [1, 2]}),
        (b'/* "x": */ {"a": "// no comment, } /* none */"}', {"a": "// no comment, } /* none */"}),
        (b'{"a": "quoted \\" // still text,]",}', {"a": 'quoted " // still text,]'}),
        (b'{"a" /* why */ : /* what */ true}', {"a": True}),
    ],
)
def test_what_people_write_is_understood(body: bytes, expected: object) -> None:
    assert parse_json_body(body) == expected


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_a_body_that_is_missing_is_named_so(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^The request body is missing\.$"):
        parse_json_body(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[,]",
        b"[1,,]",
        b"{,}",
        b'{"a":,}',
        b"[1,,2]",
        b"[1 2]",
        b"{'a': 1}",
        b"/* open",
        b'"open // ',
        b"// only a comment",
        b"\xff\xfe",
        b"NaN",
        b"[" * 100_000,
        b"[" * 2000 + b"]" * 2000,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^The syntax of the request body is invalid\.$"):
        parse_json_body(body)


@pytest.mark.timeout(20)  # a hundredth of a second each; hours where bytes are looked at again and again
@pytest.mark.parametrize("piece", [b",", b"/*", b"*", b'"', b", /**/", b'"\\', b"/ * ", b"\\", b"/**"])
def test_a_hostile_body_is_read_in_linear_time(piece: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_json_body(b"[" + piece * (2_000_000 // len(piece)))
