from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from isocenter.archive import search as module
from isocenter.archive.archive import Archive
from isocenter.archive.search import count, iter_search, search
from isocenter.domain.attributes import BY_KEYWORD, PATIENT_COUNTS
from isocenter.domain.errors import Forbidden, TooLarge
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.domain.query import (
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
)
from tests.support.dicom_files import element, file_of, implicit_element
from tests.support.instances import CT_IMAGE_STORAGE, identify, scope_of
from tests.support.memory_archive import memory_archive, store

INSTITUTION, PROCEDURE_CODES, CODE_VALUE = 0x00080080, 0x00081032, 0x00080100
STUDY_UID, PATIENT_ID = BY_KEYWORD["StudyInstanceUID"].tag, BY_KEYWORD["PatientID"].tag
ACQUISITION = (0x00080022, 0x00080032)
NOBODY = Principal("nobody", frozenset())


def _element(tag: int, vr: str, value: str) -> bytes:
    raw = value.encode()
    return element(tag, vr, raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2))


def _instance(identifier: InstanceIdentifier, *, institution: str = "", patient: str = "P", code: str = "") -> bytes:
    items = implicit_element(0xFFFEE000, _element(CODE_VALUE, "SH", code)) if code else b""
    dataset = (
        _element(0x00080016, "UI", CT_IMAGE_STORAGE)
        + _element(0x00080018, "UI", identifier.sop_instance_uid)
        + _element(ACQUISITION[0], "DA", "20240102")
        + _element(ACQUISITION[1], "TM", "1030")
        + _element(INSTITUTION, "LO", institution)
        + element(PROCEDURE_CODES, "SQ", items)
        + _element(PATIENT_ID, "LO", patient)
        + _element(0x00101000, "LO", "x\\y")
        + _element(0x0020000D, "UI", identifier.study_instance_uid)
        + _element(0x0020000E, "UI", identifier.series_instance_uid)
        + _element(0x00200013, "IS", identifier.sop_instance_uid.rsplit(".", 1)[1])
    )
    return file_of(dataset)


@pytest.fixture
def archive() -> Iterator[Archive]:
    """Hold three studies, the second of two instances."""
    with memory_archive() as found:
        store(found, _instance(identify(1), institution="North", patient="A", code="X1"))
        store(found, _instance(identify(2, 1, 1), institution="South", patient="A"))
        store(found, _instance(identify(2, 1, 2), institution="North", patient="A", code="X2"))
        store(found, _instance(identify(3), patient="B"))
        yield found


def _studies(archive: Archive, *matches: Match, level: Level = Level.STUDY) -> list[int]:
    rows = search(archive, LOCAL_OWNER, Query(level, matches))
    assert count(archive, LOCAL_OWNER, Query(level, matches)) == len(rows)
    return [int(row.attributes[STUDY_UID].rsplit(".", 1)[1]) for row in rows]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(INSTITUTION, ("North",)), [2, 1]),
        (OneOf(INSTITUTION, ("South",)), []),
        (Wildcard(INSTITUTION, "N*"), [2, 1]),
        (Empty(INSTITUTION), [3]),
        (OneOf(0x00101000, ("y",)), [3, 2, 1]),
        (InItem(PROCEDURE_CODES, (OneOf(CODE_VALUE, ("X1",)),)), [1]),
        (InItem(PROCEDURE_CODES, ()), [2, 1]),
        (Empty(PROCEDURE_CODES), [3]),
        (PersonName(0x00081050, ("x",)), []),
        (
            DateAndTime(*ACQUISITION, ("20240102", None), ("10", None), is_combined=True),
            [3, 2, 1],
        ),
        (DateAndTime(*ACQUISITION, (None, "20240102"), (None, "10"), is_combined=True), []),
    ],
)
def test_what_the_index_does_not_keep_is_held_against_the_newest_header(
    archive: Archive, match: Match, expected: list[int]
) -> None:
    assert _studies(archive, match) == expected
    assert _studies(archive, match, OneOf(PATIENT_ID, ("A",))) == [number for number in expected if number < 3]


