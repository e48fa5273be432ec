"""The change feed over its routes: pages, windows, states, metadata (dicom-service 6 and 15.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.dicomweb.codec.change_feed import format_timestamp
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER, Principal
from tests.support.asgi_call import Answer, ask
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import START, FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

Ask = Callable[[str], Answer]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def archive(clock: FakeClock) -> Iterator[Archive]:
    with memory_archive(clock=clock) as archive:
        yield archive


@pytest.fixture
def feed(archive: Archive) -> Iterator[Ask]:
    with ThreadPoolExecutor(2) as executor:
        service = Service(archive, executor, lambda headers: LOCAL_OWNER)
        application = DicomwebApplication(service, root_path="/v2")

        def read(address: str) -> Answer:
            path, _, query = address.partition("?")
            return ask(application, "GET", f"/v2/{path}", query=query)

        yield read


@pytest.fixture
def first_feed(archive: Archive) -> Iterator[Ask]:
    """Return the feed as version 1 gives it."""
    with ThreadPoolExecutor(2) as executor:
        application = DicomwebApplication(Service(archive, executor, lambda headers: LOCAL_OWNER), root_path="/v1")
        yield lambda query: ask(application, "GET", "/v1/changefeed", query=query)


def _rows(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("application/json")
    return orjson.loads(answer.body)


def _sequences(answer: Answer) -> list[int]:
    return [row["sequence"] for row in _rows(answer)]


def _at(seconds: float) -> str:
    return format_timestamp((START + timedelta(seconds=seconds)).timestamp()).replace("+", "%2B")


def _store_each_second(archive: Archive, clock: FakeClock, count: int) -> None:
    for number in range(1, count + 1):
        clock.advance(1)
        store(archive, make_instance(identify(number)).content)


def test_an_empty_feed_is_an_empty_page_and_has_no_latest_row(feed: Ask) -> None:
    assert _rows(feed("changefeed")) == []
    latest = feed("changefeed/latest")
    assert (latest.status, latest.body) == (204, b"")


def test_rows_come_with_the_metadata_of_what_is_stored(archive: Archive, feed: Ask) -> None:
    store(archive, make_instance(identify(1)).content)
    [row] = _rows(feed("ChangeFeed"))
    identifier = identify(1)
    assert row["metadata"]["00080018"]["Value"] == [identifier.sop_instance_uid]
    assert (row["action"], row["state"], row["sequence"]) == ("Create", "Current", 1)
    assert _rows(feed("changefeed/latest")) == row
    [bare] = _rows(feed("changefeed?includeMetadata=false"))
    assert bare == {name: value for name, value in row.items() if name != "metadata"}


def test_an_instance_that_cannot_be_read_has_a_row_without_metadata(archive: Archive, feed: Ask) -> None:
    for number in (1, 2, 3):
        store(archive, make_instance(identify(number)).content)
    damaged = archive.index.instance(2)
    assert damaged is not None
    archive.blobs.erase(damaged.address)
    assert [("metadata" in row, row["sequence"]) for row in _rows(feed("changefeed"))] == [
        (True, 1),
        (False, 2),
        (True, 3),
    ]


def test_a_page_has_its_limit_and_begins_at_its_offset(archive: Archive, clock: FakeClock, feed: Ask) -> None:
    _store_each_second(archive, clock, 5)
    assert _sequences(feed("changefeed?limit=2")) == [1, 2]
    assert _sequences(feed("changefeed?limit=2&offset=3")) == [4, 5]
    assert _sequences(feed("changefeed?offset=5")) == []
    assert _sequences(feed("changefeed?offset=9223372036854775807")) == []


def test_a_window_has_its_start_and_not_its_end(archive: Archive, clock: FakeClock, feed: Ask) -> None:
    _store_each_second(archive, clock, 5)
    window = f"changefeed?startTime={_at(2)}&endTime={_at(5)}"
    assert _sequences(feed(window)) == [2, 3, 4]
    assert _sequences(feed(f"{window}&offset=1&limit=1")) == [3]
    assert _sequences(feed(f"{window}&offset=3")) == []


def test_what_is_stored_after_a_window_was_read_belongs_to_the_next(
    archive: Archive, clock: FakeClock, feed: Ask
) -> None:
    _store_each_second(archive, clock, 2)
    clock.advance(3)
    window = f"changefeed?startTime={_at(0)}&endTime={_at(5)}"
    assert _sequences(feed(window)) == [1, 2]
    clock.advance(-2)  # the machine's clock was set back
    store(archive, make_instance(identify(3)).content)
    assert _sequences(feed(window)) == [1, 2]
    assert _sequences(feed(f"changefeed?startTime={_at(5)}")) == [3]


def test_the_rows_of_an_instance_tell_its_history(archive: Archive, feed: Ask) -> None:
    content = make_instance(identify(1)).content
    store(archive, content)
    delete(archive, LOCAL_OWNER, scope_of(identify(1)))
    rows = _rows(feed("changefeed"))
    assert [(row["action"], row["state"]) for row in rows] == [("Create", "Deleted"), ("Delete", "Deleted")]
    assert all("metadata" not in row for row in rows)
    store(archive, content)
    states = [row["state"] for row in _rows(feed("changefeed"))]
    assert states == ["Replaced", "Replaced", "Current"]


def test_a_new_version_is_an_update_and_its_metadata_stand_for_both_rows(archive: Archive, feed: Ask) -> None:
    store(archive, make_instance(identify(1), seed=1).content)
    store(archive, make_instance(identify(1), seed=2).content, policy=DuplicatePolicy.REPLACE)
    first, second = _rows(feed("changefeed"))
    assert [(row["action"], row["state"]) for row in (first, second)] == [("Create", "Replaced"), ("Update", "Current")]
    assert first["metadata"] == second["metadata"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "includeMetadata=0", "startTime=2026-11-20"])
def test_what_cannot_be_asked_for_is_refused(feed: Ask, query: str) -> None:
    assert feed(f"changefeed?{query}").status == 400


def test_the_first_version_goes_on_behind_a_sequence_in_pages_of_ten(
    archive: Archive, clock: FakeClock, first_feed: Ask
) -> None:
    _store_each_second(archive, clock, 12)
    assert _sequences(first_feed("")) == list(range(1, 11))
    rows = _rows(first_feed("offset=10"))
    assert [row["sequence"] for row in rows] == [11, 12]
    assert rows[0]["metadata"]["00080018"]["Value"] == [identify(11).sop_instance_uid]
    assert _sequences(first_feed("offset=3&limit=2")) == [4, 5]
    assert _sequences(first_feed("offset=12")) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=101", "offset=-1", "includeMetadata=0", "limit=x"])
def test_the_first_version_refuses_what_it_does_not_know(first_feed: Ask, query: str) -> None:
    assert first_feed(query).status == 400


def test_the_feed_names_no_file(archive: Archive, feed: Ask, first_feed: Ask) -> None:
    store(archive, make_instance(identify(1)).content)
    assert [set(row) & {"filePath"} for row in (*_rows(feed("changefeed")), *_rows(first_feed("")))] == [set(), set()]


def test_who_may_not_read_may_not_read_the_feed(archive: Archive) -> None:
    with ThreadPoolExecutor(1) as executor:
        service = Service(archive, executor, lambda headers: Principal("nobody", frozenset()))
        application = DicomwebApplication(service, root_path="/v2")
        assert ask(application, "GET", "/v2/changefeed").status == 403
        assert ask(application, "GET", "/v2/changefeed/latest").status == 403
