from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.change_feed import (
    FeedRequest,
    encode_changes,
    format_timestamp,
    parse_feed_request,
    parse_latest_request,
)
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.domain.errors import InvalidRequest
from isocenter.ports.index import Change, ChangeAction, ChangeState
from tests.support.instances import identify

V1, V2 = Dialect.AZURE_V1, Dialect.AZURE_V2
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_each_version_has_its_own_page() -> None:
    assert parse_feed_request("", V1) == FeedRequest(10)
    assert parse_feed_request("", V2) == FeedRequest(100)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=200&offset=3", FeedRequest(200, 3)),
        ("LIMIT=1&Offset=0", FeedRequest(1)),
        ("includeMetadata=False", FeedRequest(100, includes_metadata=False)),
        ("startTime=2026-11-20T12:00:00Z", FeedRequest(100, start=NOON.timestamp())),
        ("startTime=2026-11-20T13:00:00.0000000%2B01:00", FeedRequest(100, start=NOON.timestamp())),
        ("endTime=2026-11-20T12:00:00.1234567Z", FeedRequest(100, end=NOON.timestamp() + 0.123456)),
        ("somethingElse=1", FeedRequest(100)),
    ],
)
def test_what_is_asked_for_is_read(query: str, expected: FeedRequest) -> None:
    assert parse_feed_request(query, V2) == expected


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=ten",
        "limit=",
        "limit=٣",
        "offset=-1",
        f"offset={2**63}",
        f"offset={'9' * 400}",
        "limit=1&limit=2",
        "includeMetadata=0",
        "includeMetadata=yes",
        "startTime=yesterday",
        "startTime=2026-11-20T12:00:00+01:00",  # the plus sign reads as a blank
        "startTime=2026-11-20T12:00:00Z&endTime=2026-11-20T12:00:00Z",
        "startTime=2026-11-20T12:00:00Z&endTime=2026-11-20T11:00:00Z",
    ],
)
def test_what_cannot_be_asked_for_is_refused(query: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_feed_request(query, V2)


def test_a_time_without_a_zone_is_refused_in_the_words_of_the_service() -> None:
    with pytest.raises(InvalidRequest, match=r"^Date and time value must specify a time zone\.$"):
        parse_feed_request("startTime=2026-11-20T12:00:00", V2)


def test_the_first_version_knows_no_times_and_shorter_pages() -> None:
    assert parse_feed_request("startTime=yesterday&limit=100", V1) == FeedRequest(100)
    with pytest.raises(InvalidRequest):
        parse_feed_request("limit=101", V1)


def test_the_latest_row_is_asked_for_with_metadata_unless_it_is_not() -> None:
    assert parse_latest_request("")
    assert not parse_latest_request("includemetadata=false")


@given(
    moment=st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    offset=st.integers(-720, 720),
)
def test_a_timestamp_that_was_written_is_read_as_the_same(moment: datetime, offset: int) -> None:
    timestamp = moment.timestamp()
    written = format_timestamp(timestamp)
    assert parse_feed_request(f"startTime={written.replace('+', '%2B')}", V2).start == timestamp
    elsewhere = moment.astimezone(timezone(timedelta(minutes=offset))).isoformat().replace("+", "%2B")
    assert parse_feed_request(f"startTime={elsewhere}", V2).start == timestamp


def test_a_row_has_the_fields_of_the_service() -> None:
    change = Change(42, identify(7), ChangeAction.CREATE, ChangeState.CURRENT, NOON.timestamp(), 3)
    identifier = change.identifier
    [row] = orjson.loads(encode_changes([change], {3: b'{"00080018":{"vr":"UI"}}'}))
    assert row == {
        "sequence": 42,
        "partitionName": "Microsoft.Default",
        "studyInstanceUid": identifier.study_instance_uid,
        "seriesInstanceUid": identifier.series_instance_uid,
        "sopInstanceUid": identifier.sop_instance_uid,
        "action": "Create",
        "timestamp": "2026-11-20T12:00:00.0000000+00:00",
        "state": "Current",
        "metadata": {"00080018": {"vr": "UI"}},
    }


def test_a_row_without_an_instance_has_no_metadata() -> None:
    change = Change(1, identify(7), ChangeAction.DELETE, ChangeState.DELETED, NOON.timestamp(), None)
    [row] = orjson.loads(encode_changes([change], {3: b"{}"}))
    assert "metadata" not in row
