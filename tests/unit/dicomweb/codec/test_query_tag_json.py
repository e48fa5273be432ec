"""Extended query tags as JSON: every entry that is taken can be told, and no error tells a value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.minimum_rules import ErrorCode
from isocenter.dicomweb.codec.query_tag_json import (
    encode_errors,
    encode_query_tag,
    parse_entries,
    parse_page,
    parse_query_status,
    parse_tag_path,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query_tag import (
    KINDS_BY_VR,
    QueryStatus,
    QueryTag,
    QueryTagEntry,
    QueryTagError,
    QueryTagStatus,
)
from tests.support.instances import identify

URL = "https://host/v2"

ENTRIES = st.builds(
    QueryTagEntry,
    st.integers(0, 0x7FFF).map(lambda number: 0x00190000 | 0x1000 | number & 0x0FFF),
    st.sampled_from(sorted(KINDS_BY_VR)),
    st.sampled_from([Level.STUDY, Level.SERIES, Level.INSTANCE]),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=16),
)


@given(st.lists(ENTRIES, min_size=1, max_size=8, unique_by=lambda entry: entry.tag))
def test_what_a_tag_is_told_as_can_be_sent_to_add_it(entries: list[QueryTagEntry]) -> None:
    told = [
        json.loads(encode_query_tag(QueryTag(number, entry, QueryTagStatus.READY), service_url=URL))
        for number, entry in enumerate(entries)
    ]
    assert parse_entries(json.dumps(told).encode()) == tuple(entries)


NAMES = st.sampled_from(["path", "level", "vr", "privateCreator", "queryStatus"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
)


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_body_it_is_read_or_refused(body: bytes) -> None:
    for parse in (parse_entries, parse_query_status):
        try:
            parse(body)
        except InvalidRequest:
            continue


def test_comments_and_commas_behind_the_last_entry_are_passed_over() -> None:
    body = b'[{"path": "00101010", "level": "Study",}, /* another */ {"path": "00080070", "level": "Series"},]'
    assert [entry.vr for entry in parse_entries(body)] == ["AS", "LO"]


def test_errors_are_told_by_their_codes() -> None:
    errors = [QueryTagError(identify(1), int(code), 0.0) for code in ErrorCode]
    told = json.loads(encode_errors(errors))
    assert len({one["errorMessage"] for one in told}) == len(ErrorCode)
    assert told[0]["partitionName"] == "Microsoft.Default"
    assert told[0]["createdTime"].startswith("1970-01-01T00:00:00")


@pytest.mark.parametrize(
    ("path", "tag"), [("0010101A", 0x0010101A), ("0010101a", 0x0010101A), ("PatientAge", 0x00101010)]
)
def test_a_path_is_a_keyword_or_eight_digits(path: str, tag: int) -> None:
    assert parse_tag_path(path) == tag


@pytest.mark.parametrize("path", ["", "1010", "patientage", "00101010.00101010", "GGGG1010"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_tag_path(path)


def test_a_page_has_its_defaults_and_passes_over_what_it_does_not_know() -> None:
    assert parse_page("") == (100, 0)
    assert parse_page("LIMIT=200&Offset=7&what=1") == (200, 7)
    assert parse_query_status(b'{"queryStatus": "ENABLED"}') is QueryStatus.ENABLED