def test_every_level_is_told_by_its_own_newest_instance(archive: Archive) -> None:
    south = OneOf(INSTITUTION, ("South",))
    assert _studies(archive, south, level=Level.SERIES) == []
    assert _studies(archive, south, level=Level.INSTANCE) == [2]
    patients = search(archive, LOCAL_OWNER, Query(Level.PATIENT, (OneOf(INSTITUTION, ("North",)),)))
    assert [row.attributes[PATIENT_ID] for row in patients] == ["A"]


def test_pages_are_cut_behind_the_header(archive: Archive) -> None:
    north = OneOf(INSTITUTION, ("North",))
    pages = [search(archive, LOCAL_OWNER, Query(Level.STUDY, (north,), limit=1, offset=at)) for at in range(3)]
    assert [len(page) for page in pages] == [1, 1, 0]


def test_more_headers_than_the_limit_are_not_looked_at(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    north = OneOf(INSTITUTION, ("North",))
    monkeypatch.setattr(module, "HEADERS_EXAMINED_MAX", 2)
    with pytest.raises(TooLarge, match="narrow"):
        search(archive, LOCAL_OWNER, Query(Level.STUDY, (north,)))
    assert _studies(archive, north, OneOf(PATIENT_ID, ("A",))) == [2, 1]


def test_a_listing_is_read_page_by_page_and_ends_where_it_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAGE_ROWS", 2)
    monkeypatch.setattr(module, "PAGE_ROWS_MAX", 3)
    with memory_archive() as archive:
        for number in range(1, 12):
            store(archive, _instance(identify(number)))
        found = iter_search(archive, LOCAL_OWNER, Query(Level.STUDY, limit=1, offset=5))
        first = [one.row.attributes[STUDY_UID] for one in islice(found, 3)]
        assert first == [identify(number).study_instance_uid for number in (11, 10, 9)]
        store(archive, _instance(identify(12)))
        assert len(list(found)) == 8


def test_rows_come_with_what_was_asked_for_of_their_headers(archive: Archive) -> None:
    query = Query(Level.STUDY, (OneOf(PATIENT_ID, ("A",)),))
    found = list(iter_search(archive, LOCAL_OWNER, query, header_tags=frozenset({INSTITUTION})))
    assert [one.header.text_of(INSTITUTION) for one in found if one.header] == ["North", "North"]
    assert all(one.header is None for one in iter_search(archive, LOCAL_OWNER, query))
    needed = list(iter_search(archive, LOCAL_OWNER, query, needs_header=lambda row: STUDY_UID in row.attributes))
    assert [one.header is not None and INSTITUTION in one.header for one in needed] == [False, False]


def test_what_is_deleted_meanwhile_is_left_out(archive: Archive) -> None:
    found = iter_search(archive, LOCAL_OWNER, Query(Level.STUDY), header_tags=frozenset({INSTITUTION}))
    next(found)
    archive.index.delete(scope_of(identify(2), depth=1), now=0, erase_due_at=0)
    assert [one.row.attributes[STUDY_UID] for one in found] == [identify(1).study_instance_uid]


def test_a_header_that_cannot_be_read_hides_no_other(archive: Archive) -> None:
    (damaged,) = archive.index.instances(scope_of(identify(1), depth=1))
    archive.blobs.erase(damaged.address)
    assert _studies(archive, OneOf(INSTITUTION, ("North",))) == [2]
    listed = iter_search(archive, LOCAL_OWNER, Query(Level.STUDY), header_tags=frozenset({INSTITUTION}))
    assert len(list(listed)) == 3


def test_who_may_not_read_finds_nothing_out(archive: Archive) -> None:
    for ask in (search, count):
        with pytest.raises(Forbidden):
            ask(archive, NOBODY, Query(Level.STUDY))
    with pytest.raises(Forbidden):
        next(iter_search(archive, NOBODY, Query(Level.STUDY)))


def test_patients_are_counted(archive: Archive) -> None:
    rows = search(archive, LOCAL_OWNER, Query(Level.PATIENT))
    counted = [[row.attributes[tag] for tag in sorted(PATIENT_COUNTS)] for row in rows]
    assert counted == [["1", "1", "1"], ["2", "2", "3"]]
