"""Keys of the standard are answered by extended query tags where that finds the same as a look at headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.archive import search
from isocenter.archive.archive import Archive
from isocenter.archive.query_tag_search import by_query_tags
from isocenter.dicom.search_key import make_key
from isocenter.domain.errors import TooLarge
from isocenter.domain.identifiers import Level
from isocenter.domain.matching import parse_keys
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Between, ByQueryTag, Empty, Match, OneOf, Query
from isocenter.domain.query_tag import QueryStatus, QueryTag, QueryTagEntry, QueryTagStatus
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.query_tags import PATIENT_AGE, REQUESTING_PHYSICIAN, Values, file_with, query_tag
from tests.unit.archive.test_query_tag_reindex import reindex

ADMISSION, ACQUIRED, PROTOCOL, MAKERS = 0x00380010, 0x00080022, 0x00181030, 0x00080068
ENTRIES = (
    QueryTagEntry(PATIENT_AGE, "AS", Level.INSTANCE),
    QueryTagEntry(REQUESTING_PHYSICIAN, "PN", Level.STUDY),
    QueryTagEntry(PROTOCOL, "LO", Level.SERIES),
    QueryTagEntry(ACQUIRED, "DA", Level.INSTANCE),
    QueryTagEntry(0x00189073, "FD", Level.INSTANCE),
)
STORED: tuple[Values, ...] = (
    {PATIENT_AGE: ("AS", b"042Y"), PROTOCOL: ("LO", b"Chest CT"), REQUESTING_PHYSICIAN: ("PN", b"Doe^John")},
    {PATIENT_AGE: ("AS", b"043Y"), PROTOCOL: ("LO", b"chest " + b"x" * 70), ACQUIRED: ("DA", b"20260131")},
    {ACQUIRED: ("DA", b"20260201"), REQUESTING_PHYSICIAN: ("PN", b"Roe^Jane"), PROTOCOL: ("LO", b"")},
    {},
)


@pytest.fixture(params=["memory", "sqlite"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    if request.param == "memory":
        with memory_archive() as archive:
            yield archive
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index, memory_archive(index=index) as archive:
            yield archive


def matches(**keys: str) -> tuple[Match, ...]:
    """Return what keys ask for by the rules of the standard."""
    tags = {"age": PATIENT_AGE, "name": REQUESTING_PHYSICIAN, "protocol": PROTOCOL, "day": ACQUIRED}
    made = [make_key(tags[name], text) for name, text in keys.items()]
    return parse_keys([key for key in made if key is not None])


def found(archive: Archive, asked: tuple[Match, ...], level: Level = Level.INSTANCE) -> list[str]:
    query = Query(level, asked)
    rows = search.search(archive, LOCAL_OWNER, query)
    assert search.count(archive, LOCAL_OWNER, query) == len(rows)
    assert [one.row for one in search.iter_search(archive, LOCAL_OWNER, query)] == rows
    return [row.attributes[0x0020000D] for row in rows]


@pytest.mark.parametrize(
    "asked",
    [
        matches(age="042Y"),
        matches(age="04?Y"),
        matches(name="doe*"),
        matches(name="DOE^JOHN"),
        matches(protocol="Chest CT"),
        matches(protocol="chest*"),
        matches(protocol="chest ct"),
        matches(day="20260131"),
        matches(day="20260131-"),
        matches(day="20260131-20260131", age="043Y"),
        (Empty(PROTOCOL),),
        (OneOf(PATIENT_AGE, ("042Y", "043Y")),),
    ],
)
def test_what_tags_find_is_what_headers_say(archive: Archive, asked: tuple[Match, ...]) -> None:
    for number, values in enumerate(STORED[:2], 1):
        store(archive, file_with(identify(number), values))
    before = found(archive, asked)
    for tag in ENTRIES:
        if tag.tag != PROTOCOL:  # its value that is too long would be an error of the reindex
            reindex(archive, tag)
    assert found(archive, asked) == before


def test_what_comes_in_later_is_found_alike(archive: Archive) -> None:
    reindex(archive, *ENTRIES)
    for number, values in enumerate(STORED, 1):
        store(archive, file_with(identify(number), values))
    uids = [identify(number).study_instance_uid for number in range(1, 5)]
    assert found(archive, matches(protocol="chest*")) == [uids[1]]
    assert found(archive, matches(protocol="?hest*")) == [uids[1], uids[0]]
    assert found(archive, matches(name="*oe*"), Level.STUDY) == [uids[2], uids[0]]
    assert found(archive, matches(day="-20260131")) == [uids[1]]
    assert found(archive, (Empty(PATIENT_AGE),)) == [uids[3], uids[2]]


def test_a_search_of_any_size_is_answered(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HEADERS_EXAMINED_MAX", 2)
    for number in range(1, 6):
        store(archive, file_with(identify(number), {PATIENT_AGE: ("AS", b"042Y")}))
    with pytest.raises(TooLarge):
        found(archive, matches(age="041Y"))
    reindex(archive, ENTRIES[0])
    assert found(archive, matches(age="041Y")) == []
    assert len(found(archive, matches(age="042Y"))) == 5


ONE = (OneOf(PATIENT_AGE, ("042Y",)),)
READY = query_tag(PATIENT_AGE, "AS")


@pytest.mark.parametrize(
    "tag",
    [
        replace(READY, status=QueryTagStatus.ADDING),
        replace(READY, status=QueryTagStatus.DELETING),
        replace(READY, query_status=QueryStatus.DISABLED),
        replace(READY, error_count=1),
        query_tag(PATIENT_AGE, "AS", private_creator="ACME"),
    ],
)
def test_a_tag_that_may_miss_something_is_not_used(tag: QueryTag) -> None:
    assert by_query_tags(Query(Level.INSTANCE, ONE), [tag]).matches == ONE
    assert isinstance(by_query_tags(Query(Level.INSTANCE, ONE), [READY]).matches[0], ByQueryTag)


def test_a_tag_of_a_lower_level_or_of_several_values_is_not_used() -> None:
    assert by_query_tags(Query(Level.SERIES, ONE), [READY]).matches == ONE
    several = (OneOf(0x00080008, ("ORIGINAL",)),)
    assert by_query_tags(Query(Level.INSTANCE, several), [query_tag(0x00080008, "CS")]).matches == several


def test_what_only_headers_can_say_is_left_to_them() -> None:
    asked: tuple[Match, ...] = (Empty(PATIENT_AGE), Between(0x0008002A, "2026", None), OneOf(0x0008002A, ("2026",)))
    tags = [READY, query_tag(0x0008002A, "DT", key=2)]
    assert by_query_tags(Query(Level.INSTANCE, asked), tags).matches == asked
